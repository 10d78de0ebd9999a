"""Which device is meant, and how it can be opened."""

import json
import sys
import threading
from collections.abc import Callable

import pytest

from detector.audio.check import Checked, Limits, list_devices, open_check
from detector.audio.devices import PREFERRED_RATES_HZ, choose_format, find_device
from detector.audio.format import Format
from detector.audio.portaudio import load_sound_system
from detector.config.schema import AudioConfig
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import AudioError
from tests.audio.fake_sound import FakeDevice, FakePortAudioError, FakeSoundSystem
from tests.audio.tools import noise
from tests.clocks import HandClock

USB = FakeDevice("USB Audio: - (hw:1,0)", channels=1, rates_hz=(44_100, 48_000))
ARRAY = FakeDevice("ReSpeaker: 4 Mic Array (hw:2,0)", channels=4, rates_hz=(16_000,))
TENTH = FakeDevice("USB Audio: - (hw:1,10)", channels=2, rates_hz=(48_000,))
OUTPUT = FakeDevice("bcm2835 Headphones (hw:0,0)", channels=0)
PLUGIN = FakeDevice("default", channels=32, rates_hz=(16_000, 48_000))


@pytest.fixture
def system() -> FakeSoundSystem:
    """A machine with an output, two microphones and a plugin."""
    return FakeSoundSystem([OUTPUT, USB, ARRAY, PLUGIN], default=3)


def test_our_own_rate_is_preferred() -> None:
    """It stands there as a number, so that the capture process need not import numpy."""
    assert PREFERRED_RATES_HZ[0] == SAMPLE_RATE_HZ


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("usb audio", USB.name),
        ("RESPEAKER", ARRAY.name),
        ("hw:2,0", ARRAY.name),
        ("2", ARRAY.name),
        ("default", PLUGIN.name),
        (USB.name, USB.name),
    ],
)
def test_a_device_is_found_by_part_of_its_name_its_id_or_as_the_default(
    wanted: str, name: str, system: FakeSoundSystem
) -> None:
    """Upper and lower case are alike."""
    assert find_device(system, wanted).name == name


def test_an_alsa_id_is_not_part_of_a_longer_one() -> None:
    """hw:1,1 is not hw:1,10, and hw:1,10 is not hw:1,1."""
    one = FakeDevice("USB Audio: - (hw:1,1)", channels=1)
    assert find_device(FakeSoundSystem([TENTH, one]), "hw:1,1").id == 1
    assert find_device(FakeSoundSystem([TENTH, one]), "hw:1,10").id == 0


def test_several_that_fit_are_listed() -> None:
    """The user has to say more, and sees what there is to say."""
    with pytest.raises(AudioError) as caught:
        find_device(FakeSoundSystem([USB, TENTH, ARRAY]), "usb")
    assert str(caught.value) == (
        "audio.device usb fits several devices: USB Audio: - (hw:1,0) [0] (ALSA); "
        "USB Audio: - (hw:1,10) [1] (ALSA)"
    )


