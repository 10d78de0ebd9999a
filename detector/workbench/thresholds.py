"""From what people ask for to a threshold, and what the recordings support of it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from detector.config import SoundConfig
from detector.core.errors import DataError
from detector.core.events import Phase
from detector.events.gate import Gate, GateSettings
from detector.events.refit import Numbers
from detector.service import build
from detector.workbench.fitting import Example, Fit
from detector.workbench.matching import Decision, match
from detector.workbench.metrics import Interval, rate_interval, recall_interval, zero_bound

_PER = {"h": 1.0, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(h|hour|day|week|month)")
GRID: Numbers = np.unique(np.round(1.0 / (1.0 + np.exp(-np.linspace(-3.2, 4.6, 60))), 3))
"""Thresholds that are tried: 0.039 … 0.99."""
MOST_OF_IT = 0.9
"""The share of what could be found for which a threshold is lowered on little evidence."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a person asks for; one of the two."""

    text: str
    most_per_hour: float | None = None
    least_recall: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one recording at every threshold of the grid."""

    events: int
    """How often the sound is in it."""
    hits: NDArray[np.float64]
    """Shape (thresholds,)."""
    false_alarms: NDArray[np.float64]
    """Shape (thresholds,)."""
    false_at: tuple[tuple[float, float], ...]
    """Where, and at which largest threshold of the grid each was raised: (seconds, threshold)."""
    seconds: float
    """In which an alarm would be false; 0 where nobody could tell."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a threshold does on recordings that it was not chosen on."""

    recall: Interval
    """By groups: each counts once."""
    groups: int
    per_hour: Interval
    false_alarms: int
    hours: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold, and what it rests on."""

    threshold: float
    release_threshold: float
    figures: Figures
    supported: str
    """What the recordings support of the target, in words; empty where they support it."""


def read_rate(text: str) -> Target:
    """``1/day``, ``0.5/h``; raises ValueError for what is none."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a rate such as 1/day, 0.5/h or 2/week")
    return Target(f"at most {text} false alarms", most_per_hour=float(found[1]) / _PER[found[2]])


def read_recall(text: str) -> Target:
    """``0.95``; raises ValueError for what is none."""
    share = float(text) if re.fullmatch(r"\d*\.?\d+", text) else math.nan
    if not 0.0 < share < 1.0:
        raise ValueError(f"{text!r} is not a share between 0 and 1, such as 0.95")
    return Target(f"a recall of at least {text}", least_recall=share)


def hours_text(hours: float) -> str:
    """``3.1 h``, or ``1.2 min`` where it is little."""
    return f"{hours:.1f} h" if hours >= 0.95 else f"{60.0 * hours:.1f} min"


def alarms_text(count: int) -> str:
    """``1 false alarm``, ``2 false alarms``."""
    return f"{count} false alarm{'' if count == 1 else 's'}"


def rate_text(per_hour: float) -> str:
    """``0.042/h``, ``150/h``: two digits."""
    shown = f"{float(f'{per_hour:.2g}'):g}"
    return f"{shown}/h"


def tally(example: Example, sound: str, config: SoundConfig, unseen: Numbers) -> Tally:
    """Drive the sound's gate over a recording, at every threshold of the grid."""
    events = [one for one in example.heard.recording.events if one.sound == sound]
    is_weak = not example.heard.recording.is_strong
    hits, false_alarms = np.zeros(len(GRID)), np.zeros(len(GRID))
    false_at: dict[float, float] = {}
    judged = example.is_free_of_it or not is_weak
    for place, threshold in enumerate(GRID):
        if unseen.max(initial=0.0) < threshold:
            break
        told = _onsets(example, config, float(threshold), unseen)
        if is_weak and example.holds_it:
            hits[place] = float(bool(told))
        elif judged:
            matched = match([Decision(sound, one) for one in told], events)
            hits[place], false_alarms[place] = len(matched.found), len(matched.false_alarms)
            false_at |= {one.told_s: float(threshold) for one in matched.false_alarms}
    held = int(example.holds_it) if is_weak else len(events)
    seconds = example.heard.seconds if judged else 0.0
    return Tally(held, hits, false_alarms, tuple(sorted(false_at.items())), seconds)


