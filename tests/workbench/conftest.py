"""A small collection of recordings, made by code: clicks that are knocks, and quiet rooms."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.core.audio import SAMPLE_RATE_HZ, Samples


def noise(seconds: float, seed: int, level: float = 0.003) -> Samples:
    """A quiet room, shape (n,)."""
    rng = np.random.default_rng(seed)
    return np.asarray(level * rng.standard_normal(int(seconds * SAMPLE_RATE_HZ)), np.float32)


def burst(seconds: float, begins_s: float, lasts_s: float, seed: int = 1) -> Samples:
    """A quiet room in which something is loud for a while, shape (n,)."""
    samples = noise(seconds, seed, 0.0005)
    begin, end = (int(t * SAMPLE_RATE_HZ) for t in (begins_s, begins_s + lasts_s))
    samples[begin:end] += noise(lasts_s, seed + 1, 0.2)[: end - begin]
    return samples


def write(path: Path, samples: Samples) -> Path:
    """A FLAC file of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE_HZ)
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A folder per sound: knocks of four doors, two dogs, three rooms, a keyboard."""
    folder = tmp_path / "data"
    for door in range(4):
        write(folder / f"door_knock/door{door}__1.flac", burst(2.0, 0.5, 0.4, seed=10 + door))
    for dog in range(2):
        write(folder / f"dog_bark/rex{dog}/1.flac", burst(2.0, 0.8, 0.6, seed=20 + dog))
    for room in range(3):
        write(folder / f"room_tone/room{room}.flac", noise(20.0, 30 + room))
    write(folder / "keyboard/typing.flac", burst(2.0, 0.3, 0.2, seed=40))
    return folder
