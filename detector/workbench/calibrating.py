"""``detector calibrate`` without its command line: recordings in, a calibration out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from detector import __version__
from detector.config import CalibrationConfig, Config, EvidenceConfig, FittedFor
from detector.config.calibration import VERSION, CalibratedSound, CalibrationFile, Provenance
from detector.config.schema import RefinementConfig
from detector.config.values import suggestion
from detector.core.clock import Clock
from detector.core.errors import AudioError, DataError
from detector.core.recognition import Recogniser, RecogniserSpec
from detector.events.refit import Line
from detector.service.headfile import HeadReader
from detector.service.heads import read_shipped
from detector.workbench.dataset import Recording, audio_files, by_sound
from detector.workbench.fitness import Unfit, unfit
from detector.workbench.fitting import Fit, fit_sound
from detector.workbench.labels import is_in_table
from detector.workbench.listener import all_recognisers
from detector.workbench.metrics import zero_bound
from detector.workbench.scoring import Heard, Road, Scoring, roads_of
from detector.workbench.sounding import read_samples
from detector.workbench.thresholds import (
    Choice,
    Tally,
    Target,
    alarms_text,
    choose,
    hours_text,
    rate_text,
    tally,
)

EVENING = "evening"
"""Label of what was recorded at home with none of the sounds in it."""
_METHOD = (
    "a logistic curve for each sound's evidence, near the one before; every group counts once; "
    "figures on groups that curve and threshold had not seen"
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    sounds: tuple[str, ...]
    """Names; those that are labelled in the recordings where it is empty."""
    target: Target
    skip_unfit: bool = False
    """Leave unfit recordings out in place of refusing them all."""


@dataclass(frozen=True, slots=True)
class SoundResult:
    """A sound's calibration, and what it rests on."""

    fit: Fit
    tallies: tuple[Tally, ...]
    choice: Choice


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    sounds: tuple[SoundResult, ...]
    left: tuple[str, ...]
    """Why some sounds are left as they were, one line each."""
    skipped: tuple[Unfit, ...]
    recordings: tuple[Recording, ...]
    target: Target
    spec: RecogniserSpec
    hours: float
    strangers: str = ""
    """Which labels are no sound that is known, in one line; empty where all are."""


class Calibrating:
    """Hears recordings with the daemon's own recognisers, and calibrates. Not thread-safe."""

    def __init__(self, config: Config, recogniser: Recogniser, *, clock: Clock) -> None:
        """``config`` has every sound that could be asked for, and no calibration over it."""
        self._config = config
        self._recogniser = recogniser
        self._clock = clock

    def calibrate(
        self,
        recordings: Sequence[Recording],
        order: Order,
        *,
        progress: Callable[[int, int | None], None] = lambda _done, _of: None,
    ) -> Result:
        """Calibrate the sounds that are asked for.

        Raises:
            DataError: a sound that is not known; recordings that cannot be used, one line each;
                too few groups, or a target that cannot be had.
            ConfigError: the evidence does not fit the model.
        """
        spec = self._recogniser.spec
        sounds = self._sounds(recordings, order.sounds)
        roads = roads_of(self._config, sounds, spec)
        scoring = Scoring(self._config, self._fresh, roads, clock=self._clock)
        heard, unread = _heard(recordings, scoring, progress)
        faulty = [*unread, *unfit(heard, frozenset(sounds))]
        if faulty and not order.skip_unfit:
            raise DataError("\n".join(map(str, faulty)))
        left_out = {one.recording.path for one in faulty}
        usable = [one for one in heard if one.recording.path not in left_out]
        results, left = self._each(sounds, roads, usable, order)
        hours = sum(one.seconds for one in usable) / 3600.0
        kept = tuple(one.recording for one in usable)
        strangers = _strangers(kept, self._config.sounds)
        return Result(
            tuple(results), tuple(left), tuple(faulty), kept, order.target, spec, hours, strangers
        )

    def _fresh(self) -> list[Recogniser]:
        """All that the daemon has, having heard nothing yet."""
        return [one.fresh() for one in all_recognisers(self._recogniser)]

    def _sounds(self, recordings: Sequence[Recording], named: Sequence[str]) -> list[str]:
        known = self._config.sounds
        for name in named:
            if name not in known:
                hint = suggestion(name, known) or f"; there are {', '.join(known)}"
                raise DataError(f"{name} is no sound that is known{hint}")
        found = [name for name in known if name in by_sound(recordings)]
        if not named and not found:
            labels = ", ".join(sorted(by_sound(recordings))[:8])
            raise DataError(
                f"the recordings hold no sound that is known: they are labelled {labels}; name a "
                f"folder or label as a sound: {', '.join(known)}"
            )
        return list(named) or found

    def _each(
        self, sounds: Sequence[str], roads: Sequence[Road], heard: Sequence[Heard], order: Order
    ) -> tuple[list[SoundResult], list[str]]:
        """All that were asked for by name must do; of all that there are, some."""
        results, left = [], []
        for sound in sounds:
            try:
                results.append(self._one(sound, roads, heard, order.target))
            except DataError as error:
                left.append(str(error))
        if left and (order.sounds or not results):
            raise DataError("\n".join(left))
        return results, left

    def _one(
        self, sound: str, roads: Sequence[Road], heard: Sequence[Heard], target: Target
    ) -> SoundResult:
        config = self._config.sounds[sound]
        fit = fit_sound(sound, roads, heard)
        pairs = zip(fit.examples, fit.unseen, strict=True)
        tallies = tuple(tally(example, sound, config, unseen) for example, unseen in pairs)
        return SoundResult(fit, tallies, choose(fit, config, target, _at_home(fit, tallies)))


