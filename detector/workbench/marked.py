"""What a network learns from recordings in which somebody has marked when each sound sounds.

They are taken as they are, around every mark and between marks: all that is not marked in them is
known not to be there.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.recognition import STEP_S
from detector.workbench.dataset import LabelledSound, Recording
from detector.workbench.labels import meaning
from detector.workbench.strips import BACKGROUND

STEP_SAMPLES = round(STEP_S * SAMPLE_RATE_HZ)
AROUND_S = 3.0
"""Of what is before and behind a mark."""
_LONGEST_S = 20.0
"""Of a passage: a longer mark, or pause, is cut."""
_SHORTEST_S = 2.0

Span = tuple[int, int, str]
"""First step, last one and one more, and what it is of."""


def spans(recording: Recording, steps: int) -> Iterator[Span]:
    """Pieces of a recording of so many steps: each mark with what is around it, and pauses."""
    free = np.ones(steps, np.bool_)
    for event in recording.events:
        begin = max(0, _step(event.onset_s - AROUND_S))
        end = min(steps, _step(event.offset_s + AROUND_S))
        free[begin:end] = False
        yield from _cut(begin, end, event.sound)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(np.int8), [0]])))
    for begin, end in edges.reshape(-1, 2):
        yield from _cut(int(begin), int(end), BACKGROUND)


def _cut(begin: int, end: int, category: str) -> Iterator[Span]:
    longest = _step(_LONGEST_S)
    for first in range(begin, end, longest):
        last = min(first + longest, end)
        if last - first >= _step(_SHORTEST_S) or first == begin:
            yield first, last, category


def truths(recording: Recording, sounds: Sequence[str], steps: int) -> NDArray[np.int8]:
    """Of each step of a recording, shape (steps, sounds), as ``passages.Truths``.

    Nobody can tell of the step at either end of a mark.
    """
    found = np.zeros((steps, len(sounds)), np.int8)
    for event in recording.events:
        _mark(found, event, sounds)
    return found


def _mark(found: NDArray[np.int8], event: LabelledSound, sounds: Sequence[str]) -> None:
    first, last = event.onset_s / STEP_S, event.offset_s / STEP_S
    near = slice(max(0, int(first) - 1), int(np.ceil(last)) + 1)
    inside = slice(int(np.ceil(first)), max(int(last), int(np.ceil(first)) + 1))
    what = meaning(event.sound)
    for place, sound in enumerate(sounds):
        if sound == what.sound:
            edges = found[near, place]
            edges[edges == 0] = -1
            found[inside, place] = 1
        elif sound in what.may_hold:
            open_ = found[near, place]
            open_[open_ == 0] = -1


def _step(seconds: float) -> int:
    return round(seconds / STEP_S)
