"""Hours of a house: real recordings in an order that a seed tells, with room tone between them."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16_000
Pcm = NDArray[np.int16]


def house(recordings: Path, *, hours: float, seed: int) -> Iterator[Pcm]:
    """``hours`` of sound at 16 kHz, clip by clip, shape (n,) each; the last is cut to fit."""
    rng = random.Random(seed)
    tones = [_read(path) for path in sorted((recordings / "room_tone").glob("*.flac"))]
    clips = sorted(p for p in recordings.glob("*/*.flac") if p.parent.name != "room_tone")
    left = round(hours * 3600 * RATE_HZ)
    while left > 0:
        for path in rng.sample(clips, len(clips)):
            for piece in (_read(path), _room(tones, rng)):
                yield piece[:left]
                left -= len(piece[:left])
            if left <= 0:
                return


def _room(tones: list[Pcm], rng: random.Random) -> Pcm:
    """Five to twenty seconds in which nothing happens."""
    tone = rng.choice(tones)
    length = round(rng.uniform(5.0, 20.0) * RATE_HZ)
    return np.resize(tone, length)


def _read(path: Path) -> Pcm:
    samples: Pcm = soundfile.read(path, dtype="int16")[0]
    return samples
