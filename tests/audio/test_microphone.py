"""The microphone's life with a sound system that does what the test wants."""

import logging
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import numpy as np
import pytest

from detector.audio.devices import SoundSystem
from detector.audio.microphone import MicrophoneSource, Patience
from detector.audio.process import Ear, Launch
from detector.audio.ring import RingBuffer
from detector.audio.wire import Message
from detector.config.schema import AudioConfig
from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, GapCause
from detector.core.errors import AudioError
from tests.audio.fake_sound import FakeDevice, FakeEar, FakeSoundSystem, FakeStream
from tests.audio.tools import strongest_hz, tone
from tests.clocks import HandClock

MIC = FakeDevice("USB Audio: - (hw:1,0)", channels=1)
IMPATIENT = Patience(poll_s=0.01, retry_s=(0.01, 0.02))

Make = Callable[..., MicrophoneSource]


@pytest.fixture
def system() -> FakeSoundSystem:
    """One microphone."""
    return FakeSoundSystem([MIC])


@pytest.fixture
def make(system: FakeSoundSystem, clock: HandClock) -> Iterator[Make]:
    """Makes sources that are stopped after the test."""
    made: list[MicrophoneSource] = []

    def make(
        *,
        load: Callable[[], SoundSystem] = system.load,
        device: str = "usb",
        launch: Launch | None = None,
    ) -> MicrophoneSource:
        source = MicrophoneSource(
            AudioConfig(device=device, block_seconds=0.1),
            ring=RingBuffer(120, 16_000, 120),
            clock=clock,
            launch=launch or (lambda config: FakeEar(config, load, clock.monotonic)),
            patience=IMPATIENT,
        )
        made.append(source)
        return source

    yield make
    system.may_close.set()
    system.may_open.set()
    for source in made:
        source.stop()


def heard_by(config: AudioConfig, system: FakeSoundSystem, clock: HandClock) -> Ear:
    """An ear in a fake sound system."""
    return FakeEar(config, system.load, clock.monotonic)


def deliver(stream: FakeStream, clock: HandClock, seconds: float = 0.1) -> None:
    """A callback with a tone, of the length that was asked for, when it is due."""
    clock.advance(seconds)
    stream.deliver(tone(1000, seconds, rate_hz=stream.settings["samplerate"]))


def read_block(source: MicrophoneSource) -> Block:
    """The next item, which must be a block."""
    item = source.read(10.0)
    assert isinstance(item, Block)
    return item


def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log says so."""
    waiting = threading.Event()
    for _ in range(1000):
        if text in caplog.text:
            return
        waiting.wait(0.01)
    raise AssertionError(f"{text!r} is not in the log")


def until_described(source: MicrophoneSource, text: str) -> None:
    """Wait until the source says so of itself."""
    waiting = threading.Event()
    for _ in range(1000):
        if text in source.status.description:
            return
        waiting.wait(0.01)
    raise AssertionError(f"{text!r} is not in {source.status.description!r}")


def test_what_the_microphone_hears_comes_out(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Samples, time, place and name; and the stream is opened as it was configured."""
    source = make()
    source.start()
    stream = system.opened.next()
    assert stream.settings["samplerate"] == 16_000
    assert stream.settings["blocksize"] == 1600
    assert stream.settings["latency"] == 0.3
    deliver(stream, clock)
    block = read_block(source)
    assert np.array_equal(block.samples, tone(1000, 0.1))
    assert block.captured_monotonic_s == pytest.approx(clock.now_s)
    assert source.live
    assert source.status.available
    assert source.status.description == "USB Audio: - (hw:1,0) [0] at 16000 Hz, 1 channel"
    assert source.status.device == "USB Audio: - (hw:1,0)"


def test_a_card_that_insists_on_44_1_khz_stereo_is_heard_at_16_khz_mono(
    make: Make, clock: HandClock
) -> None:
    """Mixed and resampled before the ring."""
    card = FakeDevice("USB", channels=2, rates_hz=(44_100,), accepts=lambda count: count == 2)
    system = FakeSoundSystem([card])
    source = make(load=system.load)
    source.start()
    stream = system.opened.next()
    began_s = clock.now_s
    for _ in range(20):
        deliver(stream, clock)
    heard = [read_block(source)]
    while heard[-1].end_sample < 31_000:  # the last ones are still in the resampler
        heard.append(read_block(source))
    samples = np.concatenate([block.samples for block in heard])
    assert strongest_hz(samples) == pytest.approx(1000, abs=1)
    due_s = began_s + heard[-1].end_sample / SAMPLE_RATE_HZ
    assert heard[-1].captured_monotonic_s == pytest.approx(due_s, abs=0.001)


