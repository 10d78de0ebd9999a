"""Audio files of all kinds, and all the ways in which they can be bad."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile

from detector.audio.file import FileSource
from detector.core.audio import Block, End, Samples
from detector.core.errors import AudioError
from tests.audio.tools import hear, items, level_db, megabytes_needed, noise, strongest_hz, tone
from tests.clocks import HandClock


def source_of(path: Path, clock: HandClock, channel: int | None = None) -> FileSource:
    """As fast as it is read."""
    return FileSource(path, realtime=False, channel=channel or "mix", clock=clock)


def written(
    path: Path, samples: Samples, rate_hz: int = 44_100, subtype: str | None = None
) -> Path:
    """An audio file of the kind its name says."""
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def cut(path: Path, share: float) -> Path:
    """The same file without its end."""
    content = path.read_bytes()
    shorter = path.with_name(f"cut-{path.name}")
    shorter.write_bytes(content[: int(len(content) * share)])
    return shorter


def failure(path: Path, clock: HandClock) -> str:
    """The one line that starting to hear a bad file gives."""
    with pytest.raises(AudioError) as caught:
        source_of(path, clock).start()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_tone_is_heard_from_each_format(
    kind: str, rate_hz: int, tmp_path: Path, clock: HandClock
) -> None:
    """Frequency, level and length are those that were written."""
    path = written(tmp_path / f"a.{kind}", tone(1000, 3.0, rate_hz=rate_hz), rate_hz)
    source = source_of(path, clock)
    heard = hear(source)
    assert len(heard) == pytest.approx(48_000, abs=1)
    assert source.duration_s == pytest.approx(3.0)
    assert strongest_hz(heard) == pytest.approx(1000, abs=1)
    assert level_db(heard[4000:-4000]) == pytest.approx(-9.03, abs=0.3)


def test_16_khz_is_heard_sample_for_sample(tmp_path: Path, clock: HandClock) -> None:
    """Blocks put together are the file."""
    samples = noise(3.21)
    path = written(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    assert np.array_equal(hear(source_of(path, clock)), samples)


def test_a_channel_can_be_chosen(tmp_path: Path, clock: HandClock) -> None:
    """Left and right are 1 and 2."""
    both = np.stack([tone(500, 1.0), tone(2000, 1.0)], axis=1)
    path = written(tmp_path / "a.wav", both, 16_000)
    assert strongest_hz(hear(source_of(path, clock, 1))) == pytest.approx(500, abs=2)
    assert strongest_hz(hear(source_of(path, clock, 2))) == pytest.approx(2000, abs=2)
    with pytest.raises(AudioError, match="has no channel 3"):
        source_of(path, clock, 3).start()


def test_in_real_time_it_takes_its_time(tmp_path: Path, clock: HandClock) -> None:
    """Two seconds of file move the clock by two seconds."""
    path = written(tmp_path / "a.wav", tone(440, 2.0, rate_hz=44_100))
    source = FileSource(path, realtime=True, channel="mix", clock=clock, sleep=clock.advance)
    began_s = clock.now_s
    source.start()
    last = 0.0
    while isinstance(block := source.read(1.0), Block):
        last = block.captured_monotonic_s
    assert block == End()
    assert last - began_s == pytest.approx(2.0, abs=0.001)
    assert clock.now_s - began_s == pytest.approx(2.0, abs=0.11)


def test_samples_that_are_not_numbers_are_silence(tmp_path: Path, clock: HandClock) -> None:
    """A float WAV may hold anything."""
    samples = tone(440, 1.0)
    samples[100:200] = np.nan
    samples[300] = np.inf
    source = source_of(written(tmp_path / "a.wav", samples, 16_000, "FLOAT"), clock)
    heard = hear(source)
    assert np.isfinite(heard).all()
    assert not heard[100:200].any()
    assert not heard[300]


def test_a_file_may_be_removed_while_it_plays(tmp_path: Path, clock: HandClock) -> None:
    """What is open can be heard to its end."""
    path = written(tmp_path / "a.mp3", tone(440, 2.0), 16_000)
    source = source_of(path, clock)
    source.start()
    path.unlink()
    assert sum(len(one.samples) for one in items(source) if isinstance(one, Block)) == 32_000


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_file_that_is_refused_is_not_left_open(
    seconds: float, tmp_path: Path, clock: HandClock
) -> None:
    """Whoever tries again and again must not run out of descriptors."""
    path = written(tmp_path / "a.wav", tone(440, seconds), 16_000)
    sources = [source_of(path, clock, 2) for _ in range(10)]
    for source in sources:
        with pytest.raises(AudioError, match=r"no channel 2|holds no audio"):
            source.start()
        assert str(path) in source.status.description
    assert str(path) not in [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]


def test_a_missing_file_is_named(tmp_path: Path, clock: HandClock) -> None:
    """The operating system's own words."""
    assert failure(tmp_path / "nope.wav", clock).endswith(
        "cannot be opened: No such file or directory"
    )


def test_a_directory_is_no_file(tmp_path: Path, clock: HandClock) -> None:
    """A slip in the configuration."""
    assert "is a directory" in failure(tmp_path, clock)


def test_a_pipe_is_no_file(tmp_path: Path, clock: HandClock) -> None:
    """It must not wait for a writer that never comes."""
    os.mkfifo(tmp_path / "pipe.wav")
    assert "source: stdin" in failure(tmp_path / "pipe.wav", clock)


def test_an_empty_file_is_called_empty(tmp_path: Path, clock: HandClock) -> None:
    """0 bytes."""
    (tmp_path / "a.wav").touch()
    assert "is empty: 0 bytes" in failure(tmp_path / "a.wav", clock)


