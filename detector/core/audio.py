"""What a source hands over: blocks of 16 kHz mono on an absolute sample index, and gaps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""The one sample rate inside the house, fixed by the model contract."""

Samples = NDArray[np.float32]
"""Mono audio, float32, nominally −1.0 … +1.0, shape (n,)."""


class GapCause(StrEnum):
    """Why audio is missing."""

    OVERFLOW = "overflow"
    """The sound system or the capture path lost samples before we had them."""
    BEHIND = "behind"
    """We were too slow: older audio was skipped to reach the newest."""
    SOURCE_LOST = "source_lost"
    """The device was away for a while."""


class MicState(StrEnum):
    """What the source is doing, as told in health."""

    OK = "ok"
    SILENT = "silent"
    STUCK = "stuck"
    CLIPPING = "clipping"
    STALLED = "stalled"
    MISSING = "missing"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples; immutable, owned by the reader."""

    start_sample: int
    """Absolute index of the first sample on the source's clock."""
    samples: Samples
    """Shape (n,), 16 kHz mono."""
    captured_monotonic_s: float
    """Monotonic time at which the last sample of the block was captured."""

    @property
    def end_sample(self) -> int:
        """Absolute index one past the last sample."""
        return self.start_sample + len(self.samples)


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never arrived; no window may span it."""

    start_sample: int
    samples_lost: int
    cause: GapCause

    @property
    def end_sample(self) -> int:
        """Absolute index of the first sample after the gap."""
        return self.start_sample + self.samples_lost


@dataclass(frozen=True, slots=True)
class End:
    """The source has ended and will hand over nothing more."""

    reason: str = "end of audio"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source says of itself, for health, status lines and people."""

    available: bool
    """Whether the device or file is open."""
    description: str
    """``USB Audio (hw:1,0) at 48000 Hz, 2 channels`` or why there is none."""
    overflows: int = 0
    """Times that the sound system reported lost input."""
    device: str = ""
    """The microphone's own name, without rate or PortAudio's number; empty for what is none."""


class Source(Protocol):
    """Somewhere audio comes from.

    ``start`` and ``stop`` are idempotent; ``read`` is for one reader thread.
    """

    live: bool
    """True where audio arrives at its own pace: a reader too slow is given a gap.
    False where the source waits for its reader and never skips."""

    @property
    def status(self) -> SourceStatus:
        """The source's own account of itself, from any thread."""

    def start(self) -> None:
        """Begin to hear; a live source that is not there yet goes on trying by itself.

        Raises AudioError for a file that cannot be read.
        """

    def stop(self) -> None:
        """Cease to hear and release the device."""

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """Hand over what comes next, or None when nothing came within ``timeout_s``.

        Raises AudioError where a file or stream turns out damaged on the way.
        """
