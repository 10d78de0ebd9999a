"""Hours of a house: sounds in an order that a seed tells, with room tone between them."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from detector.core.audio import Samples
from detector.service.scene import alarm_scene
from tests.alarms import Alarm, alarm
from tests.audio.tools import noise

RATE_HZ = 16_000
Pcm = NDArray[np.int16]


def house(recordings: Path | None, *, hours: float, seed: int) -> Iterator[Pcm]:
    """``hours`` of sound at 16 kHz, clip by clip, shape (n,) each; the last is cut to fit.

    Without ``recordings`` of what is made by code.
    """
    rng = random.Random(seed)
    clips, tones = _made() if recordings is None else _recorded(recordings)
    left = round(hours * 3600 * RATE_HZ)
    while left > 0:
        for clip in rng.sample(clips, len(clips)):
            for piece in (clip if isinstance(clip, np.ndarray) else _read(clip), _room(tones, rng)):
                yield piece[:left]
                left -= len(piece[:left])
            if left <= 0:
                return


def _recorded(recordings: Path) -> tuple[list[Path | Pcm], list[Pcm]]:
    """Clips, which are read when they are wanted, and room tone."""
    tones = [_read(path) for path in sorted((recordings / "room_tone").glob("*.flac"))]
    clips = sorted(p for p in recordings.glob("*/*.flac") if p.parent.name != "room_tone")
    return [*clips], tones


def _made() -> tuple[list[Path | Pcm], list[Pcm]]:
    """Alarms, what resembles none, and noise."""
    clips = [
        alarm_scene(),
        alarm(Alarm(cycles=3)),
        alarm(Alarm(pattern="t4", cycles=3)),
        *(noise(10.0, amplitude=level, seed=seed) for seed, level in enumerate((0.003, 0.1, 0.3))),
    ]
    return [_pcm(clip) for clip in clips], [_pcm(noise(20.0, amplitude=0.0005))]


def _pcm(samples: Samples) -> Pcm:
    return np.asarray(np.clip(samples, -1.0, 1.0) * 32_767, np.int16)


def _room(tones: list[Pcm], rng: random.Random) -> Pcm:
    """Five to twenty seconds in which nothing happens."""
    tone = rng.choice(tones)
    length = round(rng.uniform(5.0, 20.0) * RATE_HZ)
    return np.resize(tone, length)


def _read(path: Path) -> Pcm:
    samples: Pcm = soundfile.read(path, dtype="int16")[0]
    return samples
