"""From labelled recordings to the file of a clip classifier, and what it is worth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from detector import __version__
from detector.core.audio import Samples
from detector.core.recognition import EMBEDDING, Array, Recogniser
from detector.events.clips import EmbeddingFeatures, Features, MfccFeatures
from detector.events.mfcc import COEFFICIENTS
from detector.service.clipfile import ClipFile
from detector.workbench import clipmodels
from detector.workbench.clipmodels import Lessons
from detector.workbench.clips import Clips, Featuring, against_rest, hear, labelled, only
from detector.workbench.cliptrial import REPEATS, SHUFFLES, Fit, Trial, cross_validate
from detector.workbench.dataset import Recording, group_mark
from detector.workbench.metrics import Interval
from detector.workbench.observe import observe
from detector.workbench.shipping import sources_of

Kind = Literal["mfcc", "embedding"]
_LOGISTIC = "logistic regression"
_NAMES: Mapping[Kind, str] = {"mfcc": "MFCC", "embedding": "embedding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be learnt."""

    data: Sequence[Path]
    name: str
    """Of the classifier."""
    column: str = ""
    """Of a manifest, that holds the labels; empty: the usual one."""
    labels: Sequence[str] = ()
    """Only these; none: all there are."""
    against: str = ""
    """The one label that is told from all others together, if any."""
    kind: Kind = "mfcc"
    coefficients: int = COEFFICIENTS
    compare: bool = False
    """Whether other ways to learn are tried beside."""
    folds: int = 5
    shuffles: int = SHUFFLES
    """How often each way is tried with labels that mean nothing, too."""
    skip_unfit: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    order: Order
    clips: Clips
    chosen: Trial
    """Of what the file holds."""
    others: tuple[Trial, ...]
    file: ClipFile


def train(
    order: Order,
    recogniser: Recogniser | None,
    progress: Callable[[int, int | None], None] = lambda _done, _of: None,
) -> Result:
    """Learn, and find out what it is worth.

    ``recogniser`` gives embeddings; None where none are wanted.

    Raises:
        DataError: recordings that cannot be used, one line each; too few labels or groups; or
            scikit-learn is not there.
    """
    clipmodels.check_there()
    features = _features(order, recogniser)
    featuring: dict[str, Featuring] = {
        kind: _featuring(one, recogniser) for kind, one in features.items()
    }
    clips = hear(_recordings(order), featuring, skip_unfit=order.skip_unfit, progress=progress)
    trials = {
        (kind, how): cross_validate(
            f"{_NAMES[kind]}, {how}",
            fit,
            _lessons(clips, kind),
            folds=order.folds,
            shuffles=order.shuffles,
        )
        for kind, how, fit in _ways(order, features)
    }
    chosen = trials.pop((order.kind, _LOGISTIC))
    file = ClipFile(
        name=order.name,
        features=features[order.kind],
        classifier=clipmodels.logistic(_lessons(clips, order.kind)),
        better_than_chance=chosen.is_better_than_chance,
        provenance=_provenance(order, clips, chosen),
    )
    return Result(order, clips, chosen, tuple(trials.values()), file)


def _recordings(order: Order) -> list[Recording]:
    recordings = labelled(order.data, order.column)
    if order.labels:
        recordings = only(recordings, order.labels)
    return against_rest(recordings, order.against) if order.against else recordings


def _features(order: Order, recogniser: Recogniser | None) -> Mapping[Kind, Features]:
    found: dict[Kind, Features] = {}
    if order.kind == "mfcc" or order.compare:
        found["mfcc"] = MfccFeatures(order.coefficients)
    if recogniser is not None:
        spec = recogniser.spec
        (size,) = spec.outputs[EMBEDDING]
        found["embedding"] = EmbeddingFeatures(size, spec.content_hash, spec.hop_s)
    return found


def _featuring(features: Features, recogniser: Recogniser | None) -> Featuring:
    if recogniser is None or isinstance(features, MfccFeatures):
        return lambda samples: features.of(samples, ())
    return partial(_heard_by, recogniser, features)


def _heard_by(recogniser: Recogniser, features: Features, samples: Samples) -> Array:
    (windows,) = observe(samples, [recogniser])
    return features.of(samples, windows)


def _ways(order: Order, features: Mapping[Kind, Features]) -> list[tuple[Kind, str, Fit]]:
    ways: list[tuple[Kind, str, Fit]] = [
        (kind, _LOGISTIC, clipmodels.fit_logistic)
        for kind in features
        if kind == order.kind or order.compare
    ]
    if order.compare:
        ways.append((order.kind, "support vector machine", clipmodels.fit_svm))
        ways.append((order.kind, "gradient boosting", clipmodels.fit_boosting))
    return ways


def _lessons(clips: Clips, kind: Kind) -> Lessons:
    return Lessons(clips.features[kind], clips.truths, clips.groups, clips.labels)


def _provenance(order: Order, clips: Clips, trial: Trial) -> dict[str, Any]:
    """Groups by short hashes: their names may be somebody's."""
    return {
        "data": sources_of(clips.recordings),
        "groups": sorted({group_mark(group) for group in clips.groups}),
        "split": f"{order.folds} folds by group, the mean of {REPEATS} divisions",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code_version": __version__,
        "figures": {
            "clips": {label: clips.count(label) for label in clips.labels},
            "groups": {label: clips.groups_with(label) for label in clips.labels},
            "balanced_accuracy": _rounded(trial.balanced_accuracy),
            "chance": round(trial.chance, 4),
            "with_labels_by_chance": _rounded(trial.shuffled),
            "accuracy": round(trial.accuracy, 4),
            "accuracy_of_always_the_same": round(trial.usual, 4),
            "confusion": [[round(float(one), 1) for one in row] for row in trial.confusion],
        },
    }


def _rounded(of: Interval) -> list[float]:
    """Value, and its interval of 95 %."""
    return [round(one, 4) for one in (of.value, of.low, of.high)]
