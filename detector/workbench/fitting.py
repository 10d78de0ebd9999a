"""One sound's calibration: fitted on groups of recordings, judged on groups that it has not seen.

What a window is worth: every group counts once on each side of the truth, however long its
recordings are, and both sides count alike.  A sound is rarer than that: the curves are moved to
where one window in twenty would hold it, so that a probability means about what a listener would
say, and thresholds do not all crowd together below 1.  The curve that was there before takes part
as if it had seen some groups itself: a few recordings refine it, and many outweigh it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.events.refit import Line, Numbers, balanced, refit
from detector.workbench.dataset import LabelledSound
from detector.workbench.folds import fold_of_groups
from detector.workbench.scoring import Heard, Road

FEWEST_GROUPS = 4
"""With the sound, and as many without: fewer tell nothing about a group that was not there."""
MOST_FOLDS = 5
WORTH_FOUNDED = 4.0
"""Groups that a curve is taken to have seen that rests on evidence."""
WORTH_UNFOUNDED = 1.0
"""The same for a bare score."""
_SHARE_S = 0.3
"""So much of a sound a window must hold to be one of it: what the model needs to hear it."""

RARITY = math.log(1.0 / 19.0)
"""Log-odds of a window that holds the sound, before it is heard."""

Truths = NDArray[np.int8]
"""1 where a window holds the sound, 0 where it does not, −1 where nobody can tell."""
Lines = Mapping[int, Line]
"""By a road's place: the curve of its logit."""


@dataclass(frozen=True, slots=True)
class Example:
    """A recording, as far as it tells of one sound."""

    heard: Heard
    truths: Truths
    """Shape (windows,)."""

    @property
    def group(self) -> str:
        """What it has in common with others."""
        return self.heard.recording.group

    @property
    def holds_it(self) -> bool:
        """Whether the sound is in it."""
        return bool(np.any(self.truths == 1))

    @property
    def is_free_of_it(self) -> bool:
        """Whether an alarm in it would be false, wherever."""
        return bool(len(self.truths)) and bool(np.all(self.truths == 0))


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learnt of one sound."""

    sound: str
    roads: tuple[Road, ...]
    lines: Lines
    """Fitted on everything: what is put in force."""
    examples: tuple[Example, ...]
    folds: tuple[int, ...]
    """In which fold each example was held out."""
    before: tuple[Numbers, ...]
    """Probabilities as they were, shape (windows,) each."""
    unseen: tuple[Numbers, ...]
    """Probabilities by curves that had not seen the example's group, shape (windows,) each."""


def example_of(heard: Heard, sound: str) -> Example:
    """What a recording tells of a sound."""
    recording = heard.recording
    if recording.is_strong:
        return Example(heard, _marked(heard, [e for e in recording.events if e.sound == sound]))
    if recording.meaning.sound == sound:
        truths = np.where(heard.sounding_s >= _SHARE_S, 1, -1).astype(np.int8)
        if len(truths) and not np.any(truths == 1):
            truths[int(np.argmax(heard.sounding_s))] = 1  # shorter than that, but it is there
        return Example(heard, truths)
    unsure = sound in recording.meaning.may_hold
    return Example(heard, np.full(len(heard.end_s), -1 if unsure else 0, np.int8))


def _marked(heard: Heard, events: Sequence[LabelledSound]) -> Truths:
    """From marked times: what touches an event a little is neither."""
    held_s = np.zeros(len(heard.end_s))
    enough = np.zeros(len(heard.end_s), np.bool_)
    for event in events:
        overlap = np.minimum(heard.end_s, event.offset_s) - np.maximum(heard.start_s, event.onset_s)
        held_s = np.maximum(held_s, overlap)
        enough |= overlap >= min(_SHARE_S, 0.8 * (event.offset_s - event.onset_s))
    return np.where(enough & (held_s > 0), 1, np.where(held_s > 0, -1, 0)).astype(np.int8)