def _onsets(
    example: Example, config: SoundConfig, threshold: float, unseen: Numbers
) -> list[float]:
    gate = Gate(gate_settings(config, threshold))
    windows = zip(unseen, example.heard.start_s, example.heard.end_s, strict=True)
    told = []
    for probability, start_s, end_s in windows:
        transition = gate.step(float(probability), float(start_s), float(end_s))
        if transition is not None and transition.phase is Phase.ONSET:
            told.append(float(end_s))
    return told


def gate_settings(config: SoundConfig, threshold: float) -> GateSettings:
    """As the daemon has them, at another threshold."""
    return replace(
        build.gate_settings(config),
        threshold=threshold,
        release_threshold=release_of(config, threshold),
    )


def release_of(config: SoundConfig, threshold: float) -> float:
    """In the configured proportion."""
    return round(threshold * config.release_threshold / config.threshold, 3)


def choose(fit: Fit, config: SoundConfig, target: Target, tallies: Sequence[Tally]) -> Choice:
    """The threshold for a target; raises DataError where there is none.

    Its figures are of thresholds that were chosen in the same way on the other folds.
    """
    groups, least = [one.group for one in fit.examples], _place_before(fit, config)
    try:
        place = _place(fit.sound, target, tallies, groups, least)
    except DataError as error:
        raise DataError(f"{error}{_worst(fit, tallies, target)}") from None
    figures = _unseen_figures(fit, target, tallies, groups, least)
    if not figures.recall.value > 0.0:
        raise DataError(
            f"{fit.sound}: {target.text} can be kept to, but then nothing of it is found: allow "
            "more, or record it nearer"
        )
    threshold = float(GRID[place])
    return Choice(threshold, release_of(config, threshold), figures, _supported(target, figures))


def _worst(fit: Fit, tallies: Sequence[Tally], target: Target) -> str:
    """Where to look for why a target cannot be had."""
    paths = [one.heard.recording.path for one in fit.examples]
    if target.most_per_hour is None:
        missed = [
            path for path, one in zip(paths, tallies, strict=True) if one.hits[0] < one.events
        ]
        return f"; {missed[0]} is one that is missed" if missed else ""
    alarms = [
        (threshold, at_s, path)
        for path, one in zip(paths, tallies, strict=True)
        for at_s, threshold in one.false_at
    ]
    if not alarms:
        return ""
    _, at_s, path = max(alarms, key=lambda alarm: alarm[0])
    return f"; the worst is at {at_s:.1f} s of {path}"


def recalls(tallies: Sequence[Tally], groups: Sequence[str]) -> Numbers:
    """At every threshold: the mean over groups of the share that was found, shape (thresholds,)."""
    shares: dict[str, list[Numbers]] = {}
    for one, group in zip(tallies, groups, strict=True):
        if one.events:
            shares.setdefault(group, []).append(one.hits / one.events)
    of_groups = [np.mean(of_group, axis=0) for of_group in shares.values()]
    return np.asarray(np.mean(of_groups, axis=0))


def rates(tallies: Sequence[Tally]) -> tuple[Numbers, float]:
    """At every threshold: false alarms, shape (thresholds,); and the hours they are of."""
    return (
        np.sum([one.false_alarms for one in tallies], axis=0),
        sum(one.seconds for one in tallies) / 3600.0,
    )


def _place_before(fit: Fit, config: SoundConfig) -> int:
    """Which threshold of the grid lets through what the present one does."""
    before, now = np.concatenate(fit.before), np.concatenate(fit.unseen)
    through = now[before >= config.threshold]
    level = float(np.quantile(through, 0.05)) if len(through) else float(now.max())
    return min(int(np.sum(level > GRID)), len(GRID) - 1)