def test_a_missing_device_is_a_state_and_is_heard_once_it_is_there(
    make: Make, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Start raises nothing; the log says it once however often it is tried."""
    system = FakeSoundSystem([])
    with caplog.at_level(logging.WARNING):
        source = make(load=system.load)
        source.start()
        until_described(source, "no microphone is connected; audio.device is usb")
        while system.initialisations < 5:
            assert source.read(0.01) is None
        system.connected.append(MIC)
        deliver(system.opened.next(), clock)
    block = read_block(source)
    assert block.start_sample == 0
    assert source.status.available
    assert [record.getMessage() for record in caplog.records] == [
        "no microphone: no microphone is connected; audio.device is usb"
    ]


def test_an_unplugged_microphone_is_lost_and_found_with_a_gap_of_its_absence(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Raw devices give no error when they are pulled out: the callbacks just end."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    first = read_block(source)
    system.connected.clear()
    clock.advance(5.0)
    until_described(source, "no microphone is connected")
    assert not source.status.available
    assert stream.closed
    clock.advance(54.9)
    system.connected.extend([FakeDevice("another", channels=1), MIC])
    again = system.opened.next()
    assert again.settings["device"] == 1  # found by its name at another place
    deliver(again, clock)
    absence = 59.9 * SAMPLE_RATE_HZ
    gap = source.read(10.0)
    assert isinstance(gap, Gap)
    assert gap.cause is GapCause.SOURCE_LOST
    assert gap.samples_lost == pytest.approx(absence, abs=2)
    assert read_block(source).start_sample == first.end_sample + gap.samples_lost
    assert source.status.available


def test_a_stream_that_ends_by_itself_is_opened_anew(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a sound server dies."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    read_block(source)
    with caplog.at_level(logging.WARNING):
        stream.active = False
        again = system.opened.next()
    assert stream.closed
    assert "(hw:1,0) [0]: the sound system ended the stream" in caplog.text
    deliver(again, clock)
    assert isinstance(source.read(10.0), Gap)


def test_a_device_that_opens_but_stays_mute_is_not_called_available(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Opened is not heard; it is closed and tried anew."""
    source = make()
    source.start()
    stream = system.opened.next()
    assert not source.status.available
    clock.advance(5.0)
    system.opened.next()
    assert stream.closed
    assert source.status.description == "USB Audio: - (hw:1,0) [0]: no audio for 5 s"


def test_a_device_that_falls_mute_is_opened_anew_and_stays_available(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is there: whether it is stalled is told by who counts 10 s without a block."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    read_block(source)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.advance(5.0)
            again = system.opened.next()
            assert source.status.available
            assert source.status.description.endswith("[0]: no audio for 5 s")
    assert stream.closed
    assert len(caplog.records) == 1
    deliver(again, clock)
    gap = source.read(10.0)
    assert isinstance(gap, Gap)
    assert gap.samples_lost == pytest.approx(15 * SAMPLE_RATE_HZ, abs=2)
    until_described(source, "at 16000 Hz")


def test_a_device_whose_callbacks_all_fail_is_lost_and_says_why(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """They come, but they bring nothing."""
    source = make()
    source.start()
    stream = system.opened.next()
    clock.advance(4.9)
    stream.deliver(tone(1000, 0.2))  # twice what was asked for
    until_logged(caplog, "a callback failed, a bug")
    clock.advance(0.1)
    until_described(source, "no audio for 5 s; a callback failed, a bug: ValueError('mem")


def test_lost_input_is_a_gap_and_is_counted(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """PortAudio's overflow flag: half a second is missing."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    assert read_block(source).end_sample == 1600
    clock.advance(0.6)
    stream.deliver(tone(1000, 0.1), overflow=True)
    gap = source.read(10.0)
    assert isinstance(gap, Gap)
    assert gap.cause is GapCause.OVERFLOW
    assert gap.samples_lost == pytest.approx(8000, abs=1)
    read_block(source)
    assert source.status.overflows == 1


def test_an_exception_in_the_callback_does_not_end_the_stream_and_its_audio_is_a_gap(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """PortAudio would end the stream and tell nobody."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    read_block(source)
    stream.deliver(tone(1000, 0.2))  # twice what was asked for: no slot is that long
    deliver(stream, clock)
    assert source.read(10.0) == Gap(1600, 3200, GapCause.OVERFLOW)


@pytest.mark.parametrize("failing", ["open", "start", "query"])
def test_portaudio_that_fails_is_tried_again(
    failing: str, make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Its words reach the status in one line."""
    system.failing.add(failing)
    source = make()
    source.start()
    until_described(source, f"audio.device usb fails: {failing} fails [PaErrorCode -9999]")
    system.failing.clear()
    deliver(system.opened.next(), clock)
    read_block(source)


def test_portaudio_that_cannot_tell_of_a_stream_has_lost_it(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """That is the sound system's fault, and no traceback of ours."""
    source = make()
    source.start()
    system.opened.next()
    system.failing.add("active")
    until_described(source, "(hw:1,0) [0] fails: active fails [PaErrorCode -9999]")
    system.failing.clear()
    deliver(system.opened.next(), clock)
    read_block(source)
    assert "Bug" not in caplog.text


def test_portaudio_that_cannot_begin_anew_is_tried_again(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Whatever fails on the way back, it goes on trying."""
    source = make()
    source.start()
    first = system.opened.next()
    system.failing.add("initialise")
    first.active = False
    until_described(source, "the sound system fails: initialise fails")
    system.failing.clear()
    deliver(system.opened.next(), clock)
    read_block(source)


def test_a_defect_of_ours_does_not_end_the_hearing(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback, and hearing begins anew."""
    calls = iter([ZeroDivisionError("a defect")])

    def load() -> SoundSystem:
        for defect in calls:
            raise defect
        return system

    source = make(load=load)
    source.start()
    deliver(system.opened.next(), clock)
    read_block(source)
    assert "bug: hearing failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_missing_portaudio_names_its_package_and_is_found_once_installed(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """No restart is needed after apt."""
    installed = threading.Event()

    def load() -> SoundSystem:
        if not installed.is_set():
            raise AudioError("PortAudio is missing: apt install libportaudio2")
        return system

    source = make(load=load)
    source.start()
    until_described(source, "apt install libportaudio2")
    installed.set()
    deliver(system.opened.next(), clock)
    read_block(source)


def test_a_sound_system_that_hangs_in_opening_is_left_and_tried_again(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """As a stopped PulseAudio does; no restart of ours is needed."""
    launched: SimpleQueue[Ear] = SimpleQueue()

    def launch(config: AudioConfig) -> Ear:
        ear = heard_by(config, system, clock)
        launched.put(ear)
        return ear

    system.may_open.clear()
    source = make(launch=launch)
    source.start()
    launched.get(timeout=10)
    clock.advance(20.0)
    launched.get(timeout=10)
    assert source.status.description == "the sound system hangs: no answer within 20 s"
    assert not source.status.available
    system.may_open.set()
    for _ in range(2):  # what was left behind opens as well, for nobody
        deliver(system.opened.next(), clock)
    read_block(source)


def test_a_sound_system_that_hangs_in_loading_is_left_and_tried_again(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """PortAudio looks for devices then, and asks every sound server."""
    answering, asked = threading.Event(), threading.Event()

    def load() -> SoundSystem:
        if not asked.is_set():
            asked.set()
            answering.wait(30)
            raise AudioError("too late")
        return system.load()

    source = make(load=load)
    source.start()
    assert asked.wait(10)
    clock.advance(20.0)
    deliver(system.opened.next(), clock)
    read_block(source)
    answering.set()


def test_a_sound_system_that_hangs_in_closing_is_left_and_told(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Why the stream ended is told before it is closed, and the next process hears again."""
    source = make()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    read_block(source)
    system.may_close.clear()
    stream.active = False
    deliver(system.opened.next(), clock)
    assert isinstance(source.read(10.0), Gap)
    read_block(source)
    assert "[0]: the sound system ended the stream" in caplog.text
    assert not stream.closed


class LostEar:
    """A capture process that is gone as soon as it is looked at."""

    def next(self, timeout_s: float) -> Message | None:  # noqa: ARG002 - it need not wait
        """Nothing will come."""
        raise EOFError

    def end(self) -> str:
        """As an assertion in PortAudio ends it."""
        return "was ended by SIGABRT: Assertion `pfds' failed"


def test_a_capture_process_that_dies_is_followed_by_another(
    make: Make, system: FakeSoundSystem, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its last word is told once, however often it dies."""
    lost: list[Ear] = [LostEar() for _ in range(5)]
    source = make(launch=lambda config: lost.pop() if lost else heard_by(config, system, clock))
    source.start()
    deliver(system.opened.next(), clock)
    read_block(source)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "no microphone: the capture process was ended by SIGABRT: Assertion `pfds' failed"
    ]


def test_a_machine_without_room_for_a_process_is_asked_again(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """Processes run out for a while; hearing outlives that."""
    full = threading.Event()

    def launch(config: AudioConfig) -> Ear:
        if not full.is_set():
            raise AudioError("the capture process cannot be started: EAGAIN")
        return heard_by(config, system, clock)

    source = make(launch=launch)
    source.start()
    until_described(source, "cannot be started")
    assert not source.status.available
    full.set()
    deliver(system.opened.next(), clock)
    read_block(source)


def test_stopping_releases_the_device_and_ends_the_reading(
    make: Make, system: FakeSoundSystem, clock: HandClock
) -> None:
    """What was heard is still handed over; start and stop twice do no harm."""
    source = make()
    source.start()
    source.start()
    stream = system.opened.next()
    deliver(stream, clock)
    read_block(source)
    source.stop()
    source.stop()
    assert stream.closed
    assert source.read(0) == End("stopped")
    assert not source.status.available
    assert not any(thread.name == "detector-source" for thread in threading.enumerate())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_never_waits_for_a_thread_that_is_gone(make: Make) -> None:
    """It ends the daemon, which begins anew: better than deaf for good."""

    def launch(_config: AudioConfig) -> Ear:
        raise SystemExit  # what no handler of ours takes

    source = make(launch=launch)
    source.start()
    assert isinstance(source.read(5.0), End)
    assert not source.status.available


def test_stopping_before_starting_is_harmless(make: Make) -> None:
    """A service that fails on its way up stops everything."""
    source = make()
    source.stop()
    assert source.read(0) == End("stopped")
