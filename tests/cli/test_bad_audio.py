"""Audio that cannot be heard, or only just: one clear line and code 4, or business as usual."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.audio.tools import Room
from tests.cli.tools import KNOCK, Commands, knocking, s16, wav


def raw(folder: Path, content: bytes) -> Path:
    """A file that is called WAV."""
    path = folder / "bad.wav"
    path.write_bytes(content)
    return path


def cut(folder: Path) -> Path:
    """A recording of 4 s that breaks off after 1."""
    path = wav(folder / "bad.wav", knocking(), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:32_044])
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "absent": (lambda folder: folder / "bad.wav", "cannot be opened: No such file or directory"),
    "a folder": (lambda folder: folder, "is a directory, not an audio file"),
    "a device": (lambda _folder: Path("/dev/null"), "is not a file"),
    "empty": (partial(raw, content=b""), "is empty: 0 bytes"),
    "no audio": (partial(raw, content=b"Dear diary,\n" * 500), "cannot be decoded"),
    "zeros": (partial(raw, content=bytes(5000)), "cannot be decoded"),
    "a header alone": (
        lambda folder: wav(folder / "bad.wav", np.zeros(0, np.float32)),
        "holds no audio",
    ),
    "truncated": (cut, "is damaged or truncated: it ends after 1.0 s of 4.0 s"),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_clear_line(
    detector: Commands, tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    """With its path and what is wrong with it."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    path = make(folder)
    line = detector("classify", path).failed(4)
    assert line.startswith(str(path))
    assert said in line


@pytest.mark.parametrize("kind", ["absent", "truncated"])
def test_a_bad_file_ends_the_daemon(detector: Commands, tmp_path: Path, kind: str) -> None:
    """Unlike a microphone, it will not get better."""
    make, said = BAD[kind]
    path = make(tmp_path)
    line = detector.process("run", "--file", path).failed(4)
    assert line.startswith(str(path))
    assert said in line


def test_a_file_that_breaks_off_while_one_listens_is_told(
    detector: Commands, tmp_path: Path
) -> None:
    """After all that could be heard."""
    outcome = detector("listen", "--json", "--file", cut(tmp_path))
    assert "it ends after 1.0 s of 4.0 s" in outcome.failed(4)
    assert '"end_s": 0.98' in outcome.out


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 96_000, 192_000])
def test_any_usual_rate_is_heard(detector: Commands, tmp_path: Path, rate_hz: int) -> None:
    """The same knock, whatever the rate."""
    index = np.arange(4 * rate_hz) * 16_000 // rate_hz
    path = wav(tmp_path / "any.wav", knocking()[index], rate_hz)
    outcome = detector("classify", path)
    assert outcome.code == 0
    assert "knock_ended" in outcome.out


@pytest.mark.parametrize("rate_hz", [1, 100, 3_000_000])
def test_a_rate_at_which_nobody_records_is_survived(
    detector: Commands, tmp_path: Path, rate_hz: int
) -> None:
    """Heard, or told in one line; never a traceback."""
    outcome = detector("classify", wav(tmp_path / "odd.wav", knocking(0.05), rate_hz))
    assert "Traceback" not in outcome.err
    assert outcome.code == 0 or outcome.failed(4)


def test_a_channel_that_the_file_does_not_have_is_told(detector: Commands, recording: Path) -> None:
    """With the number of those there are."""
    config = detector.config(KNOCK + "audio: {channel: 3}\n")
    line = detector("classify", "--config", config, recording).failed(4)
    assert "channel" in line
    assert "3" in line


def test_samples_that_are_no_numbers_or_beyond_full_scale_are_survived(
    detector: Commands, tmp_path: Path
) -> None:
    """NaN and infinity are silence, what is too loud is full scale; the knock is heard."""
    samples = knocking()
    samples[100:200] = np.nan
    samples[300:400] = np.inf
    samples[500:600] = -np.inf
    samples[700:800] = 1e30
    path = wav(tmp_path / "odd.wav", samples)
    outcome = detector("classify", path)
    assert outcome.code == 0
    assert "knock_ended" in outcome.out
    assert outcome.err.count("holds samples that are not numbers") == 1