def _place(
    sound: str, target: Target, tallies: Sequence[Tally], groups: Sequence[str], least: int
) -> int:
    """Which threshold of the grid: of all that do equally well, the middle one.

    Where the hours are too few to show that a target is kept to, the present threshold is not
    lowered on their word further than is needed to find most of what could be found: it would
    cry wolf.
    """
    recall, (false_alarms, hours) = recalls(tallies, groups), rates(tallies)
    if target.most_per_hour is not None:
        good = false_alarms <= target.most_per_hour * hours
        first = _first_of_the_last_run(good)
        if first is None:
            raise DataError(
                f"{sound}: even at {GRID[-1]:g} there are {false_alarms[-1]:.0f} false alarms in "
                f"{hours_text(hours)}: {target.text} cannot be had"
            )
        if zero_bound(hours) > target.most_per_hour:
            found = np.flatnonzero(recall[: least + 1] >= MOST_OF_IT * recall[first])
            first = max(first, int(found[-1]) if len(found) else 0)
        return _middle(recall == recall[first], first, 1)
    good = recall >= (target.least_recall or 0.0)
    if not good[0]:
        raise DataError(
            f"{sound}: even at {GRID[0]:g} the recall is {recall[0]:.2f}: {target.text} cannot be "
            "had"
        )
    last = int(np.argmin(good)) - 1 if not good.all() else len(GRID) - 1
    return _middle(false_alarms == false_alarms[last], last, -1)


def _first_of_the_last_run(good: NDArray[np.bool_]) -> int | None:
    """The lowest threshold from which on all are good."""
    bad = np.flatnonzero(~good)
    first = int(bad[-1]) + 1 if len(bad) else 0
    return first if first < len(good) else None


def _middle(same: NDArray[np.bool_], start: int, step: int) -> int:
    """Half-way, from ``start`` in the direction of ``step``, through those that do the same."""
    end = start
    while 0 <= end + step < len(same) and same[end + step]:
        end += step
    return (start + end) // 2


def _unseen_figures(
    fit: Fit, target: Target, tallies: Sequence[Tally], groups: Sequence[str], least: int
) -> Figures:
    """Each fold at the threshold that the others choose."""
    chosen = []
    for one, fold in zip(tallies, fit.folds, strict=True):
        others = [n != fold for n in fit.folds]
        seen = list(compress(tallies, others)), list(compress(groups, others))
        place = _quiet_place(fit.sound, target, *seen, least)
        chosen.append(_at(one, place))
    recall = recalls(chosen, groups)[0]
    held = {group for one, group in zip(tallies, groups, strict=True) if one.events}
    false_alarms, hours = rates(chosen)
    return Figures(
        recall_interval(float(recall) * len(held), len(held)),
        len(held),
        rate_interval(float(false_alarms[0]), hours),
        int(false_alarms[0]),
        hours,
    )


def _quiet_place(
    sound: str, target: Target, tallies: Sequence[Tally], groups: Sequence[str], least: int
) -> int:
    try:
        return _place(sound, target, tallies, groups, least)
    except DataError:  # without one fold the target is out of reach: as near as can be
        return len(GRID) - 1 if target.most_per_hour is not None else 0


def _at(one: Tally, place: int) -> Tally:
    at = slice(place, place + 1)
    return replace(one, hits=one.hits[at], false_alarms=one.false_alarms[at])


def _supported(target: Target, figures: Figures) -> str:
    wanted = target.most_per_hour
    if wanted is None or figures.per_hour.high <= wanted:
        return ""
    count, hours = figures.false_alarms, figures.hours
    if count == 0:
        bound, needed = zero_bound(hours), zero_bound(1.0) / wanted
        if bound <= wanted:
            return ""
        return (
            f"0 false alarms in {hours_text(hours)} supports at most {rate_text(bound)} at 95 %: "
            f"record {needed:.0f} h without the sound to support {target.text}; until then the "
            "threshold is lowered no further than finding it needs"
        )
    return (
        f"{alarms_text(count)} in {hours_text(hours)} supports at most "
        f"{rate_text(figures.per_hour.high)} at 95 %, not {target.text} ({rate_text(wanted)})"
    )
