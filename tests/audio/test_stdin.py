"""Raw samples from a pipe."""

import logging
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest

from detector.audio.stdin import StreamSource
from detector.core.audio import Block, End
from detector.core.errors import AudioError
from tests.audio.tools import hear, strongest_hz, tone
from tests.clocks import HandClock


class Pipe:
    """A pipe's two ends."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.reading: BinaryIO = os.fdopen(reading, "rb")
        self.writing: BinaryIO = os.fdopen(writing, "wb", buffering=0)


class Redirected:
    """Whatever a shell has put on standard input."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def isatty(self) -> bool:
        """No."""
        return False

    def fileno(self) -> int:
        """The descriptor itself."""
        return self._descriptor


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that is closed after the test."""
    made = Pipe()
    yield made
    made.reading.close()
    made.writing.close()


def raw(samples: np.ndarray) -> bytes:
    """Signed 16-bit little-endian."""
    return (samples * 32_767).astype("<i2").tobytes()


def source_of(
    stream: BinaryIO, clock: HandClock, *, rate_hz: int = 16_000, channels: int = 1
) -> StreamSource:
    """A source with the channels mixed."""
    return StreamSource(stream, rate_hz=rate_hz, channels=channels, channel="mix", clock=clock)


def test_what_is_piped_in_is_heard(pipe: Pipe, clock: HandClock) -> None:
    """More than a pipe holds, so that both sides have to wait for each other."""
    sound = tone(1000, 8.0)
    writer = threading.Thread(target=lambda: (pipe.writing.write(raw(sound)), pipe.writing.close()))
    writer.start()
    heard = hear(source_of(pipe.reading, clock))
    writer.join()
    assert len(heard) == len(sound)
    assert np.max(np.abs(heard - sound)) < 1e-3


def test_other_rates_and_channels_are_brought_to_16_khz_mono(pipe: Pipe, clock: HandClock) -> None:
    """44.1 kHz stereo, interleaved."""
    sound = tone(1000, 0.3, rate_hz=44_100)
    pipe.writing.write(raw(np.stack([sound, sound], axis=1)))
    pipe.writing.close()
    heard = hear(source_of(pipe.reading, clock, rate_hz=44_100, channels=2))
    assert len(heard) == 4800
    assert strongest_hz(heard) == pytest.approx(1000, abs=5)


def test_a_pause_is_none_and_loses_nothing(pipe: Pipe, clock: HandClock) -> None:
    """The reader gets its thread back, and goes on where it was."""
    source = source_of(pipe.reading, clock)
    source.start()
    assert source.read(0.01) is None
    pipe.writing.write(raw(tone(440, 0.1)))
    block = source.read(5.0)
    assert isinstance(block, Block)
    assert len(block.samples) == 1600
    assert block.captured_monotonic_s == clock.now_s
    assert source.read(0.01) is None


def test_a_sample_in_two_pieces_is_one_sample(pipe: Pipe, clock: HandClock) -> None:
    """A pipe knows nothing of samples."""
    source = source_of(pipe.reading, clock, channels=2)
    source.start()
    pipe.writing.write(b"\x00\x40\x00")
    assert source.read(0.01) is None
    pipe.writing.write(b"\x40")
    block = source.read(5.0)
    assert isinstance(block, Block)
    assert block.samples.tolist() == [0.5]


def test_odd_bytes_at_the_end_are_dropped_and_said_once(
    pipe: Pipe, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The last sample of a killed recorder may be cut in two."""
    pipe.writing.write(raw(tone(440, 0.1)) + b"\x01")
    pipe.writing.close()
    source = source_of(pipe.reading, clock)
    with caplog.at_level(logging.WARNING):
        assert len(hear(source)) == 1600
        assert [source.read(0), source.read(0)] == [End("standard input ended")] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "standard input ended within a sample: 1 bytes dropped"
    ]


@pytest.mark.parametrize("content", [b"", b"\x01"])
def test_an_input_without_audio_is_an_error_that_tells_the_remedy(
    content: bytes, pipe: Pipe, clock: HandClock
) -> None:
    """The recorder before the pipe has failed; its user should look there."""
    pipe.writing.write(content)
    pipe.writing.close()
    source = source_of(pipe.reading, clock)
    source.start()
    with pytest.raises(
        AudioError, match=r"^standard input ended before any audio arrived: pipe in"
    ):
        source.read(1.0)


def test_an_input_that_cannot_be_read_is_one_line(tmp_path: Path, clock: HandClock) -> None:
    """A folder, or a file opened for writing only, as ``detector --stdin 0>file`` gives it."""
    for path, flags, reason in (
        (tmp_path, os.O_RDONLY, "Is a directory"),
        (tmp_path / "new", os.O_WRONLY | os.O_CREAT, "Bad file descriptor"),
    ):
        descriptor = os.open(path, flags)
        stream = cast(BinaryIO, Redirected(descriptor))
        source = source_of(stream, clock)
        source.start()
        with pytest.raises(AudioError, match=f"^standard input cannot be read: {reason}$"):
            source.read(1.0)
        os.close(descriptor)


def test_a_terminal_is_refused_at_once(clock: HandClock) -> None:
    """Nobody types samples."""
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "rb") as stream, pytest.raises(AudioError, match="is a terminal"):
        source_of(stream, clock).start()
    os.close(controller)


def test_a_file_can_be_redirected_in(tmp_path: Path, clock: HandClock) -> None:
    """A file on standard input is no pipe, and never makes anybody wait."""
    path = tmp_path / "a.raw"
    path.write_bytes(raw(tone(440, 1.0)))
    with path.open("rb") as stream:
        assert len(hear(source_of(stream, clock))) == 16_000


def test_it_waits_for_its_reader(clock: HandClock) -> None:
    """Back-pressure: a recorder that is faster than the reader is stopped by the pipe."""
    script = "import sys; [sys.stdout.buffer.write(bytes(32000)) for _ in range(60)]"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert len(hear(source_of(cast(BinaryIO, process.stdout), clock))) == 60 * 16_000
