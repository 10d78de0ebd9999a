"""Recordings read into memory."""

from pathlib import Path

import numpy as np

from detector.audio.file import FileSource
from detector.core.audio import Block, End, Samples
from detector.core.errors import AudioError
from detector.service.clock import SystemClock

_READ_TIMEOUT_S = 5.0


def read_samples(path: Path) -> Samples:
    """A whole recording as the daemon would hear it: 16 kHz, mono, shape (n,).

    Raises AudioError for what cannot be read or is damaged.
    """
    source = FileSource(path, realtime=False, channel="mix", clock=SystemClock())
    parts: list[Samples] = []
    try:
        source.start()
        while not isinstance(item := source.read(_READ_TIMEOUT_S), End):
            if isinstance(item, Block):
                parts.append(item.samples)
    finally:
        source.stop()
    if not parts:
        raise AudioError(f"{path} holds no audio")
    return np.concatenate(parts)


def check_opens(path: Path) -> None:
    """Raise AudioError for what is no recording, without decoding all of it."""
    source = FileSource(path, realtime=False, channel="mix", clock=SystemClock())
    try:
        source.start()
    finally:
        source.stop()
