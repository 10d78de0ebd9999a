"""Probabilities against the truth, window by window: how far what is said is from what is true."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.workbench.dataset import LabelledSound
from detector.workbench.metrics import calibration_error

Numbers = NDArray[np.float64]

HEARD_S = 0.3
"""A window holds a sound that fills so much of it."""
EVIDENT = 0.05
"""Where neither the score nor the probability is so large, nothing is said of the sound."""


@dataclass(frozen=True, slots=True)
class Error:
    """The expected calibration error of a sound."""

    windows: int
    holding: int
    """Of these, so many hold the sound."""
    before: float
    after: float


@dataclass(slots=True)
class Windows:
    """All windows of one sound of which the truth is known."""

    before: list[Numbers] = field(default_factory=list)
    """The largest score of its classes; of each scene, shape (windows,)."""
    after: list[Numbers] = field(default_factory=list)
    truth: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(
        self, before: Numbers, after: Numbers, inside_s: Numbers, unsure: NDArray[np.bool_]
    ) -> None:
        """Take a scene's windows, each of shape (windows,); those half in a sound are left out."""
        truth = inside_s >= HEARD_S
        clear = (truth | (inside_s == 0.0)) & ~unsure
        self.before.append(before[clear])
        self.after.append(after[clear])
        self.truth.append(truth[clear])

    def errors(self) -> tuple[Error, Error] | None:
        """Over all windows, and over those alone in which something is evident.

        These are chosen by what was said, never by what was true: else the error would be one of
        the choice.  None where the sound is in no window.
        """
        if not any(truth.any() for truth in self.truth):
            return None
        before, after = np.concatenate(self.before), np.concatenate(self.after)
        truth = np.concatenate(self.truth)
        evident = np.maximum(before, after) >= EVIDENT
        everywhere = np.ones(len(truth), np.bool_)
        return _error(before, after, truth, everywhere), _error(before, after, truth, evident)


def _error(
    before: Numbers, after: Numbers, truth: NDArray[np.bool_], of: NDArray[np.bool_]
) -> Error:
    if not of.any():
        return Error(0, 0, math.nan, math.nan)
    errors = [calibration_error(said[of], truth[of]) for said in (before, after)]
    return Error(int(of.sum()), int(truth[of].sum()), errors[0], errors[1])


def inside_s(
    spans: Iterable[LabelledSound], sound: str, starts_s: Numbers, ends_s: Numbers
) -> Numbers:
    """Seconds of each window that lie in a span of the sound, shape (windows,)."""
    inside = np.zeros(len(starts_s))
    for span in spans:
        if span.sound == sound:
            within = np.minimum(ends_s, span.offset_s) - np.maximum(starts_s, span.onset_s)
            inside = np.maximum(inside, within)
    return inside