def test_a_header_without_samples_holds_no_audio(tmp_path: Path, clock: HandClock) -> None:
    """What a recorder leaves that was killed at once."""
    path = written(tmp_path / "a.wav", np.zeros(0, np.float32))
    assert "holds no audio" in failure(path, clock)


@pytest.mark.parametrize("content", [b"hello, this is text\n" * 99, bytes(5000), b"RIFF", b"fLaC"])
def test_what_is_no_audio_is_called_so(content: bytes, tmp_path: Path, clock: HandClock) -> None:
    """A text file, zeros, and headers that break off, each named .wav."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert "cannot be decoded: it is not WAV, FLAC, OGG or MP3" in failure(path, clock)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Run as a user who may not read other people's files, even when the tests run as root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(was)


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, clock: HandClock, nobody: None
) -> None:
    """Permission is not confused with absence."""
    path = tmp_path / "a.wav"
    if os.geteuid() != 65_534:
        path.touch(mode=0)  # else the folder alone is out of bounds
    assert "Permission denied" in failure(path, clock)


def until_damage(source: FileSource) -> Iterator[Block]:
    """The blocks of a damaged file; the error that follows says how far it went."""
    said = r"is damaged or truncated: it ends after \d\.\d s of 6\.\d s$"
    with pytest.raises(AudioError, match=said):
        yield from iter(lambda: cast(Block, source.read(1.0)), End())


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_a_truncated_file_is_heard_as_far_as_it_goes_and_then_refused(
    kind: str, tmp_path: Path, clock: HandClock
) -> None:
    """All that could be decoded comes first; the error says how far that was."""
    sound = np.tile(noise(1.0, amplitude=0.05), 6)
    path = cut(written(tmp_path / f"a.{kind}", sound, 16_000), 0.5)
    source = source_of(path, clock)
    source.start()
    heard = [block.end_sample for block in until_damage(source)]
    assert heard[-1] == pytest.approx(48_000, abs=16_000)
    with pytest.raises(AudioError, match="damaged or truncated"):
        source.read(1.0)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.7, 0.95])
def test_wherever_a_file_breaks_off_there_is_an_error_or_an_end(
    kind: str, share: float, tmp_path: Path, clock: HandClock
) -> None:
    """No traceback, whatever is left of it."""
    source = source_of(cut(written(tmp_path / f"a.{kind}", noise(6.0), 16_000), share), clock)
    try:
        heard = hear(source)
    except AudioError as error:
        message = str(error)
    else:
        message = ""
        assert len(heard) < 96_000
    # Only OGG does not say how long it is meant to be.
    assert message or kind == "ogg"
    assert "\n" not in message


@pytest.mark.parametrize("position", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_garbage_in_the_middle_gives_finite_audio_or_an_error(
    kind: str, position: float, tmp_path: Path, clock: HandClock
) -> None:
    """A worn SD card."""
    path = written(tmp_path / f"a.{kind}", noise(4.0), 16_000)
    content = bytearray(path.read_bytes())
    at = int(len(content) * position)
    content[at : at + 300] = np.random.default_rng(5).bytes(300)
    path.write_bytes(content)
    try:
        heard = hear(source_of(path, clock))
    except AudioError:
        return
    assert np.isfinite(heard).all()
    assert np.max(np.abs(heard)) <= 1.0


def streamed_flac(path: Path) -> Path:
    """A FLAC that does not say how long it is, as a recorder writes into a pipe."""
    content = bytearray(path.read_bytes())
    # STREAMINFO begins at byte 8; its 36-bit count of samples ends at byte 26.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    streamed = path.with_name("streamed.flac")
    streamed.write_bytes(content)
    return streamed


def streamed_wav(path: Path) -> Path:
    """A WAV that does not say how long it is, as ffmpeg and sox write into a pipe."""
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    streamed = path.with_name("streamed.wav")
    streamed.write_bytes(content)
    return streamed


def test_a_file_that_was_streamed_is_heard_to_its_end(tmp_path: Path, clock: HandClock) -> None:
    """Not knowing its own length is no damage, and no sample is lost for it."""
    samples = noise(2.5)
    for streamed in (
        streamed_flac(written(tmp_path / "a.flac", samples, 16_000)),
        streamed_wav(written(tmp_path / "a.wav", samples, 16_000)),
    ):
        source = source_of(streamed, clock)
        heard = hear(source)
        assert len(heard) == len(samples)
        assert np.max(np.abs(heard - samples)) < 1e-4
        assert source.duration_s == pytest.approx(2.5)


def test_hours_need_no_more_memory_than_seconds(tmp_path: Path) -> None:
    """One hour of 48 kHz, 346 MB once decoded, block by block."""
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", 48_000, 1) as file:
        for _ in range(360):
            file.write(np.zeros(480_000, np.int16))
    prepare = """
        import sys
        from detector.audio.file import FileSource
        from detector.core.audio import Block
        from detector.service.clock import SystemClock
        source = FileSource(Path(sys.argv[1]), realtime=False, channel="mix", clock=SystemClock())
        source.start()
        end = source.read(1.0).end_sample
        """
    work = """
        while isinstance(block := source.read(1.0), Block):
            end = block.end_sample
        assert end == 3600 * 16_000, end
        """
    assert megabytes_needed(prepare, work, str(path)) < 50


def test_stopping_while_it_is_read_is_safe(tmp_path: Path, clock: HandClock) -> None:
    """The decoder is closed once, and the reader gets the end."""
    source = source_of(written(tmp_path / "a.wav", noise(5.0), 16_000), clock)
    assert not source.status.available
    source.stop()
    source.start()
    assert source.read(1.0) == End("stopped")
    source.stop()
    assert not source.status.available
