"""Scorers: what makes one probability per sound out of observations. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.events import ClassScore
from detector.core.recognition import SCORES, Array, Heard
from detector.events.calibration import Calibration

POOLINGS: Mapping[str, Callable[[Array], float]] = {
    "max": lambda scores: float(scores.max()),
    "mean": lambda scores: float(scores.mean()),
    "noisy_or": lambda scores: float(1.0 - np.prod(1.0 - scores)),
}
"""How the scores of a family, shape (classes of the family,), become one.

``noisy_or`` is the chance that at least one class is right if all were independent
(J. Pearl, "Probabilistic reasoning in intelligent systems", 1988).
"""


class Scorer(Protocol):
    """Turns what the recognisers made of the latest audio into the probability of one sound now."""

    @property
    def calibrated(self) -> bool:
        """Whether the result may be called a probability."""

    def __call__(self, heard: Heard) -> float:
        """The probability, 0 … 1, at the first recogniser's newest observation."""

    def began_s(self, heard: Heard) -> float | None:
        """When the sound began that it hears there; None if it hears none, or looks no further."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of model classes, pooled and calibrated."""

    columns: NDArray[np.intp]
    """Indices of the classes among the scores, shape (classes of the family,)."""
    pool: Callable[[Array], float]
    calibration: Calibration

    @property
    def calibrated(self) -> bool:
        """Whether the calibration rests on evidence."""
        return self.calibration.calibrated

    def __call__(self, heard: Heard) -> float:
        """The newest window's pooled score, calibrated."""
        scores = heard[0][-1].outputs[SCORES]
        return self.calibration(self.pool(scores[self.columns]))

    def began_s(self, heard: Heard) -> float | None:
        """None: the newest window is all that is judged."""
        del heard
        return None


@dataclass(frozen=True, slots=True)
class Strongest:
    """Several roads to one sound: the largest probability counts."""

    scorers: tuple[Scorer, ...]

    @property
    def calibrated(self) -> bool:
        """Calibrated only if every road is: their probabilities are compared."""
        return all(scorer.calibrated for scorer in self.scorers)

    def __call__(self, heard: Heard) -> float:
        """The largest of the scorers' probabilities."""
        return max(scorer(heard) for scorer in self.scorers)

    def began_s(self, heard: Heard) -> float | None:
        """The earliest beginning that any of them hears."""
        began = (scorer.began_s(heard) for scorer in self.scorers)
        return min((at_s for at_s in began if at_s is not None), default=None)


@dataclass(frozen=True, slots=True)
class Unless:
    """A road to a sound that is closed while another one's sound is heard."""

    scorer: Scorer
    other: Scorer
    at: float
    """Probability of the other from which it counts as heard."""

    @property
    def calibrated(self) -> bool:
        """Whether the road itself is."""
        return self.scorer.calibrated

    def __call__(self, heard: Heard) -> float:
        """The scorer's probability, or 0."""
        is_closed = self.other(heard) >= self.at
        return 0.0 if is_closed else self.scorer(heard)

    def began_s(self, heard: Heard) -> float | None:
        """None: the newest window is all that is judged."""
        del heard
        return None


def best_classes(scores: Array, labels: Sequence[str], count: int) -> tuple[ClassScore, ...]:
    """The ``count`` classes with the highest scores, shape (classes,), best first."""
    best = np.argsort(-scores, kind="stable")[:count]
    return tuple(ClassScore(labels[i], float(scores[i])) for i in best)
