"""The classifiers that clips are told apart by: scikit-learn's, of the extra ``workbench``.

All are trained as if every label were equally frequent: their probabilities mean that too.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.core.recognition import Array
from detector.events.clips import ClipClassifier

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]

_STRENGTHS = (1e-3, 1e-2, 1e-1)
"""Of the weights' freedom (C): the one is taken that does best within the training data."""
_INNER_FOLDS = 3
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Lessons:
    """Clips to learn from; the first axis is theirs."""

    features: Array
    """Shape (clips, numbers)."""
    truths: Places
    """Which label, shape (clips,)."""
    groups: Sequence[str]
    labels: tuple[str, ...]

    def part(self, rows: Places) -> "Lessons":
        """Some of them."""
        groups = [self.groups[row] for row in rows]
        return Lessons(self.features[rows], self.truths[rows], groups, self.labels)


class Fitted(Protocol):
    """What has been learnt."""

    def __call__(self, features: Array) -> Numbers:
        """Probabilities of clips, shape (clips, numbers): shape (clips, labels)."""


def check_there() -> None:
    """Raise DataError where the extra is not installed."""
    try:
        import sklearn  # noqa: F401 - only whether it is there
    except ImportError:
        raise DataError(
            "training needs scikit-learn: pip install 'sound-event-detector[workbench]'"
        ) from None


def one_thread() -> AbstractContextManager[Any]:
    """Shared out over busy cores, so little work takes many times as long."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def splits(lessons: Lessons, folds: int, seed: int) -> Iterator[tuple[Places, Places]]:
    """What is learnt from and what is held out: no group on both sides, every label learnt from.

    Raises DataError where that cannot be had.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(folds, fewest_groups(lessons))
    everything = len(lessons.labels)
    for attempt in range(_TRIES if folds >= 2 else 0):
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + 1000 * attempt)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of labels with fewer clips than folds: checked here
            found = list(split.split(lessons.features, lessons.truths, lessons.groups))
        if all(len(np.unique(lessons.truths[learn])) == everything for learn, _ in found):
            yield from found
            return
    raise DataError(
        "the groups cannot be split so that every label is learnt from: record the rarest label "
        "with more of them"
    )


def logistic(lessons: Lessons) -> ClipClassifier:
    """Multinomial logistic regression, as the daemon runs it.

    How free its weights are is chosen by cross-validation within the lessons.
    """
    mean, scale = _standard(lessons.features)
    features = (lessons.features - mean) / scale
    model = _logistic(features, lessons.truths, _strength(lessons))
    weights, bias = model.coef_.T, model.intercept_
    if len(lessons.labels) == 2:  # scikit-learn tells the second's log-odds alone
        weights = np.concatenate([np.zeros_like(weights), weights], axis=1)
        bias = np.concatenate([np.zeros(1), bias])
    table = np.asarray(weights, np.float32)
    return ClipClassifier(lessons.labels, mean, scale, table, np.asarray(bias, np.float64))


def fit_logistic(lessons: Lessons) -> Fitted:
    """The same, for many clips at a time."""
    learnt = logistic(lessons)
    return lambda features: np.stack([learnt.probabilities(one) for one in features])


def fit_svm(lessons: Lessons) -> Fitted:
    """A support vector machine with a radial kernel; its probabilities by Platt's method."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    mean, scale = _standard(lessons.features)
    inner = list(splits(lessons, _INNER_FOLDS, seed=0))
    model = CalibratedClassifierCV(SVC(), method="sigmoid", cv=inner, ensemble=False)
    model.fit((lessons.features - mean) / scale, lessons.truths, _weights(lessons.truths))
    return lambda features: _probabilities(model, (features - mean) / scale)


def fit_boosting(lessons: Lessons) -> Fitted:
    """Gradient-boosted trees (J. Friedman, 2001)."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(max_depth=2, max_features="sqrt", random_state=0)
    model.fit(lessons.features, lessons.truths, _weights(lessons.truths))
    return lambda features: _probabilities(model, features)


def _probabilities(model: Any, features: Array) -> Numbers:
    return np.asarray(model.predict_proba(features), np.float64)


def _logistic(features: Array, truths: Places, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=5000)
    return model.fit(features.astype(np.float64), truths, _weights(truths))


def _strength(lessons: Lessons) -> float:
    """The one whose probabilities lose least on groups that were not learnt from."""
    try:
        inner = list(splits(lessons, _INNER_FOLDS, seed=0))
    except DataError:  # too few groups to choose by
        return _STRENGTHS[1]
    losses = np.zeros(len(_STRENGTHS))
    for learn, held_out in inner:
        mean, scale = _standard(lessons.features[learn])
        features = (lessons.features - mean) / scale
        weights = _weights(lessons.truths)[held_out]
        for place, strength in enumerate(_STRENGTHS):
            model = _logistic(features[learn], lessons.truths[learn], strength)
            likely = model.predict_proba(features[held_out])
            right = likely[np.arange(len(held_out)), lessons.truths[held_out]]
            losses[place] -= np.sum(weights * np.log(np.maximum(right, 1e-9)))
    return _STRENGTHS[int(losses.argmin())]


def _standard(features: Array) -> tuple[Array, Array]:
    """Mean and deviation of each number; what never changes is left as it is."""
    mean, deviation = (
        features.mean(axis=0, dtype=np.float64),
        features.std(axis=0, dtype=np.float64),
    )
    scale = np.where(deviation > 1e-9, deviation, 1.0)
    return mean.astype(np.float32), scale.astype(np.float32)


def _weights(truths: Places) -> Numbers:
    """Every label weighs as much as any other, and all clips together as many as they are."""
    counts = np.bincount(truths).astype(np.float64)
    each = len(truths) / (np.count_nonzero(counts) * np.maximum(counts, 1.0))
    return np.asarray(each[truths])


def fewest_groups(lessons: Lessons) -> int:
    """Of the rarest label; 0 where a label has no clip."""
    groups = np.array(lessons.groups)
    return min(
        len(np.unique(groups[lessons.truths == place])) for place in range(len(lessons.labels))
    )
