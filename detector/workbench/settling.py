"""From scores of trials to a curve and a threshold; and how good they are on what is unheard."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.config import SoundConfig
from detector.events.refit import Line, refit
from detector.workbench.course import FOLDS, Course
from detector.workbench.metrics import Interval, rate_interval, recall_interval
from detector.workbench.trials import Levels, Outcome, Trial, outcome

SNRS_DB = (20.0, 10.0, 3.0)
Scores = Callable[[int, frozenset[int]], list[Levels]]
"""Of a pool's trials, by what has heard nothing of the pool nor of some others."""
_PRIOR_WORTH = 4.0
"""Windows on either side that the bare curve counts for: none, where there are thousands."""
_RELEASE_SHARE = 0.6
_LEAST, _LARGEST = 0.05, 0.995
_LEAST_SCORE = 0.2
"""A bare score that is settled on a handful of recordings is not trusted below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """False alarms that a threshold may raise."""

    per_hour: float = 0.5
    """In scenes where a sound of some other kind comes every half minute or so."""
    quiet_per_hour: float = 0.3
    """In evenings of background and noises of the house, by their tail."""


@dataclass(frozen=True, slots=True)
class Road:
    """A sound, and one way to tell it."""

    sound: str
    config: SoundConfig
    """Of which the times count."""
    scores: Scores
    has_curve: bool = True
    """Whether there is enough to fit a curve on."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A curve and a threshold."""

    line: Line
    threshold: float
    """A probability."""

    @property
    def release_threshold(self) -> float:
        """Below which the sound is gone."""
        return round(_RELEASE_SHARE * self.threshold, 3)

    @property
    def score(self) -> float:
        """The log-odds before the curve at which the threshold lies."""
        odds = math.log(self.threshold / (1.0 - self.threshold))
        return (odds - self.line.offset) / self.line.slope


@dataclass(frozen=True, slots=True)
class Figures:
    """What thresholds do on pools that neither they nor the heads have heard."""

    recalls: dict[float, Interval]
    """By ratio."""
    events: int
    """Of each ratio."""
    per_hour: Interval
    false_alarms: int
    hours: float
    quiet_false_alarms: int
    quiet_hours: float
    causes: tuple[str, ...]
    """What raised the false alarms."""


def settle(
    road: Road, trials: Sequence[Trial], scores: Sequence[Levels], budget: Budget, hop_s: float
) -> Settled:
    """Fit a curve, and choose the lowest threshold that keeps within the budget."""
    truths = np.concatenate([one.truths(road.sound) for one in trials])
    told = truths >= 0
    values, right = np.concatenate(scores)[told], truths[told] == 1
    line = Line()
    if road.has_curve and right.any():
        line = refit(values, right, np.ones(len(values)), before=line, worth=_PRIOR_WORTH)
    score = outcome(trials, scores, road.sound, road.config, hop_s).threshold(
        budget.per_hour, budget.quiet_per_hour
    )
    probability = float(line(np.array([score]))[0])
    least = _LEAST if road.has_curve else _LEAST_SCORE
    return Settled(line, min(_LARGEST, max(least, math.ceil(1000.0 * probability) / 1000.0)))


def settled(
    course: Course, road: Road, budget: Budget, left_out: frozenset[int] = frozenset()
) -> Settled:
    """By what every pool, but those left out, says of what has not heard it."""
    folds = [fold for fold in range(FOLDS) if fold not in left_out]
    trials = [trial for fold in folds for trial in course.trials[fold]]
    scores = [one for fold in folds for one in road.scores(fold, left_out)]
    return settle(road, trials, scores, budget, course.recogniser.spec.hop_s)


def figures(course: Course, road: Road, by_fold: Sequence[Settled]) -> Figures:
    """Each pool at what was settled without it, by what has heard nothing of it."""
    hop_s = course.recogniser.spec.hop_s
    outcomes = [
        outcome(course.trials[fold], road.scores(fold, frozenset()), road.sound, road.config, hop_s)
        for fold in range(FOLDS)
    ]
    return _figures(outcomes, [one.score for one in by_fold])


def _figures(outcomes: Sequence[Outcome], scores: Sequence[float]) -> Figures:
    recalls, events = {}, 0
    pairs = list(zip(outcomes, scores, strict=True))
    for snr_db in SNRS_DB:
        found, there = (sum(c) for c in zip(*(o.recall(s, snr_db) for o, s in pairs), strict=True))
        recalls[snr_db], events = recall_interval(found, there), max(events, there)
    false_alarms = sum(one.false_alarms(score) for one, score in pairs)
    hours = sum(one.hours for one in outcomes)
    return Figures(
        recalls,
        events,
        rate_interval(false_alarms, hours),
        false_alarms,
        hours,
        sum(int(np.sum(one.quiet >= score)) for one, score in pairs),
        sum(one.quiet_hours for one in outcomes),
        tuple(c for one, score in pairs for c in one.causes[: one.false_alarms(score)]),
    )
