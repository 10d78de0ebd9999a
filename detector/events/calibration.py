"""From a pooled raw score to a probability."""

import math
from dataclasses import dataclass
from typing import Protocol

_EDGE = 1.0 / 1024.0
"""Scores are kept this far from 0 and 1 before the logit: a quarter of the model's own quantum."""


class Calibration(Protocol):
    """A non-decreasing map from a score to a probability, both 0 … 1."""

    @property
    def calibrated(self) -> bool:
        """Whether the result may be called a probability."""

    def __call__(self, score: float) -> float:
        """The probability for a score."""


@dataclass(frozen=True, slots=True)
class Identity:
    """No calibration: the score itself, and events that say so."""

    calibrated: bool = False

    def __call__(self, score: float) -> float:
        """The score, kept within 0 … 1."""
        return min(1.0, max(0.0, score))


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic curve over the score's logit: sigmoid(slope · logit(score) + offset).

    Platt scaling (J. Platt, "Probabilistic outputs for support vector machines", 1999), with the
    logit of the score in the place of the margin.
    """

    slope: float
    offset: float
    calibrated: bool = True

    def __call__(self, score: float) -> float:
        """The probability for a score."""
        inside = min(1.0 - _EDGE, max(_EDGE, score))
        z = self.slope * math.log(inside / (1.0 - inside)) + self.offset
        return 0.5 * (1.0 + math.tanh(0.5 * z))  # the sigmoid, without overflow
