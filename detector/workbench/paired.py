"""How far two recalls over the same events lie apart, and whether chance explains it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detector.workbench.metrics import Interval, recall_interval

Numbers = NDArray[np.float64]

_RESAMPLES = 2_000
_SEED = 4


def difference(ours: Numbers, theirs: Numbers, groups: Sequence[str]) -> Interval:
    """Of recalls, ours less theirs, with an interval of 95 %.

    ``ours`` and ``theirs`` are the shares of runs that found each event, shape (events,);
    ``groups`` are the events' groups of recordings.  The interval is wide enough for two reasons:
    that events are few (``newcombe``), and that those of one group are alike (``by_groups``).
    """
    if len(ours) == 0:
        return Interval(math.nan, -1.0, 1.0)
    few, alike = newcombe(ours, theirs), by_groups(ours - theirs, groups)
    return Interval(few.value, min(few.low, alike.low), max(few.high, alike.high))


def newcombe(ours: Numbers, theirs: Numbers) -> Interval:
    """R. G. Newcombe's interval for paired shares (1998, method 10), each event by itself."""
    count = len(ours)
    mine, other = (recall_interval(float(one.sum()), count) for one in (ours, theirs))
    apart = mine.value - other.value
    phi = _correlation(ours, theirs)
    low = _reach(mine.value - mine.low, other.high - other.value, phi)
    high = _reach(mine.high - mine.value, other.value - other.low, phi)
    return Interval(apart, max(-1.0, apart - low), min(1.0, apart + high))


def by_groups(apart: Numbers, groups: Sequence[str]) -> Interval:
    """The bootstrap's percentiles (B. Efron, 1979), groups of events being drawn, not events."""
    names, of_group = np.unique(np.array(groups), return_inverse=True)
    sums = np.bincount(of_group, weights=apart)
    counts = np.bincount(of_group)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=_RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(apart.mean()), float(low), float(high))


def _reach(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one**2 - 2.0 * phi * one * other + other**2))


def _correlation(ours: Numbers, theirs: Numbers) -> float:
    """Of who found what, with the correction for continuity that the method asks for."""
    both, neither = float(np.sum(ours * theirs)), float(np.sum((1.0 - ours) * (1.0 - theirs)))
    mine, other = float(np.sum(ours * (1.0 - theirs))), float(np.sum((1.0 - ours) * theirs))
    sides = (both + mine) * (other + neither) * (both + other) * (mine + neither)
    if sides <= 0.0:
        return 0.0
    cross = both * neither - mine * other
    if cross > 0.0:
        cross = max(0.0, cross - len(ours) / 2.0)
    return cross / math.sqrt(sides)
