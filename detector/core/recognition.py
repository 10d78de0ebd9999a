"""What a recogniser makes of audio: observations on windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap

SCORES = "scores"
"""Name of the output that holds one raw score per class, shape (classes,)."""
LOGITS = "logits"
"""Name of the output that holds what the scores are the sigmoid of, shape (classes,)."""
EMBEDDING = "embedding"
"""Name of the output that holds what the model made of the sound before it named it, shape (n,).

Kept in half precision (float16), which is as much as a quantised model has."""
ENVELOPES = "envelopes"
"""Name of the output that holds how surely a tone sounds in each of some bands, 0 … 1, step by
step, shape (steps, bands)."""
STEPS = "steps"
"""Name of the output that holds one score per class for every ``STEP_S``, from the beginning of the
window on, shape (steps, classes)."""
STEP_S = 0.08
LEVEL = "level_dbfs"
"""Name of the output that holds the window's RMS level, shape ()."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Telling:
    """How the score of a class that is a sound of ours is decided on, as its model's file says."""

    slope: float
    offset: float
    """Of the logistic curve from the score's log-odds to a probability."""
    threshold: float
    """A probability."""
    release_threshold: float
    hop_s: float
    """Between observations, when these were settled."""


@dataclass(frozen=True, slots=True)
class RecogniserSpec:
    """What a recogniser is, so that calibrations and heads can tell whether they fit it."""

    content_hash: str
    """SHA-256 of the model file, hexadecimal."""
    outputs: Mapping[str, tuple[int, ...]]
    """Name and shape of each output of an observation."""
    labels: tuple[str, ...]
    """Class names, index = column of the scores."""
    hop_samples: int
    context_samples: int
    """Samples that one observation looks at: the window."""
    tellings: Mapping[str, Telling] = field(default_factory=lambda: MappingProxyType({}))
    """By label that is the name of a sound of ours; none of YAMNet's is."""

    @property
    def hop_s(self) -> float:
        """Seconds between observations."""
        return self.hop_samples / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Observation:
    """One window, seen by one recogniser. Immutable."""

    start_s: float
    """First sample of the window, in seconds on the source's clock."""
    end_s: float
    """One past its last sample."""
    outputs: Mapping[str, Array]


Heard = Sequence[Sequence[Observation]]
"""The latest observations of each recogniser, oldest first; the first recogniser has at least one,
and none of the others has any that ends later."""


class Recogniser(Protocol):
    """Turns audio into observations. Owned by one thread."""

    @property
    def spec(self) -> RecogniserSpec:
        """What it is."""

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Take the next audio; hand over the windows it completes. A gap begins anew."""

    def fresh(self) -> "Recogniser":
        """Another one over the same model that has heard nothing yet, for the same thread."""


@runtime_checkable
class Resting(Protocol):
    """A recogniser that may tell a quiet window as the one before it, without looking."""

    def rouse(self) -> None:
        """Look at every window of the next seconds."""
