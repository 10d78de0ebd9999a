"""Where audio in memory sounds, and how loud it is there. Pure."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples

STEP_SAMPLES = SAMPLE_RATE_HZ // 100
"""Loudness is told every 10 ms."""
_FLOOR = 1e-6
_BELOW_LOUD_DB = 18.0
"""A sound sounds where it is no more than this below its loud part."""
_FEWEST_LOUD_STEPS = 5
"""The loud part is the loudest hundredth, but 50 ms at least: no click."""
_PAUSE_STEPS = 10
"""A shorter pause, 0.1 s, belongs to the sound."""


def rms(samples: Samples) -> float:
    """Root mean square of samples, shape (n,); never 0."""
    if len(samples) == 0:
        return _FLOOR
    return max(_FLOOR, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))


def loudness(samples: Samples) -> NDArray[np.float64]:
    """RMS of every 10 ms, shape (n // 160,)."""
    steps = len(samples) // STEP_SAMPLES
    squares = np.square(samples[: steps * STEP_SAMPLES], dtype=np.float64)
    return np.asarray(np.sqrt(squares.reshape(steps, STEP_SAMPLES).mean(axis=1)) + _FLOOR)


def sounding(samples: Samples) -> NDArray[np.bool_]:
    """Which steps of 10 ms it sounds in, shape (n // 160,): short pauses are part of it."""
    level = loudness(samples)
    if len(level) == 0:
        return np.zeros(0, np.bool_)
    steps = min(max(_FEWEST_LOUD_STEPS, len(level) // 100), len(level))
    loud_part = np.sort(level)[-steps]
    loud: NDArray[np.bool_] = level > loud_part * 10 ** (-_BELOW_LOUD_DB / 20)
    on = np.flatnonzero(loud)
    for before, after in pairwise(on):
        if after - before <= _PAUSE_STEPS:
            loud[before:after] = True
    return loud


def sounding_rms(samples: Samples) -> float:
    """RMS over where it sounds alone."""
    on = np.repeat(sounding(samples), STEP_SAMPLES)
    return rms(samples[: len(on)][on]) if on.any() else rms(samples)


def faded(samples: Samples, seconds: float = 0.01) -> Samples:
    """The same without clicks at its edges; a new array."""
    count = min(int(seconds * SAMPLE_RATE_HZ), len(samples) // 2)
    edge = np.linspace(0.0, 1.0, count, dtype=np.float32)
    result = samples.astype(np.float32, copy=True)
    result[:count] *= edge
    result[len(result) - count :] *= edge[::-1]
    return result
