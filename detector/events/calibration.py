"""From a pooled raw score to a probability."""

import math
from dataclasses import dataclass
from typing import Protocol

_EDGE = 1.0 / 1024.0
"""Scores are kept this far from 0 and 1 before the logit: a quarter of the model's own quantum."""

USUAL_THRESHOLD, USUAL_RELEASE = 0.5, 0.3
"""At which a raw score counts as heard, and below which as gone."""


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
class Stretched:
    """The score itself in the place of a probability that thresholds were fitted for.

    It is stretched so that the usual thresholds of a score, 0.5 and 0.3, fall on those in force:
    where a head cannot be used, its thresholds mean nothing to a score.
    """

    threshold: float
    release_threshold: float
    calibrated: bool = False

    def __call__(self, score: float) -> float:
        """The score, stretched; 0 … 1."""
        low, middle = self.release_threshold, self.threshold
        if score < USUAL_RELEASE:
            return max(0.0, score / USUAL_RELEASE * low)
        if score < USUAL_THRESHOLD:
            share = (score - USUAL_RELEASE) / (USUAL_THRESHOLD - USUAL_RELEASE)
            return low + share * (middle - low)
        share = (score - USUAL_THRESHOLD) / (1.0 - USUAL_THRESHOLD)
        return min(1.0, middle + share * (1.0 - middle))


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