@pytest.mark.parametrize("wanted", ["blue yeti", "9", "0", "hw:0,0", "default"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(wanted: str) -> None:
    """Outputs do not count, not even by their number."""
    with pytest.raises(AudioError) as caught:
        find_device(FakeSoundSystem([OUTPUT, USB]), wanted)
    assert str(caught.value) == (
        f"audio.device {wanted} is not there; there is USB Audio: - (hw:1,0) [1] (ALSA)"
    )


def test_no_device_at_all_is_said() -> None:
    """An output is no microphone."""
    with pytest.raises(AudioError, match="no microphone is connected"):
        find_device(FakeSoundSystem([OUTPUT]), "usb")


@pytest.mark.parametrize(
    ("rates_hz", "opened_at"),
    [
        ((16_000, 44_100, 48_000), 16_000),
        ((32_000, 44_100, 48_000), 48_000),
        ((32_000, 44_100), 32_000),
        ((44_100, 96_000), 44_100),
        ((22_050,), 22_050),
    ],
)
def test_the_best_rate_that_a_device_can_is_taken(
    rates_hz: tuple[int, ...], opened_at: int
) -> None:
    """16 kHz needs no resampling; 48 and 32 resample well; then 44.1, then its own."""
    system = FakeSoundSystem([FakeDevice("mic", channels=1, rates_hz=rates_hz)])
    assert choose_format(system, find_device(system, "mic"), "mix").rate_hz == opened_at


@pytest.mark.parametrize(
    ("channels", "accepts", "channel", "opened_with"),
    [
        (1, None, "mix", 1),
        (4, None, "mix", 4),
        (32, None, "mix", 1),
        (32, lambda count: count >= 2, "mix", 2),
        (18, lambda count: count == 18, "mix", 18),
        (2, lambda count: count == 2, 1, 2),
        (4, None, 1, 1),
        (4, None, 3, 3),
        (6, lambda count: count == 6, 3, 6),
    ],
)
def test_the_channels_that_are_needed_are_opened(
    channels: int,
    accepts: Callable[[int], bool] | None,
    channel: int,
    opened_with: int,
) -> None:
    """Some cards insist on two channels or on all; a plugin with 32 mixes to one by itself."""
    device = FakeDevice("mic", channels=channels, accepts=accepts or (lambda _: True))
    system = FakeSoundSystem([device])
    chosen = choose_format(system, find_device(system, "mic"), channel)
    assert chosen == Format(16_000, opened_with)


def test_a_channel_that_is_not_there_is_refused() -> None:
    """Before anything is opened."""
    system = FakeSoundSystem([USB])
    with pytest.raises(AudioError, match=r"USB Audio: - \(hw:1,0\) \[0\] has no channel 2"):
        choose_format(system, find_device(system, "usb"), 2)


def test_a_device_that_is_taken_says_so_with_portaudios_words() -> None:
    """A raw device can be opened once."""
    system = FakeSoundSystem([FakeDevice("mic", channels=1, busy=True)])
    with pytest.raises(AudioError, match="another program may be using it: Device unavailable"):
        choose_format(system, find_device(system, "mic"), "mix")


def test_devices_are_listed_with_the_rates_they_accept(system: FakeSoundSystem) -> None:
    """Inputs only; the list also makes a JSON document."""
    listed = list_devices(lambda: system)
    assert [(device.id, device.channels, device.rates_hz) for device in listed] == [
        (1, 1, (44_100, 48_000)),
        (2, 4, (16_000,)),
        (3, 32, (16_000, 48_000)),
    ]
    assert json.loads(json.dumps(listed[0].as_dict())) == {
        "id": 1,
        "name": "USB Audio: - (hw:1,0)",
        "host_api": "ALSA",
        "channels": 1,
        "default_rate_hz": 44_100,
        "rates_hz": [44_100, 48_000],
    }


def test_the_check_tells_what_was_opened_and_how_loud_it_is(clock: HandClock) -> None:
    """One line for the doctor."""
    system = FakeSoundSystem([USB])
    said: list[Checked] = []
    checking = threading.Thread(
        target=lambda: said.append(
            open_check(AudioConfig(device="usb"), clock=clock, load=lambda: system)
        )
    )
    checking.start()
    stream = system.opened.next()
    for number in range(10):
        stream.deliver(noise(0.3, seed=number))  # 4800 samples
    checking.join(10)
    assert [str(one) for one in said] == [
        "USB Audio: - (hw:1,0) [0] at 48000 Hz, 1 channel, level -20.0 dBFS"
    ]
    assert said[0].level_dbfs == pytest.approx(-20.0, abs=0.2)
    assert stream.closed


def test_the_check_says_why_a_device_cannot_be_opened(clock: HandClock) -> None:
    """The same line as in the log."""
    with pytest.raises(AudioError, match="device blue is not there; there is USB"):
        open_check(AudioConfig(device="blue"), clock=clock, load=lambda: FakeSoundSystem([USB]))


HASTY = Limits(open_s=0.1, close_s=0.1, list_s=0.1)


def test_the_check_does_not_wait_for_a_device_that_hangs(clock: HandClock) -> None:
    """As with a stopped sound server."""
    system = FakeSoundSystem([USB])
    system.may_open.clear()
    config = AudioConfig(device="usb")
    with pytest.raises(AudioError, match=r"the sound system hangs: no answer within 0\.1 s"):
        open_check(config, clock=clock, load=lambda: system, limits=HASTY)
    system.may_open.set()


def test_listing_does_not_wait_for_a_sound_system_that_hangs() -> None:
    """It may hang as soon as it is loaded."""
    answering = threading.Event()

    def load() -> FakeSoundSystem:
        answering.wait(30)
        return FakeSoundSystem([])

    with pytest.raises(AudioError, match="the sound system hangs"):
        list_devices(load, limits=HASTY)
    answering.set()


def test_devices_that_portaudio_cannot_list_are_one_line(system: FakeSoundSystem) -> None:
    """PortAudio's words without a traceback."""
    system.failing.add("query")
    with pytest.raises(AudioError, match=r"^the sound system fails: query fails \[PaErrorCode"):
        list_devices(lambda: system)


def test_portaudio_that_cannot_begin_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is initialised while sounddevice is imported, which raises an error of its own."""

    class Finder:
        """Finds sounddevice, and fails as it does."""

        def find_spec(self, name: str, *_: object) -> None:
            """Fail in its stead."""
            if name == "sounddevice":
                raise FakePortAudioError("Error initializing PortAudio:\nUnanticipated host error")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(AudioError, match=r"^the sound system fails: Error init.*PortAudio: Unan"):
        load_sound_system()


def test_the_real_sound_system_is_loaded_or_its_remedy_told() -> None:
    """Either way there is no traceback."""
    try:
        system = load_sound_system()
    except AudioError as error:
        told = str(error)
    else:
        told = system.PortAudioError.__name__
    assert told == "PortAudioError" or "libportaudio2" in told
