"""What others decide by, re-created from their sources, to be compared with on the same audio.

Each is a rule from scores to decisions.  Those that classify window after window without overlap
depend on where they began: they are run from several beginnings, and the figures averaged.  Classes
are YAMNet's by index, as they use them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.workbench.grid import Grid
from detector.workbench.matching import Decision

CLASSES = 521
"""YAMNet's; with another model there is nothing to compare with."""
BEGINNINGS = 4

Classes = tuple[int, ...]
Run = tuple[Decision, ...]

FAMILIES: Mapping[str, Classes] = {
    "baby_cry": (19, 20),
    "smoke_alarm": (382, 393, 394, 475),
    "co_alarm": (382, 393, 394, 475),
    "doorbell": (349, 350),
    "door_knock": (353,),
    "glass_breaking": (435, 437, 464),
    "dog_bark": (69, 70, 71, 73),
    "cat_meow": (76, 78, 80),
    "siren": (317, 318, 319, 390, 391),
    "phone_ring": (383, 384, 385),
    "water_running": (364, 365, 366),
    "cough": (42,),
    "snore": (38,),
    "scream": (11,),
    "speech": (0, 1, 2, 3),
}
"""The classes that a person would name for each of our sounds."""

_FRIGATE: Mapping[str, Classes] = {
    **FAMILIES,
    "baby_cry": (19, 20, 21),  # crying
    "smoke_alarm": (382, 393, 394),  # alarm, smoke_detector, fire_alarm
    "co_alarm": (382, 393, 394),
    "dog_bark": (70,),  # bark
    "cat_meow": (78,),  # meow
    "siren": (390, 391),
    "scream": (6, 9, 10, 11, 22),  # yell
    "speech": (0, 1, 2, 3, 5, 65),  # speech
}
"""The labels of Frigate that stand for each of our sounds, by the classes that share them."""

_PEOPLE: Classes = (
    *(n for n in range(67) if n not in (11, 19, 22, 58) and n not in range(24, 33)),
    *(353, 383, 384, 385, 386, 389, 392, 517),
)
_ALERT: Classes = (
    *(11, 19, 22, 304, 349, 350, 382, 390, 391, 393, 394, 437, 464),
    *range(316, 320),
    *range(420, 431),
)
_ALARMS = ("smoke_alarm", "co_alarm")
_GROUPS: Mapping[str, Classes] = {
    "people": _PEOPLE,
    "alert": _ALERT,
    "animals": tuple(range(67, 93)),
    "vehicles": (*range(294, 316), 320, 321, 475),
    "weather": (*range(277, 286), 364, 365, 366),
}
_GROUPS_OF: Mapping[str, tuple[str, ...]] = {
    "baby_cry": ("people", "alert"),
    "smoke_alarm": ("alert", "vehicles"),
    "co_alarm": ("alert", "vehicles"),
    "doorbell": ("alert",),
    "door_knock": ("people",),
    "glass_breaking": ("alert",),
    "dog_bark": ("animals",),
    "cat_meow": ("animals",),
    "siren": ("alert",),
    "phone_ring": ("people",),
    "water_running": ("weather",),
    "cough": ("people",),
    "snore": ("people",),
    "scream": ("alert",),
    "speech": ("people",),
}
"""Groups of YamCam3's class table under which each of our sounds comes."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A way to decide."""

    name: str
    decide: Callable[[Grid, Sequence[str]], Sequence[Run]]
    """From a grid at a quarter of a window, and sounds, to one run for each beginning."""


def baselines() -> tuple[Baseline, ...]:
    """Those that are always compared with."""
    return (
        Baseline("Frigate 0.18, as shipped", _frigate(0.8, 500.0)),
        Baseline("Frigate 0.18, tuned to its floor", _frigate(0.5, 200.0)),
        Baseline("YamCam3, as shipped", _yamcam_as_shipped),
        Baseline("YamCam3, regrouped", _yamcam_regrouped),
        Baseline("half overlap, 0.5", half_overlap),
    )


def eager(grid: Grid, sounds: Sequence[str]) -> Run:
    """Every 64 ms, at 0.3, then 5 s of rest; on a grid at EAGER_SAMPLES."""
    return tuple(
        decision
        for sound in sounds
        for decision in _rested(sound, _best(grid, FAMILIES[sound]) >= 0.3, grid)
    )


def _rested(sound: str, heard: NDArray[np.bool_], grid: Grid) -> Iterator[Decision]:
    quiet_until_s = -np.inf
    for index in np.flatnonzero(heard):
        now_s = grid.end_s(int(index))
        if now_s >= quiet_until_s:
            yield _decision(sound, now_s)
            quiet_until_s = now_s + 5.0