def _strangers(recordings: Sequence[Recording], known: Mapping[str, object]) -> str:
    """A folder whose name is a slip would silently speak against the sound that it holds."""
    found = [name for name in by_sound(recordings) if name not in known and not is_in_table(name)]
    if not found:
        return ""
    names = (f"{name}{suggestion(name, known).replace(';', ':')}" for name in sorted(found))
    return (
        f"no sound that is known, so taken for none of them: {', '.join(names)} "
        "(to listen for one, name it under `sounds` in the configuration)"
    )


def _heard(
    recordings: Sequence[Recording],
    scoring: Scoring,
    progress: Callable[[int, int | None], None],
) -> tuple[list[Heard], list[Unfit]]:
    heard, unread = [], []
    for number, recording in enumerate(recordings, 1):
        try:
            heard.append(scoring.hear(recording, read_samples(recording.path)))
        except AudioError as error:
            reason = str(error).removeprefix(f"{recording.path}").lstrip(": ")
            unread.append(Unfit(recording, reason))
        progress(number, len(recordings))
    return heard, unread


def _at_home(fit: Fit, tallies: Sequence[Tally]) -> list[Tally]:
    """Where evenings were recorded, false alarms are those of the evenings: that is where it runs.

    Other recordings hold what is hardest, one after the other, as no evening does.
    """
    are_evenings = [one.heard.recording.label == EVENING for one in fit.examples]
    if not any(are_evenings):
        return list(tallies)
    return [
        one if is_evening else replace(one, false_alarms=np.zeros_like(one.hits), seconds=0.0)
        for one, is_evening in zip(tallies, are_evenings, strict=True)
    ]


def evenings(folder: Path) -> list[Recording]:
    """Recordings of a folder that hold none of the sounds; those of one day are a group.

    Raises DataError where there are none.
    """
    if not folder.exists():
        raise DataError(f"{folder} is not there: record an evening (detector record)")
    found = [folder] if folder.is_file() else audio_files(folder)
    if not found:
        raise DataError(f"{folder} holds no recordings of an evening: make some (detector record)")
    return [Recording(path, f"{EVENING}/{path.stem.split('__')[0]}", EVENING) for path in found]


def calibration_of(result: Result, data: Sequence[Path]) -> CalibrationFile:
    """The file to write."""
    groups = len({one.group for one in result.recordings})
    told = f"{len(result.recordings)} recordings, {groups} groups, {result.hours:.2f} h"
    provenance = Provenance(
        made_by=f"detector {__version__}",
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        target=result.target.text,
        data=(*map(str, data), told, *_licences(result.recordings)),
        method=_METHOD,
    )
    sounds = {one.fit.sound: _calibrated(one, result.spec) for one in result.sounds}
    return CalibrationFile(version=VERSION, provenance=provenance, sounds=MappingProxyType(sounds))


def over(new: CalibrationFile, old: CalibrationFile | None) -> CalibrationFile:
    """The new one, with the sounds of the old one that it does not have."""
    sounds: Mapping[str, CalibratedSound] = {} if old is None else old.sounds
    return replace(new, sounds=MappingProxyType({**sounds, **new.sounds}))


def _licences(recordings: Sequence[Recording]) -> Iterator[str]:
    named = sorted({one.licence for one in recordings if one.licence})
    if named:
        yield "licences: " + "; ".join(named)


def _calibrated(result: SoundResult, spec: RecogniserSpec) -> CalibratedSound:
    fit, choice = result.fit, result.choice
    return CalibratedSound(
        evidence=tuple(_evidence(road, fit.lines.get(road.place), spec) for road in fit.roads),
        threshold=choice.threshold,
        release_threshold=choice.release_threshold,
        basis=basis(result),
    )


def basis(result: SoundResult) -> str:
    """What a calibration rests on, in one line."""
    figures = result.choice.figures
    recall = figures.recall
    most = figures.per_hour.high if figures.false_alarms else zero_bound(figures.hours)
    return (
        f"recall {recall.value:.2f} ({recall.low:.2f} to {recall.high:.2f}) over {figures.groups} "
        f"groups; {alarms_text(figures.false_alarms)} in {hours_text(figures.hours)} "
        f"(at most {rate_text(most)} at 95 %)"
    )


def _evidence(road: Road, line: Line | None, spec: RecogniserSpec) -> EvidenceConfig:
    if line is None:
        return road.evidence
    slope, offset = round(line.slope, 4), round(line.offset, 4)
    fitted = FittedFor(
        recogniser=spec.content_hash, hop_seconds=spec.hop_s, pooling=road.evidence.pooling
    )
    if road.evidence.kind == "head":
        fitted = replace(fitted, head=_head_sha256(road))
        refinement = RefinementConfig(slope=slope, offset=offset, fitted_for=fitted)
        return replace(road.evidence, refinement=refinement)
    calibration = CalibrationConfig(method="platt", slope=slope, offset=offset, fitted_for=fitted)
    return replace(road.evidence, calibration=calibration)


def _head_sha256(road: Road) -> str:
    path = road.evidence.head
    read = read_shipped(road.sound) if path is None else HeadReader().read(path.parent, path.name)
    return read.sha256
