"""A classifier of whole clips: features of a clip in, a probability for each of its labels out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import Samples
from detector.core.recognition import EMBEDDING, Array, Observation
from detector.events.mfcc import SHORTEST_S, summary, summary_size

LEAST_S = max(0.5, SHORTEST_S)
"""Of less audio nobody could say anything."""


@dataclass(frozen=True, slots=True)
class MfccFeatures:
    """Cepstral coefficients and their differences, by mean, variance and maximum."""

    coefficients: int

    @property
    def size(self) -> int:
        """How many numbers they are."""
        return summary_size(self.coefficients)

    def of(self, samples: Samples, _observations: Sequence[Observation]) -> Array:
        """Of a clip of shape (n,), at least LEAST_S long: shape (size,)."""
        return summary(samples, self.coefficients)


@dataclass(frozen=True, slots=True)
class EmbeddingFeatures:
    """What a model makes of the clip before it names it, as the mean over its windows."""

    size: int
    recogniser: str
    """SHA-256 of the model."""
    hop_s: float

    def of(self, _samples: Samples, observations: Sequence[Observation]) -> Array:
        """Of the windows of a clip, at least one, each with an embedding: shape (size,)."""
        windows = np.stack([one.outputs[EMBEDDING] for one in observations])
        return np.asarray(windows.mean(axis=0, dtype=np.float32))


Features = MfccFeatures | EmbeddingFeatures


@dataclass(frozen=True, slots=True)
class ClipClassifier:
    """Multinomial logistic regression on standardised features. Pure."""

    labels: tuple[str, ...]
    mean: Array
    """Of the features, shape (n,)."""
    scale: Array
    """Their standard deviation, shape (n,), nowhere 0."""
    weights: Array
    """Shape (n, labels)."""
    bias: NDArray[np.float64]
    """Shape (labels,)."""

    def probabilities(self, features: Array) -> NDArray[np.float64]:
        """Of features of shape (n,): shape (labels,), sum 1."""
        standard = (features.astype(np.float64) - self.mean) / self.scale
        log_odds = standard @ self.weights + self.bias
        powers = np.exp(log_odds - log_odds.max())
        return np.asarray(powers / powers.sum())
