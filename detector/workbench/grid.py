"""Scores on the windows of those that are compared with: their grids, not ours."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import Array
from detector.workbench.observe import Cache, content_key

WINDOW_SAMPLES = 15_600
QUARTER_SAMPLES = WINDOW_SAMPLES // 4
"""One grid at this hop holds four without overlap, begun elsewhere, and two at half overlap."""
EAGER_SAMPLES = 1_024
_FULL_SCALE = 32_768.0

ScoreWindow = Callable[[Samples], Array]
"""Scores of a window, shape (WINDOW_SAMPLES,) to (classes,)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Scores of windows at equal distances."""

    hop_samples: int
    scores: NDArray[np.float32]
    """Shape (windows, classes)."""
    level: NDArray[np.float64]
    """RMS of each window in units of 16-bit samples, shape (windows,)."""

    def every(self, step: int, first: int) -> "Grid":
        """Every so many windows of it, from one on."""
        chosen = slice(first, None, step)
        return Grid(self.hop_samples, self.scores[chosen], self.level[chosen])

    def end_s(self, index: int, step: int = 1, first: int = 0) -> float:
        """When the window at ``index`` of ``every(step, first)`` has been heard, in seconds."""
        start = (first + index * step) * self.hop_samples
        return (start + WINDOW_SAMPLES) / SAMPLE_RATE_HZ


def score_grid(
    samples: Samples, score: ScoreWindow, hop_samples: int, *, cache: Cache, model: str
) -> Grid:
    """Scores of all whole windows of samples, shape (n,); a short rest at the end is dropped.

    ``model`` is the content hash of what scores, for the cache.
    """
    key = content_key(samples, model, f"grid {hop_samples}")
    kept = cache.get(key)
    starts = range(0, len(samples) - WINDOW_SAMPLES + 1, hop_samples)
    windows = (samples[start : start + WINDOW_SAMPLES] for start in starts)
    if kept is None:
        kept = {"scores": np.array([score(_as_16_bit(window)) for window in windows], np.float32)}
        cache.put(key, kept)
    return Grid(hop_samples, kept["scores"], _levels(samples, starts))


def _levels(samples: Samples, starts: range) -> NDArray[np.float64]:
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    begin = np.array(starts, np.intp)
    mean = (energy[begin + WINDOW_SAMPLES] - energy[begin]) / WINDOW_SAMPLES
    return np.asarray(_FULL_SCALE * np.sqrt(np.maximum(0.0, mean)))


def _as_16_bit(window: Samples) -> Samples:
    """What they hear: samples of 16 bits, divided by 32768."""
    whole = np.clip(np.round(window * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1.0)
    return np.asarray(whole / _FULL_SCALE, np.float32)
