"""A family of classes of which a model tells the scores step by step: it knows the beginning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import STEP_S, STEPS, Heard
from detector.events.scorers import Family

_BRIDGED_STEPS = 3
"""A pause of less, 0.24 s, is within the sound."""
_OF_PEAK = 0.5


@dataclass(frozen=True, slots=True)
class SteppedFamily(Family):
    """As a family; and where the sound began within the newest window."""

    def began_s(self, heard: Heard) -> float | None:
        """Where the stretch of steps begins in which the loudest one lies."""
        newest = heard[0][-1]
        steps = newest.outputs[STEPS][:, self.columns].max(axis=1)
        return newest.start_s + STEP_S * first_step(steps)


def first_step(steps: NDArray[np.float32]) -> int:
    """The first of the steps that hang together with the largest, shape (steps,)."""
    peak = int(np.argmax(steps))
    first = peak
    for at in range(peak - 1, -1, -1):
        if steps[at] >= _OF_PEAK * steps[peak]:
            first = at
        elif first - at >= _BRIDGED_STEPS:
            break
    return first