def test_standard_input_without_a_byte_is_one_clear_line(detector: Commands) -> None:
    """As when the recorder before the pipe could not start."""
    line = detector.process("run", "--stdin").failed(4)
    assert line.startswith("standard input ended before any audio arrived")
    assert "arecord -t raw -f S16_LE" in line


def test_half_a_sample_is_no_audio(detector: Commands) -> None:
    """A single byte."""
    assert "before any audio" in detector.process("run", "--stdin", stdin=b"\0").failed(4)


def test_an_odd_number_of_bytes_costs_the_last_one(detector: Commands) -> None:
    """It is said, and everything else is heard."""
    outcome = detector.process("run", "--stdin", stdin=s16(knocking()) + b"\x7f")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 2
    assert "ended within a sample: 1 bytes dropped" in outcome.err


def test_random_bytes_are_heard_like_any_noise(detector: Commands) -> None:
    """A compressed stream piped in by mistake does no harm."""
    noise = np.random.default_rng(3).bytes(100_001)
    outcome = detector.process("run", "--stdin", stdin=noise)
    assert outcome.code == 0
    assert "Traceback" not in outcome.err


@pytest.fixture
def room(bare: Commands) -> Iterator[Room]:
    """A room with a real microphone in it, which our commands find."""
    if not Room.is_possible():
        pytest.skip("pulseaudio and its tools are not installed")
    with TemporaryDirectory() as folder:  # short: Unix sockets lie in it
        made = Room(Path(folder))
        made.open()
        for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"):
            bare.environment[name] = made.environment[name]
        # sounddevice's callback does what NumPy 2.5 warns of; an exception there ends the stream.
        bare.environment["PYTHONWARNINGS"] = "default"
        yield made
        made.close()


def second_microphone(room: Room) -> None:
    """Put another one into the room, whose name begins alike."""
    path = Path(room.environment["HOME"]) / ".asoundrc"
    text = path.read_text()
    path.write_text(text + text[text.index("pcm.roommic") :].replace("roommic", "roommic2"))


@pytest.mark.system
def test_a_device_that_is_not_there_is_told_with_those_that_are(
    detector: Commands, room: Room
) -> None:
    """By the doctor, who fails, and by the daemon, which goes on looking."""
    config = detector.config(KNOCK + "audio: {device: no such mic}\n")
    checked = detector.process("doctor", "--config", config)
    assert checked.code == 1
    (line,) = (line for line in checked.out.splitlines() if line.startswith("microphone"))
    assert line.startswith("microphone   FAILED   audio.device no such mic is not there; there is ")
    assert "roommic" in line
    remedy = checked.out.splitlines()[checked.out.splitlines().index(line) + 1]
    assert "`detector devices` lists what there is" in remedy
    listed = detector.process("devices")
    assert listed.code == 0
    assert "roommic" in listed.out
    heard = detector.process("listen", "--own", "--seconds", "1", "--config", config)
    assert heard.code == 0
    assert "audio.device no such mic is not there; there is " in heard.err


@pytest.mark.system
def test_a_name_that_several_devices_have_is_told_with_all_of_them(
    detector: Commands, room: Room
) -> None:
    """The whole name of one is taken all the same."""
    second_microphone(room)
    config = detector.config(KNOCK + "audio: {device: oommic}\n")
    checked = detector.process("doctor", "--config", config)
    assert checked.code == 1
    assert "FAILED   audio.device oommic fits several devices: roommic [" in checked.out
    assert "roommic2 [" in checked.out
    config = detector.config(KNOCK + "audio: {device: roommic}\n")
    whole = detector.process("doctor", "--config", config)
    assert "FAILED" not in whole.out
    assert "nothing but digital zeros" in whole.out


@pytest.mark.system
def test_listening_to_a_real_microphone_for_a_while_ends_well(
    detector: Commands, room: Room
) -> None:
    """It is a success to have listened as long as one was told to."""
    config = detector.config(KNOCK + "audio: {device: roommic}\n")
    heard = detector.process("listen", "--own", "--seconds", "5", "--config", config)
    assert heard.code == 0
    assert heard.complaints == []
    assert "knock: 0.00 < 0.50" in heard.out
