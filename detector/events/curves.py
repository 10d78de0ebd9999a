"""From the log-odds of a head to a probability. Pure."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1 before a logit."""


class Curve(Protocol):
    """A non-decreasing map from log-odds to a probability."""

    @property
    def calibrated(self) -> bool:
        """Whether the result may be called a probability."""

    def __call__(self, log_odds: float) -> float:
        """The probability, 0 … 1."""


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """sigmoid(slope · log-odds + offset): Platt scaling (J. Platt, 1999)."""

    slope: float = 1.0
    offset: float = 0.0
    calibrated: bool = True

    def __call__(self, log_odds: float) -> float:
        """The probability."""
        return _sigmoid(self.slope * log_odds + self.offset)


@dataclass(frozen=True, slots=True)
class Table:
    """Straight lines between points, as an isotonic regression gives them; level beyond them."""

    log_odds: NDArray[np.float64]
    """Rising, shape (points,)."""
    probabilities: NDArray[np.float64]
    """Not falling, shape (points,)."""
    calibrated: bool = True

    def __call__(self, log_odds: float) -> float:
        """The probability."""
        return float(np.interp(log_odds, self.log_odds, self.probabilities))


@dataclass(frozen=True, slots=True)
class Refined:
    """A curve, and what recordings of one's own have taught about its probability."""

    curve: Curve
    slope: float
    offset: float

    @property
    def calibrated(self) -> bool:
        """As the curve is."""
        return self.curve.calibrated

    def __call__(self, log_odds: float) -> float:
        """sigmoid(slope · logit(probability) + offset)."""
        inside = min(1.0 - _EDGE, max(_EDGE, self.curve(log_odds)))
        return _sigmoid(self.slope * math.log(inside / (1.0 - inside)) + self.offset)


def _sigmoid(log_odds: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))  # without overflow
