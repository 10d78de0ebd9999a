"""A logistic curve fitted to scores whose truth is known, near the curve that was there before.

Platt scaling (J. Platt, "Probabilistic outputs for support vector machines", 1999), with the curve
before in the place of his priors: it takes part as if it had seen some groups of recordings itself.
Pure numpy, two numbers, no iteration that could fail: also for a daemon that learns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_STEPS = 60
_SMALL = 1e-9
STEEPEST = 100.0
"""Slopes and offsets beyond this are cut: the configuration takes no others."""


@dataclass(frozen=True, slots=True)
class Line:
    """sigmoid(slope · logit + offset)."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, logits: Numbers) -> Numbers:
        """Probabilities, shape as the logits'."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (self.slope * logits + self.offset))))


def logit(probabilities: NDArray[np.floating], edge: float) -> Numbers:
    """Of probabilities, any shape, kept ``edge`` away from 0 and 1."""
    inside = np.clip(np.asarray(probabilities, np.float64), edge, 1.0 - edge)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def balanced(truths: NDArray[np.bool_], groups: NDArray[np.intp]) -> Numbers:
    """Weights, shape (n,), that let every group count once, and both truths alike.

    The sum is the number of groups that so much evidence is worth: twice the harmonic mean of how
    many there are on the two sides.  Both sides must have one.
    """
    weights = np.zeros(len(truths))
    sides = [(side, np.unique(groups[side])) for side in (truths, ~truths)]
    worth = 2.0 / sum(1.0 / len(of_side) for _, of_side in sides)
    for side, of_side in sides:
        for group in of_side:
            chosen = side & (groups == group)
            weights[chosen] = worth / (len(of_side) * np.count_nonzero(chosen))
    return weights


def refit(
    logits: Numbers, truths: NDArray[np.bool_], weights: Numbers, *, before: Line, worth: float
) -> Line:
    """The line of the largest likelihood, ``before`` having seen as much as ``worth`` weights.

    Args:
        logits: Of the scores, shape (n,).
        truths: Whether the sound was there, shape (n,).
        weights: How much each counts, shape (n,); see ``balanced``.
        before: The line that was there before.
        worth: How much of its own it has seen, on each side of the truth.
    """
    theirs = weights * (2.0 * worth / weights.sum())
    total = weights + theirs
    target = (weights * truths + theirs * before(logits)) / total
    line = np.array([before.slope, before.offset])
    loss = _loss(line, logits, target, total)
    for _ in range(_STEPS):
        step = _newton(line, logits, target, total)
        while True:
            tried = _loss(line - step, logits, target, total)
            if tried <= loss or np.abs(step).max() < _SMALL:
                break
            step *= 0.5
        line, loss = line - step, tried
        if np.abs(step).max() < _SMALL:
            break
    slope, offset = np.clip(line, -STEEPEST, STEEPEST)
    return Line(float(slope), float(offset))


def _newton(line: Numbers, logits: Numbers, target: Numbers, weights: Numbers) -> Numbers:
    inputs = np.stack([logits, np.ones_like(logits)])
    p = Line(*line)(logits)
    gradient = inputs @ (weights * (p - target))
    curvature = (inputs * (weights * p * (1.0 - p))) @ inputs.T
    return np.asarray(np.linalg.solve(curvature + _SMALL * np.eye(2), gradient))


def _loss(line: Numbers, logits: Numbers, target: Numbers, weights: Numbers) -> float:
    z = line[0] * logits + line[1]
    return float(np.sum(weights * (np.logaddexp(0.0, z) - target * z)))