def fit_sound(sound: str, roads: Sequence[Road], heard: Sequence[Heard], *, seed: int = 0) -> Fit:
    """Calibrate a sound.

    Raises DataError where the recordings cannot support it: too few groups on either side, or
    scores that are no higher with the sound than without.
    """
    mine = tuple(road for road in roads if road.sound == sound)
    examples = tuple(one for one in (example_of(each, sound) for each in heard) if _tells(one))
    fewest = _check_groups(sound, examples)
    count = min(MOST_FOLDS, fewest)
    dealt = fold_of_groups([one.heard.recording for one in examples], folds=count, seed=seed)
    folds = tuple(dealt[one.group] for one in examples)
    lines = _lines(mine, examples)
    _check_lines(sound, mine, lines)
    by_fold = [
        _lines(mine, [one for one, n in zip(examples, folds, strict=True) if n != fold])
        for fold in range(count)
    ]
    return Fit(
        sound,
        mine,
        lines,
        examples,
        folds,
        tuple(probabilities(mine, None, one.heard) for one in examples),
        tuple(
            probabilities(mine, by_fold[fold], one.heard)
            for one, fold in zip(examples, folds, strict=True)
        ),
    )


def probabilities(roads: Sequence[Road], lines: Lines | None, heard: Heard) -> Numbers:
    """Of a sound in a recording, shape (windows,): the largest of its roads'; None: as before."""
    return np.asarray(np.max([_of_road(road, lines, heard) for road in roads], axis=0))


def _of_road(road: Road, lines: Lines | None, heard: Heard) -> Numbers:
    given = heard.given[road.sound, road.place]
    if not road.can_be_refined:
        return np.asarray(given, np.float64)
    line = road.before if lines is None else lines[road.place]
    if lines is None and not road.is_founded:
        return np.asarray(given, np.float64)
    return line(road.logits(given))


def _lines(roads: Sequence[Road], examples: Sequence[Example]) -> Lines:
    told = [one.truths >= 0 for one in examples]
    truths = np.concatenate([one.truths[k] == 1 for one, k in zip(examples, told, strict=True)])
    groups = _numbered([one.group for one in examples], told)
    weights = balanced(truths, groups)
    lines = {}
    for road in roads:
        if road.can_be_refined:
            given = [
                one.heard.given[road.sound, road.place][k]
                for one, k in zip(examples, told, strict=True)
            ]
            logits = road.logits(np.concatenate(given))
            lines[road.place] = _refitted(road, logits, truths, weights)
    return lines


def _refitted(road: Road, logits: Numbers, truths: NDArray[np.bool_], weights: Numbers) -> Line:
    """Near the road's own line; both are moved to even odds for it, as the weights are."""
    worth = WORTH_FOUNDED if road.is_founded else WORTH_UNFOUNDED
    even = Line(road.before.slope, road.before.offset - RARITY)
    line = refit(logits, truths, weights, before=even, worth=worth)
    return Line(line.slope, line.offset + RARITY)


def _numbered(groups: Sequence[str], told: Sequence[Any]) -> NDArray[np.intp]:
    numbers = {group: number for number, group in enumerate(sorted(set(groups)))}
    each = [np.full(int(k.sum()), numbers[g]) for g, k in zip(groups, told, strict=True)]
    return np.concatenate(each).astype(np.intp)


def _tells(example: Example) -> bool:
    return bool(np.any(example.truths >= 0))


def _check_groups(sound: str, examples: Sequence[Example]) -> int:
    """The fewest groups of the two sides; raises DataError where they are too few."""
    having = {one.group for one in examples if one.holds_it}
    lacking = {one.group for one in examples if np.any(one.truths == 0)}
    record = f"detector record --sound {sound}", "detector record, for an evening"
    for groups, how, by in ((having, "with it", record[0]), (lacking, "without it", record[1])):
        if not groups:
            raise DataError(
                f"{sound}: no recordings {how}: there must be some of both, from {FEWEST_GROUPS} "
                f"groups each ({by})"
            )
        if len(groups) < FEWEST_GROUPS:
            raise DataError(
                f"{sound}: recordings {how} from {_groups(len(groups))}; {FEWEST_GROUPS} are "
                f"needed: record {FEWEST_GROUPS - len(groups)} more (another day, room or voice "
                "makes a group)"
            )
    return min(len(having), len(lacking))


def _groups(count: int) -> str:
    return f"{count} group{'' if count == 1 else 's'}"


def _check_lines(sound: str, roads: Sequence[Road], lines: Lines) -> None:
    if not lines:
        raise DataError(
            f"{sound}: nothing to calibrate: it rests on a cadence alone, which is there or not"
        )
    for road in roads:
        if road.place in lines and lines[road.place].slope <= 0.0:
            raise DataError(
                f"{sound}: evidence[{road.place}] is no higher where the sound is than where it is "
                "not: are the labels right?"
            )
