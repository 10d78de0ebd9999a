"""From what a source delivers to sound mono samples."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.audio.format import Channel
from detector.core.audio import Samples


class Sanitised(NamedTuple):
    """Samples that can be trusted, and how many could not."""

    samples: Samples
    not_finite: int
    """Samples that were NaN or infinite, now 0."""


def to_float32(frames: NDArray[Any]) -> Samples:
    """Scale 16- or 32-bit integers to −1 … +1; float samples keep their value. Any shape."""
    if np.issubdtype(frames.dtype, np.integer):
        full_scale = -float(np.iinfo(frames.dtype).min)
        return (frames / full_scale).astype(np.float32)
    return np.asarray(frames, np.float32)


def sanitise(samples: Samples) -> Sanitised:
    """Make samples of any shape finite and within ±1."""
    # Also false where one of them is NaN.
    if np.min(samples, initial=0.0) >= -1.0 and np.max(samples, initial=0.0) <= 1.0:
        return Sanitised(samples, 0)
    finite = np.isfinite(samples)
    clean = np.where(finite, samples, np.float32(0.0))
    not_finite = samples.size - int(np.count_nonzero(finite))
    return Sanitised(np.clip(clean, -1.0, 1.0), not_finite)


def to_mono(frames: Samples, channel: Channel) -> Samples:
    """Average the channels of frames, shape (n, channels), or take one; shape (n,)."""
    if channel != "mix":
        return np.ascontiguousarray(frames[:, channel - 1])
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0])
    mixed: Samples = frames.mean(axis=1, dtype=np.float32)
    return mixed
