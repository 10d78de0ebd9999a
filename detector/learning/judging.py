"""How well a sound would be told from everything else, before it is switched on.

Every take and every background is judged by a classifier that has learnt from neither it nor its
group.  A threshold is chosen that keeps false alarms within a budget; what it then finds of the
takes, and what it still raises falsely, is told with intervals.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Array
from detector.learning.augmenting import Heard
from detector.learning.backgrounds import EVENING, Backgrounds
from detector.learning.classifier import Linear, fit, sphere_of
from detector.learning.intervals import Interval, rate_interval, recall_interval

MOST_ALARMS_PER_HOUR = 2.0
"""In backgrounds that are full of sounds of all kinds, one after the other."""
_FEWEST_FOLDS, _MOST_FOLDS = 3, 5
_JOIN_S = 5.0
"""Windows so near to one another are one alarm."""
_MARGIN = 0.1
"""Of the way from what backgrounds reach to what all but the weakest takes do."""
_USUAL_PROBABILITY_LOG_ODDS = 2.2
"""What a usual take is to get: 0.9."""
_RIVAL_SHARE = 0.9
"""So many of another sound's takes must stay below the threshold."""
_RIVAL_WEIGHT = 0.15
"""Of all that it must not be, if there are other sounds of one's own."""

Rivals = Mapping[str, Sequence[Heard]]
"""The other sounds of one's own, by name: the takes of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be expected."""

    found: tuple[bool, ...]
    """Of each take: whether a classifier that learnt from the others alone finds it as it is."""
    versions_found: float | None
    """The share of all versions that it finds: other rooms, levels, noises. None where there are
    none, since no audio was there to make them of."""
    alarms: int
    hours: float
    """Of backgrounds, without evenings of one's own."""
    evening_alarms: int
    evening_hours: float
    mistaken: tuple[tuple[str, int], ...]
    """Kinds of backgrounds that raise most where half of the takes are found."""
    rival: str = ""
    """The other sound that sets the threshold, if one does."""
    likeness: tuple[float, ...] = field(default=())
    """Of each take: how like the others it is, -1 … 1."""

    @property
    def recall(self) -> Interval:
        """Share of the takes that is found."""
        return recall_interval(sum(self.found), len(self.found))

    @property
    def alarms_a_day(self) -> Interval:
        """False alarms in 24 hours of such backgrounds."""
        return _a_day(self.alarms, self.hours)

    @property
    def evening_alarms_a_day(self) -> Interval:
        """The same in one's own evenings."""
        return _a_day(self.evening_alarms, self.evening_hours)


@dataclass(frozen=True, slots=True)
class Learnt:
    """A classifier whose log-odds are 0 at its threshold, and what is to be expected of it."""

    classifier: Linear
    verdict: Verdict


def _a_day(alarms: int, hours: float) -> Interval:
    an_hour = rate_interval(alarms, hours)
    return Interval(*(24.0 * one for one in (an_hour.value, an_hour.low, an_hour.high)))


def learn(
    takes: Sequence[Heard],
    backgrounds: Backgrounds,
    rivals: Rivals,
    *,
    most_alarms_per_hour: float = MOST_ALARMS_PER_HOUR,
) -> Learnt:
    """Learn a sound from at least three takes, and judge it."""
    held_out = _HeldOut.of(takes, backgrounds, rivals)
    threshold, rival = held_out.threshold(most_alarms_per_hour)
    usual = float(np.median(held_out.best_of_takes))
    slope = _USUAL_PROBABILITY_LOG_ODDS / max(usual - threshold, 0.5)
    everything = np.ones(len(takes), np.bool_)
    whole = _fitted(takes, everything, backgrounds, rivals)
    verdict = held_out.verdict(threshold, rival, likeness(takes, backgrounds))
    return Learnt(whole.moved(threshold, slope), verdict)


def likeness(takes: Sequence[Heard], backgrounds: Backgrounds) -> tuple[float, ...]:
    """How like the mean of the others each take is: the cosine on the sphere."""
    sphere = sphere_of(backgrounds.embeddings)
    means = np.stack([_unit(sphere(take.embeddings).mean(axis=0)) for take in takes])
    others = (means.sum(axis=0) - means) / max(1, len(means) - 1)
    return tuple(float(mean @ _unit(other)) for mean, other in zip(means, others, strict=True))


