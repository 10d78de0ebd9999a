"""How good a clip classifier is: cross-validated by group, against always the same answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.workbench.clipmodels import (
    Fitted,
    Lessons,
    Numbers,
    fewest_groups,
    one_thread,
    splits,
)
from detector.workbench.metrics import Interval

Fit = Callable[[Lessons], Fitted]

REPEATS = 5
"""Divisions into folds, of which the mean is told: by one, the figures would be half chance."""
SHUFFLES = 40
"""Times that the same is done with labels by chance."""
_DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of cross-validating one way to learn."""

    name: str
    confusion: Numbers
    """Truth by answer, shape (labels, labels): clips, the mean over the repeats."""
    balanced_accuracy: Interval
    """The mean of the labels' recalls; 95 % by drawing groups."""
    shuffled: Interval
    """The same where labels were dealt to groups and clips by chance: the mean, and 95 %."""
    accuracy: float

    @property
    def recalls(self) -> Numbers:
        """Of each label, shape (labels,)."""
        return np.asarray(self.confusion.diagonal() / self.confusion.sum(axis=1))

    @property
    def chance(self) -> float:
        """The balanced accuracy of always the same answer, and of guessing."""
        return 1.0 / len(self.confusion)

    @property
    def usual(self) -> float:
        """The accuracy of always answering the most frequent label."""
        clips = self.confusion.sum(axis=1)
        return float(clips.max() / clips.sum())

    @property
    def is_better_than_chance(self) -> bool:
        """Whether the whole interval is above chance, and it is above what labels by chance reach.

        The interval alone does not do: it knows nothing of what another training would have made.
        """
        reached = self.balanced_accuracy.value > self.shuffled.high
        return reached and self.balanced_accuracy.low > self.chance


def cross_validate(
    name: str,
    fit: Fit,
    lessons: Lessons,
    *,
    folds: int,
    seed: int = 0,
    shuffles: int = SHUFFLES,
) -> Trial:
    """Every clip is told by what was learnt without its group, once in each repeat.

    The same is done so many times, at least once, with labels that mean nothing.  Raises DataError
    where the groups cannot be split.
    """
    with one_thread():
        answers = np.stack([_answers(fit, lessons, folds, seed + at) for at in range(REPEATS)])
        chance = _by_chance(fit, lessons, folds, shuffles)
    count = len(lessons.labels)
    confusion = np.zeros((count, count))
    for of_repeat in answers:
        np.add.at(confusion, (lessons.truths, of_repeat), 1.0 / REPEATS)
    right = (answers == lessons.truths).mean(axis=0)
    balanced = _balanced(lessons, right, seed)
    return Trial(name, confusion, balanced, chance, float(right.mean()))


def _by_chance(fit: Fit, lessons: Lessons, folds: int, shuffles: int) -> Interval:
    """What balanced accuracy such groups, learnt so, have where there is nothing to learn."""
    found = []
    for seed in range(shuffles):
        without = _shuffled(lessons, np.random.default_rng(seed))
        right = _answers(fit, without, folds, seed) == without.truths
        labels = range(len(lessons.labels))
        found.append(float(np.mean([right[without.truths == place].mean() for place in labels])))
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(float(np.mean(found)), float(low), float(high))


def _shuffled(lessons: Lessons, rng: np.random.Generator) -> Lessons:
    """Every group has the labels of another, as often as it has clips, in any order."""
    names, place = np.unique(np.array(lessons.groups), return_inverse=True)
    rows = [np.flatnonzero(place == number) for number in range(len(names))]
    truths = lessons.truths.copy()
    while True:
        for mine, theirs in enumerate(rng.permutation(len(names))):
            dealt = np.resize(lessons.truths[rows[theirs]], len(rows[mine]))
            truths[rows[mine]] = rng.permutation(dealt)
        shuffled = replace(lessons, truths=truths)
        if fewest_groups(shuffled) >= 2:
            return shuffled


def _answers(fit: Fit, lessons: Lessons, folds: int, seed: int) -> NDArray[np.intp]:
    """The likeliest label of each clip, shape (clips,)."""
    answers = np.zeros(len(lessons.truths), np.intp)
    for learn, held_out in splits(lessons, folds, seed):
        fitted = fit(lessons.part(learn))
        answers[held_out] = fitted(lessons.features[held_out]).argmax(axis=1)
    return answers


def _balanced(lessons: Lessons, right: Numbers, seed: int) -> Interval:
    """Of ``right``, the share of repeats in which each clip was told right, shape (clips,).

    Clips of one group are not independent: groups are drawn with replacement, each with all of its
    clips; draws that lack a label say nothing.
    """
    names, place = np.unique(np.array(lessons.groups), return_inverse=True)
    clips = np.zeros((len(names), len(lessons.labels)))
    hits = np.zeros_like(clips)
    np.add.at(clips, (place, lessons.truths), 1.0)
    np.add.at(hits, (place, lessons.truths), right)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=_DRAWS)
    of_labels, found = drawn @ clips, drawn @ hits
    whole = (of_labels > 0).all(axis=1)
    balanced = (found[whole] / of_labels[whole]).mean(axis=1)
    low, high = np.percentile(balanced, [2.5, 97.5])
    value = float((hits.sum(axis=0) / clips.sum(axis=0)).mean())
    return Interval(value, float(low), float(high))
