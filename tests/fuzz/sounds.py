"""Targets: audio files, through libsndfile, and raw samples from a pipe."""

import io
import logging
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from detector.audio.file import FileSource
from detector.audio.stdin import StreamSource
from detector.core.audio import Block, End, Samples, Source
from detector.core.errors import AudioError
from detector.service.clock import SystemClock
from tests.fuzz.mutations import damaged_bytes, overwritten
from tests.fuzz.target import Target, require

MOST_BLOCKS = 4000
"""A small file that goes on for longer, an hour and more, was not read but made up."""


class SoundFiles(Target):
    """Blocks of finite samples in order and then the end, or an AudioError in one line."""

    name = "sound_file"
    most_growth_mb = 128.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._path = folder / "sound"
        self._bases = [_written(_recording(), *form) for form in _FORMS]

    def make(self, rng: random.Random) -> bytes:
        """The content of an audio file."""
        base = rng.choice(self._bases)
        kind = rng.random()
        if kind < 0.5:
            return overwritten(base, rng, range(min(len(base), 120)), most=4)
        if kind < 0.9:
            return damaged_bytes(base, rng)
        if kind < 0.95:
            return base[: rng.randrange(len(base))]
        return base[:64] + rng.randbytes(rng.randint(0, 2000))

    def feed(self, made: bytes) -> bool:
        """Hear it to its end."""
        self._path.write_bytes(made)
        source = FileSource(self._path, realtime=False, channel="mix", clock=SystemClock())
        return _hear(source)


class SamplePipe(Target):
    """Raw samples of any length, in pieces of any length, at any rate."""

    name = "stdin"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)

    def make(self, rng: random.Random) -> tuple[bytes, list[int], int, int, int | None]:
        """Bytes, where they are divided, and what they are said to be."""
        content = rng.randbytes(
            rng.choice((0, 1, 2, 3, rng.randint(0, 5000), rng.randint(0, 60_000)))
        )
        cuts = sorted(rng.randrange(len(content) + 1) for _ in range(rng.randint(0, 5)))
        rate_hz = rng.choice(
            (4000, 8000, 11025, 16_000, 22_050, 44_100, 48_000, 384_000, rng.randint(4000, 384_000))
        )
        channels = rng.choice((1, 1, 2, 3, 8, rng.randint(1, 32)))
        return content, cuts, rate_hz, channels, rng.choice((None, None, 1, channels, channels + 1))

    def feed(self, made: tuple[bytes, list[int], int, int, int | None]) -> bool:
        """Hear it to its end."""
        content, cuts, rate_hz, channels, channel = made
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream:
            source = StreamSource(
                stream, rate_hz=rate_hz, channels=channels, channel=channel or "mix",
                clock=SystemClock(),
            )  # fmt: skip
            pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
            return _hear(source, _Feeder(writing, pieces))


class _Feeder:
    """Writes pieces into a pipe, one at a time, and closes it behind the last."""

    def __init__(self, descriptor: int, pieces: list[bytes]) -> None:
        self._descriptor = descriptor
        self._pieces = pieces

    def step(self) -> None:
        """The next piece."""
        if self._pieces:
            os.write(self._descriptor, self._pieces.pop(0))
            if not self._pieces:
                os.close(self._descriptor)

    def close(self) -> None:
        """Whatever is left is not written."""
        if self._pieces:
            self._pieces.clear()
            os.close(self._descriptor)


def _hear(source: Source, feeder: _Feeder | None = None) -> bool:
    try:
        source.start()
        for _ in range(MOST_BLOCKS):
            if feeder is not None:
                feeder.step()
            item = source.read(0.0)
            if isinstance(item, End):
                return True
            if isinstance(item, Block):
                _check(item.samples)
    except AudioError as error:
        line = str(error)
        require(len(line.splitlines()) == 1 and len(line) < 500, f"a refusal: {line[:500]!r}")
        return False
    finally:
        source.stop()
        if feeder is not None:
            feeder.close()
    raise AssertionError("it has no end")


def _check(samples: Samples) -> None:
    require(samples.dtype == np.float32 and samples.ndim == 1, "no mono samples")
    require(np.isfinite(samples).all(), "samples that are not numbers")
    require(len(samples) <= 400_000, f"a block of {len(samples)} samples")


_FORMS: tuple[tuple[Any, ...], ...] = (
    ("WAV", "PCM_16", 16_000, 1), ("WAV", "PCM_24", 44_100, 2), ("WAV", "FLOAT", 48_000, 1),
    ("WAV", "IMA_ADPCM", 8000, 1), ("WAV", "ULAW", 8000, 2), ("WAVEX", "PCM_16", 16_000, 4),
    ("FLAC", "PCM_16", 16_000, 1), ("FLAC", "PCM_24", 48_000, 2), ("OGG", "VORBIS", 16_000, 1),
    ("OGG", "OPUS", 48_000, 1), ("MP3", "MPEG_LAYER_III", 16_000, 1),
    ("MP3", "MPEG_LAYER_III", 44_100, 2), ("AIFF", "PCM_16", 22_050, 1),
    ("CAF", "ALAC_16", 44_100, 1), ("RF64", "PCM_16", 16_000, 1), ("W64", "FLOAT", 16_000, 1),
    ("AU", "PCM_16", 16_000, 1),
)  # fmt: skip


def _recording() -> Samples:
    """A quarter of a second of a real recording where there are any, else of noise and a tone."""
    folder = os.environ.get("DETECTOR_AUDIO")
    if folder:
        path = min(Path(folder).glob("*/*.flac"))
        samples: Samples = soundfile.read(path, dtype="float32", frames=4000)[0]
        return samples
    noise = np.random.default_rng(0).normal(0.0, 0.05, 4000)
    tone: Samples = (noise + 0.3 * np.sin(np.arange(4000) * 0.3)).astype(np.float32)
    return tone


def _written(samples: Samples, form: str, subtype: str, rate_hz: int, channels: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(
        file, np.repeat(samples[:, None], channels, axis=1), rate_hz, format=form, subtype=subtype
    )
    return file.getvalue()
