"""From what a source delivers to sound mono samples.

*Frames* is PortAudio's word, used in this room alone: one frame is the samples of all channels at
one instant, so that interleaved audio has shape (frames, channels).  (The STFT's frames are
another thing.)
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import Samples
from detector.core.errors import AudioError

Channel = Literal["mix"] | int
"""``mix`` averages all channels; a number takes that one, the first being 1."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a source delivers; as a string, for a person."""

    rate_hz: int
    channels: int

    def __str__(self) -> str:
        plural = "" if self.channels == 1 else "s"
        return f"{self.rate_hz} Hz, {self.channels} channel{plural}"


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
    peak = np.max(np.abs(samples), initial=0.0)
    if peak <= 1.0:  # false also where the peak is NaN
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


def check_channel(channel: Channel, channels: int, name: str) -> None:
    """Raise AudioError where ``name`` has no such channel."""
    if channel != "mix" and not 1 <= channel <= channels:
        raise AudioError(
            f"{name} has no channel {channel}: audio.channel can be 1 to {channels}, or mix"
        )