def _decision(sound: str, told_s: float) -> Decision:
    """One of an alarm is of any: they do not tell carbon monoxide from smoke, nor claim to."""
    return Decision(sound, told_s, f"alarm {told_s}" if sound in _ALARMS else "")


def _best(grid: Grid, classes: Classes) -> NDArray[np.float32]:
    best: NDArray[np.float32] = grid.scores[:, list(classes)].max(axis=1)
    return best


def _frigate(threshold: float, least_level: float) -> Callable[[Grid, Sequence[str]], list[Run]]:
    """Of the 20 best classes those of 0.5 and more count; ON until 30 s after the last window."""

    def decide(grid: Grid, sounds: Sequence[str]) -> list[Run]:
        return [_frigate_run(grid, sounds, first, threshold, least_level) for first in range(4)]

    return decide


def _frigate_run(
    grid: Grid, sounds: Sequence[str], first: int, threshold: float, least_level: float
) -> Run:
    part = grid.every(4, first)
    twentieth = np.sort(part.scores, axis=1)[:, -20:-19]
    counts = (part.scores >= np.maximum(twentieth, 0.5)) & (part.scores > threshold)
    counts &= (part.level >= least_level)[:, None]
    decisions = []
    for sound in sounds:
        on_until_s = -np.inf
        for index in np.flatnonzero(counts[:, list(_FRIGATE[sound])].any(axis=1)):
            now_s = grid.end_s(int(index), 4, first)
            if now_s > on_until_s:
                decisions.append(_decision(sound, now_s))
            on_until_s = now_s + 30.0
    return tuple(decisions)


def _yamcam_regrouped(grid: Grid, sounds: Sequence[str]) -> list[Run]:
    """With a class table of one group for each sound, as its README invites to make."""
    return [
        tuple(
            _decision(sound, told_s)
            for sound in sounds
            for told_s in _yamcam_starts(grid, FAMILIES[sound], first)
        )
        for first in range(BEGINNINGS)
    ]


def _yamcam_as_shipped(grid: Grid, sounds: Sequence[str]) -> list[Run]:
    """By its groups: a cry is told where ``people`` or ``alert`` starts."""
    return [tuple(_yamcam_group_run(grid, sounds, first)) for first in range(BEGINNINGS)]


def _yamcam_group_run(grid: Grid, sounds: Sequence[str], first: int) -> Iterator[Decision]:
    for group, classes in _GROUPS.items():
        about = [sound for sound in sounds if group in _GROUPS_OF[sound]]
        for told_s in _yamcam_starts(grid, classes, first) if about else ():
            yield from (Decision(sound, told_s, cause=f"{group} {told_s}") for sound in about)


def _yamcam_starts(grid: Grid, classes: Classes, first: int) -> Iterator[float]:
    """Two windows of the last five start it; ten that are not heard stop it."""
    last: deque[bool] = deque(maxlen=5)
    left = 0
    for index, heard in enumerate(_yamcam_heard(grid.every(4, first), classes)):
        last.append(bool(heard))
        if sum(last) >= 2:
            if left <= 0:
                yield grid.end_s(index, 4, first)
                left = 10
        elif left > 0:
            left = 10 if heard else left - 1


def _yamcam_heard(part: Grid, classes: Classes) -> NDArray[np.bool_]:
    """A group's composite: its best class, helped along by every other that is at least 0.1."""
    scores = part.scores[:, list(classes)]
    best = np.where(scores >= 0.1, scores, 0.0).max(axis=1)
    helped = np.minimum(best + 0.1 * (scores >= 0.1).sum(axis=1), 0.95)
    composite = np.where(best > 0.7, best, helped)
    return np.asarray((composite >= 0.5) & (best > 0.0))


def half_overlap(grid: Grid, sounds: Sequence[str], threshold: float = 0.5) -> list[Run]:
    """The plain loop: each time that a score reaches it which the window before did not."""
    return [tuple(_half_overlap_run(grid, sounds, first, threshold)) for first in range(2)]


def _half_overlap_run(
    grid: Grid, sounds: Sequence[str], first: int, threshold: float
) -> Iterator[Decision]:
    part = grid.every(2, first)
    for sound in sounds:
        heard = _best(part, FAMILIES[sound]) >= threshold
        before = np.concatenate([[False], heard[:-1]])
        for index in np.flatnonzero(heard & ~before):
            yield _decision(sound, grid.end_s(int(index), 2, first))