def _unit(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def _fitted(
    takes: Sequence[Heard], chosen: NDArray[np.bool_], backgrounds: Backgrounds, rivals: Rivals
) -> Linear:
    """From the chosen takes; every take weighs alike."""
    ours = [take for take, is_chosen in zip(takes, chosen, strict=True) if is_chosen]
    theirs = [take.embeddings for of_rival in rivals.values() for take in of_rival]
    around = [take.around for take in ours if len(take.around)]
    negatives = [backgrounds.embeddings, *around, *theirs]
    usual = np.ones(sum(map(len, negatives[: 1 + len(around)])), np.float32)
    rest = sum(map(len, theirs))
    of_rivals = np.full(rest, _RIVAL_WEIGHT / (1 - _RIVAL_WEIGHT) * len(usual) / max(1, rest))
    return fit(
        sphere_of(backgrounds.embeddings),
        np.concatenate([take.embeddings for take in ours]),
        np.concatenate(negatives),
        positive_weights=np.concatenate(
            [np.full(len(take.embeddings), 1.0 / len(take.embeddings), np.float32) for take in ours]
        ),
        negative_weights=np.concatenate([usual, of_rivals.astype(np.float32)]),
    )


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Log-odds of everything by classifiers that had not heard it."""

    takes: Sequence[Heard]
    of_takes: Sequence[Array]
    """Of each take, shape (windows,)."""
    backgrounds: Backgrounds
    of_backgrounds: Array
    of_rivals: Mapping[str, Array]
    """By name: the largest of each take, shape (takes,)."""

    @classmethod
    def of(cls, takes: Sequence[Heard], backgrounds: Backgrounds, rivals: Rivals) -> "_HeldOut":
        folds = min(max(len(takes), _FEWEST_FOLDS), _MOST_FOLDS)
        take_folds = np.arange(len(takes)) % folds
        group_folds = _dealt(backgrounds.groups, folds)
        of_takes: list[Array] = [np.zeros(0, np.float32)] * len(takes)
        of_backgrounds = np.zeros(len(backgrounds.embeddings), np.float32)
        of_rivals = {name: np.zeros(len(of_rival)) for name, of_rival in rivals.items()}
        for fold in range(folds):
            kept = {
                name: [one for number, one in enumerate(of_rival) if number % folds != fold]
                for name, of_rival in rivals.items()
            }
            rest = backgrounds.only(group_folds != fold)
            classifier = _fitted(takes, take_folds != fold, rest, kept)
            for number in np.flatnonzero(take_folds == fold).tolist():
                of_takes[number] = classifier(takes[number].embeddings)
            mine = group_folds == fold
            of_backgrounds[mine] = classifier(backgrounds.embeddings[mine])
            for name, of_rival in rivals.items():
                for place in range(fold, len(of_rival), folds):
                    of_rivals[name][place] = classifier(of_rival[place].embeddings).max()
        theirs = {name: one.astype(np.float32) for name, one in of_rivals.items()}
        return cls(takes, of_takes, backgrounds, of_backgrounds, theirs)

    @property
    def best_of_takes(self) -> Array:
        """The largest log-odds of every version of every take."""
        return np.concatenate(
            [
                np.array([scores[take.versions == one].max() for one in np.unique(take.versions)])
                for take, scores in zip(self.takes, self.of_takes, strict=True)
            ]
        )

    @property
    def as_they_are(self) -> list[float]:
        """The largest log-odds of each take as it is."""
        return [
            float(scores[take.versions == take.versions.min()].max())
            for take, scores in zip(self.takes, self.of_takes, strict=True)
        ]

    def threshold(self, most_alarms_per_hour: float) -> tuple[float, str]:
        """The threshold, and which other sound sets it, if one does."""
        allowed = int(most_alarms_per_hour * self.backgrounds.hours)
        least = lowest_with(self.of_backgrounds, self.backgrounds, allowed)
        setter = ""
        for name, scores in self.of_rivals.items():
            if float(np.quantile(scores, _RIVAL_SHARE)) > least:
                least, setter = float(np.quantile(scores, _RIVAL_SHARE)), name
        reached = float(np.quantile(self.best_of_takes, 0.1))
        return least + _MARGIN * max(0.0, reached - least), setter

    def verdict(self, threshold: float, rival: str, like: tuple[float, ...]) -> Verdict:
        """What comes of it at a threshold."""
        own = self.backgrounds.of_kind(EVENING)
        others = (one[1:] for one in self._best_by_take())  # the first is the take as it is
        shares = [float(np.mean(one >= threshold)) for one in others if len(one)]
        half = float(np.median(self.as_they_are))
        mistaken = Counter(self._kinds_of(alarms(self.of_backgrounds, self.backgrounds, half)))
        return Verdict(
            found=tuple(one >= threshold for one in self.as_they_are),
            versions_found=float(np.mean(shares)) if shares else None,
            alarms=self._count(threshold, ~own),
            hours=self.backgrounds.only(~own).hours,
            evening_alarms=self._count(threshold, own),
            evening_hours=self.backgrounds.only(own).hours,
            mistaken=tuple(mistaken.most_common(3)),
            rival=rival,
            likeness=like,
        )

    def _best_by_take(self) -> Iterator[Array]:
        for take, scores in zip(self.takes, self.of_takes, strict=True):
            versions = np.unique(take.versions)
            yield np.array([scores[take.versions == one].max() for one in versions])

    def _count(self, threshold: float, chosen: NDArray[np.bool_]) -> int:
        return len(alarms(self.of_backgrounds[chosen], self.backgrounds.only(chosen), threshold))

    def _kinds_of(self, windows: NDArray[np.intp]) -> list[str]:
        return [self.backgrounds.kinds[self.backgrounds.kind_of[window]] for window in windows]


def _dealt(groups: NDArray[np.intp], folds: int) -> NDArray[np.intp]:
    """The fold of each window: groups are dealt out evenly, the longest first."""
    numbers, counts = np.unique(groups, return_counts=True)
    loads, fold_of = [0] * folds, dict[int, int]()
    for place in np.argsort(-counts, kind="stable"):
        fold = loads.index(min(loads))
        fold_of[int(numbers[place])] = fold
        loads[fold] += int(counts[place])
    return np.array([fold_of[int(group)] for group in groups], np.intp)


def alarms(scores: Array, backgrounds: Backgrounds, threshold: float) -> NDArray[np.intp]:
    """The windows, indices, at which alarms begin; those near one another are one."""
    over = np.flatnonzero(scores >= threshold)
    joins = max(1, round(_JOIN_S / backgrounds.hop_s))
    same = np.diff(backgrounds.recordings[over], prepend=-1) == 0
    near = np.diff(over, prepend=-joins - 1) <= joins
    return np.asarray(over[~(same & near)])


def lowest_with(scores: Array, backgrounds: Backgrounds, allowed: int) -> float:
    """The lowest threshold at which no more alarms are raised than are allowed."""
    if not len(scores):
        return 0.0
    best = float(scores.max()) + 1e-3
    for candidate in np.sort(scores)[::-1][: 50 * (allowed + 1)]:
        if len(alarms(scores, backgrounds, float(candidate))) > allowed:
            break
        best = float(candidate)
    return best
