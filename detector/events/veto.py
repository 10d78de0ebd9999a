"""A sound that is passed over where what is heard is like something that was told to be wrong.

Nearest prototypes on the sphere of embeddings: a window is passed over that points in nearly the
same direction as a moment that was wrong.  Pure numpy.
"""

from dataclasses import dataclass

import numpy as np

from detector.core.recognition import EMBEDDING, Array, Heard
from detector.events.heads import Sphere


@dataclass(frozen=True, slots=True, eq=False)
class Veto:
    """What is not the sound, whatever the sound's own evidence says."""

    sphere: Sphere
    directions: Array
    """Of the moments that were wrong, shape (moments, numbers), each of length 1."""
    at: float
    """The cosine from which a window is as good as the same."""

    def likeness(self, embeddings: Array) -> Array:
        """Of (windows, numbers), shape (windows,): the cosine to the nearest of the moments."""
        return np.asarray(self.along(embeddings).max(axis=1), np.float32)

    def along(self, embeddings: Array) -> Array:
        """The cosine to each of the moments, of (windows, numbers), shape (windows, moments)."""
        return np.asarray(self.sphere(embeddings) @ self.directions.T, np.float32)

    def passes_over(self, heard: Heard) -> bool:
        """Whether the first recogniser's newest window is to be passed over."""
        embedding = heard[0][-1].outputs.get(EMBEDDING)
        if embedding is None:
            return False
        return bool(self.likeness(embedding.reshape(1, -1).astype(np.float32))[0] >= self.at)
