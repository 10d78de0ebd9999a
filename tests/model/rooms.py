"""Rooms in samples, and a front end as YAMNet has it, without the file."""

import math
from functools import cache

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import Array
from detector.model.melspectrum import FrontEnd, MelSpectrum

ROWS, BANDS = 96, 64
WINDOW = 15_600
HOP = 7680


@cache
def front_end() -> FrontEnd:
    """Steps of 25 ms every 10 ms, 64 triangles on the mel scale from 125 to 7500 Hz."""
    return FrontEnd(
        window_samples=WINDOW,
        step_samples=160,
        rows=ROWS,
        taper=np.hanning(401)[:-1].astype(np.float32),
        fft_samples=512,
        mel=_triangles(),
        offset=np.full(BANDS, 0.001, np.float32),
    )


@cache
def spectrum() -> MelSpectrum:
    """Makes the rows of windows."""
    mel, offset = np.ascontiguousarray(_triangles()[:, front_end().used].T), front_end().offset

    def energies(magnitudes: Array) -> Array:
        """A few rows at once: larger products are shared out among threads, which takes longer."""
        parts = [magnitudes[at : at + 8] @ mel for at in range(0, len(magnitudes), 8)]
        return np.asarray(np.concatenate(parts) + offset)

    return MelSpectrum(front_end(), energies)


def _triangles() -> Array:
    low, high = (1127.0 * math.log1p(hz / 700.0) for hz in (125.0, 7500.0))
    edges = np.linspace(low, high, BANDS + 2)
    bins = 1127.0 * np.log1p(np.linspace(0.0, SAMPLE_RATE_HZ / 2, 257) / 700.0)[None, :]
    begin, middle, end = (edges[at : at + BANDS, None] for at in range(3))
    up, down = (bins - begin) / (middle - begin), (end - bins) / (end - middle)
    return np.asarray(np.maximum(0.0, np.minimum(up, down)), np.float32)


def noise(seconds: float, level_dbfs: float = -50.0, *, seed: int = 0) -> Samples:
    """Of a room, white."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ)
    return rng.normal(0.0, 10.0 ** (level_dbfs / 20.0), count).astype(np.float32)


def tone(seconds: float, hz: float, level_dbfs: float) -> Samples:
    """RMS level."""
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    amplitude = np.sqrt(2.0) * 10.0 ** (level_dbfs / 20.0)
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * time_s), np.float32)


def knock(level_dbfs: float) -> Samples:
    """40 ms of a dull blow, RMS level over them."""
    time_s = np.arange(640) / SAMPLE_RATE_HZ
    blow = np.sin(2 * np.pi * 250 * time_s) * np.exp(-time_s / 0.012)
    loudness = 10.0 ** (level_dbfs / 20.0) / np.sqrt(np.mean(blow**2))
    return np.asarray(loudness * blow, np.float32)


def put(room: Samples, sound: Samples, at_s: float) -> Samples:
    """The room with a sound in it."""
    mixed, at = room.copy(), round(at_s * SAMPLE_RATE_HZ)
    mixed[at : at + len(sound)] += sound
    return mixed
