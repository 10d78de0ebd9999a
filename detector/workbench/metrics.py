"""Figures with their intervals: recall, false alarms per hour, latency, calibration error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.learning.intervals import (
    Z95,
    Interval,
    gamma_quantile,
    rate_interval,
    recall_interval,
    zero_bound,
)

__all__ = [
    "Z95",
    "Interval",
    "Reliability",
    "calibration_error",
    "gamma_quantile",
    "percentile",
    "rate_interval",
    "recall_interval",
    "reliability",
    "zero_bound",
]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often it was right where it said so; arrays of shape (bins,), empty bins left out."""

    said: NDArray[np.float64]
    """Mean probability of the bin."""
    right: NDArray[np.float64]
    """Share of it that was right."""
    count: NDArray[np.float64]


def percentile(values: Sequence[float], percent: float) -> float:
    """A percentile, not a number where there are no values."""
    return float(np.percentile(values, percent)) if len(values) else math.nan


def reliability(
    probabilities: NDArray[np.floating], truths: NDArray[np.bool_], *, bins: int = 15
) -> Reliability:
    """Probabilities, shape (n,), against what was true, shape (n,), in bins of equal width."""
    bin_of = np.clip((probabilities * bins).astype(int), 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins).astype(np.float64)
    said = np.bincount(bin_of, weights=probabilities, minlength=bins)
    right = np.bincount(bin_of, weights=truths, minlength=bins)
    there = count > 0
    return Reliability(said[there] / count[there], right[there] / count[there], count[there])


def calibration_error(
    probabilities: NDArray[np.floating], truths: NDArray[np.bool_], *, bins: int = 15
) -> float:
    """Expected calibration error: the mean distance of what it said from what was right."""
    if len(probabilities) == 0:
        return math.nan
    found = reliability(probabilities, truths, bins=bins)
    return float(np.sum(found.count * np.abs(found.said - found.right)) / found.count.sum())
