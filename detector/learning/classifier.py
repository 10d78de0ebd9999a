"""A classifier that few examples suffice for: logistic regression on a sphere. Pure numpy.

The embedding is centred and scaled by what backgrounds do, and laid on a sphere: how much there is
to hear counts for nothing, what it is like counts for all.  On it, logistic regression with L2
decay, both sides weighing alike, by Nesterov's method with restarts (Y. Nesterov, 1983; B.
O'Donoghue and E. Candès, 2015).  What was tried beside it stands in docs/learn.md.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Array
from detector.events.heads import Sphere

DECAY = 0.3
STEPS = 60
_RADIUS = np.float32(32.0)
"""What decay and steps are meant for: the root of the embedding's 1,024 numbers."""
_DEAD_STD = 0.05
"""Half of the embedding hardly ever moves; what does so little is not blown up to count as much."""
_POWER_STEPS = 12

Numbers: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """Log-odds from embeddings."""

    sphere: Sphere
    weights: Array
    """Shape (numbers,)."""
    bias: float

    def __call__(self, embeddings: Array) -> Array:
        """Of (windows, numbers), shape (windows,)."""
        return np.asarray(self.sphere(embeddings) @ self.weights + np.float32(self.bias))

    def moved(self, threshold: float, slope: float = 1.0) -> "Linear":
        """The same with log-odds of 0 at what was a threshold, and so much steeper."""
        weights = np.asarray(self.weights * np.float32(slope), np.float32)
        return Linear(self.sphere, weights, slope * (self.bias - threshold))


def sphere_of(backgrounds: Array) -> Sphere:
    """What is usual in backgrounds, shape (windows, numbers)."""
    scale = np.maximum(backgrounds.std(axis=0), np.float32(_DEAD_STD))
    return Sphere(np.asarray(backgrounds.mean(axis=0), np.float32), np.asarray(scale, np.float32))


def fit(
    sphere: Sphere,
    positives: Array,
    negatives: Array,
    *,
    positive_weights: Array,
    negative_weights: Array,
) -> Linear:
    """The classifier that tells positives from negatives, each of shape (windows, numbers).

    The weights, shape (windows,) each, tell how much a window counts among its own side.
    """
    inputs = _RADIUS * sphere(np.concatenate([positives, negatives]))
    truths = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    sides = (positive_weights, negative_weights)
    weights = np.concatenate([0.5 * one / one.sum() for one in sides])
    found, bias = _descended(inputs, truths.astype(np.float32), weights.astype(np.float32))
    return Linear(sphere, np.asarray(_RADIUS * found, np.float32), bias)


def _descended(inputs: Numbers, truths: Numbers, weights: Numbers) -> tuple[Numbers, float]:
    """Weights and bias of the smallest loss."""
    rate = np.float32(1.0 / (0.25 * (_steepest(inputs, weights) + 1.0) + DECAY))
    at, at_bias = np.zeros(inputs.shape[1], np.float32), np.float32(0.0)
    ahead, ahead_bias, pace = at, at_bias, 1.0
    for _ in range(STEPS):
        said = 0.5 * (1.0 + np.tanh(0.5 * (inputs @ ahead + ahead_bias)))
        wrong = np.asarray(weights * (said - truths), np.float32)
        step = rate * (wrong @ inputs + np.float32(DECAY) * ahead)
        new, new_bias = ahead - step, ahead_bias - rate * wrong.sum()
        if float(step @ (new - at)) > 0.0:
            pace = 1.0  # it runs uphill: begin anew from here
        next_pace = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * pace * pace))
        share = np.float32((pace - 1.0) / next_pace)
        ahead = np.asarray(new + share * (new - at), np.float32)
        ahead_bias = np.float32(new_bias + share * (new_bias - at_bias))
        at, at_bias, pace = np.asarray(new, np.float32), np.float32(new_bias), next_pace
    return at, float(at_bias)


def _steepest(inputs: Numbers, weights: Numbers) -> float:
    """The largest curvature of the inputs, by power iteration; rather too large than too small."""
    direction = np.ones(inputs.shape[1], np.float32)
    largest = 0.0
    for _ in range(_POWER_STEPS):
        along = np.asarray(weights * (inputs @ direction), np.float32) @ inputs
        largest = float(np.linalg.norm(along))
        direction = np.asarray(along / np.float32(max(largest, 1e-12)), np.float32)
    return 1.1 * largest
