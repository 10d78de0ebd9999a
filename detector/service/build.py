"""From the configuration to the parts of the pipeline."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.config import CalibrationConfig, Config, EvidenceConfig, SoundConfig
from detector.config.checks import check_classes
from detector.config.sounds import SHIPPED
from detector.core.clock import Clock
from detector.core.errors import ConfigError
from detector.core.recognition import STEPS, Recogniser, RecogniserSpec
from detector.events.cadence import PATTERNS, SHORT_BEEPS, SPEAKS, T3, Cadence
from detector.events.calibration import Calibration, Identity, Platt, Stretched
from detector.events.gate import Gate, GateSettings
from detector.events.scorers import POOLINGS, Family, Scorer, Strongest, Unless
from detector.events.sounds import SoundDetector
from detector.events.steps import SteppedFamily
from detector.model.envelopes import ToneEnvelopes
from detector.service.eventmaker import EventMaker
from detector.service.fitted import InForce, InUse, in_force, refused_calibration, stand_ins
from detector.service.heads import Place, Settled, settle_heads
from detector.service.pipeline import ListenedSound, Pipeline, Snapshot
from detector.service.secondstage import Ask, SecondStages, settle_stages

_log = logging.getLogger(__name__)

ENVELOPES_PLACE = 1
"""Where the recogniser of envelopes stands among those of a pipeline, if a sound needs it."""
REACTION_S = 0.3
"""How much of a sound YAMNet's window must hold before a family's score reaches 0.5: the median
over the recordings of tests/benchmarks/reaction.py, which prints it again."""


def build_pipeline(
    config: Config,
    recognisers: Sequence[Recogniser],
    *,
    clock: Clock,
    on_snapshot: Callable[[Snapshot], None] | None = None,
    is_watched: Callable[[], bool] = lambda: True,
    ask: Ask | None = None,
) -> Pipeline:
    """The pipeline for these settings; without ``ask``, no second stage is asked anything.

    Raises:
        ConfigError: a family names classes that the model does not have, or the file of a head, or
            of a second stage, is absent or damaged.
    """
    spec = recognisers[0].spec
    force = in_force(config, InUse.of(spec))
    beside = [ToneEnvelopes()] if len(recognisers) == ENVELOPES_PLACE else []
    listens = _listens_for_cadences(force.config)
    events = EventMaker(node=config.node, clock=clock)
    sounds = _sounds(force, spec)
    return Pipeline(
        recognisers=[*recognisers, *beside] if listens else recognisers,
        sounds=sounds,
        events=events,
        on_snapshot=on_snapshot,
        is_watched=is_watched,
        stages=ask and SecondStages(settle_stages(force.config, spec), ask, events.update),
    )


def build_sounds(config: Config, spec: RecogniserSpec) -> list[ListenedSound]:
    """One for every sound that is enabled; raises ConfigError as build_pipeline does.

    Calibrations and heads that were fitted for something else are not used, which is logged.
    """
    return _sounds(in_force(config, InUse.of(spec)), spec)


def _sounds(force: InForce, spec: RecogniserSpec) -> list[ListenedSound]:
    for line in force.warnings():
        _log.warning("%s", line)
    config, set_aside = force.config, force.reasons
    heads, unreadable = settle_heads(config, spec)
    if problems := [*check_classes(config, spec.labels), *unreadable]:
        raise ConfigError(problems)
    roads = {name: _roads(config, name, spec, heads) for name in config.enabled_sounds}
    _warn_of_stand_ins(roads)
    return [
        ListenedSound(
            _detector(name, sound, tuple(road.scorer for road in roads[name])),
            sound.urgency,
            (*(road.told for road in roads[name]), *_of(set_aside, name)),
            (*(road.refused for road in roads[name] if road.refused), *_of(set_aside, name)),
            _identity(sound, spec, [road.head for road in roads[name]]),
        )
        for name, sound in config.enabled_sounds.items()
    ]


def _identity(sound: SoundConfig, spec: RecogniserSpec, heads: Sequence[str]) -> str:
    """By what a sound's probabilities were made: model, evidence, and the heads that are used."""
    told = f"{spec.content_hash} {sound.evidence!r} {heads!r}"
    return hashlib.sha256(told.encode()).hexdigest()


def _of(reasons: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (reasons[name],) if name in reasons else ()


def _listens_for_cadences(config: Config) -> bool:
    sounds = config.enabled_sounds.values()
    return any(evidence.cadence for sound in sounds for evidence in sound.evidence)


def _roads(
    config: Config, name: str, spec: RecogniserSpec, heads: Mapping[Place, Settled]
) -> "list[_Road]":
    sound, fitted = config.sounds[name], _thresholds_are_fitted(config, name)
    return [
        _beeps(sound, evidence.cadence, fitted=fitted)
        if evidence.cadence is not None and evidence.kind == "cadence"
        else _road(config, (name, index), spec, heads.get((name, index)), fitted=fitted)
        for index, evidence in enumerate(sound.evidence)
    ]


def _warn_of_stand_ins(roads: "Mapping[str, Sequence[_Road]]") -> None:
    """One line for each reason."""
    reasons = {name: road.refused for name in roads for road in roads[name] if road.refused}
    for line in stand_ins(reasons):
        _log.warning("%s", line)


def _thresholds_are_fitted(config: Config, name: str) -> bool:
    """Whether the threshold comes with the evidence: as shipped, or from a calibration."""
    origin = config.origins.get(f"sounds.{name}.threshold")
    return origin == SHIPPED or (origin is not None and origin.source == str(config.calibration))


@dataclass(frozen=True, slots=True)
class _Road:
    """One entry of a sound's evidence, as it is in force."""

    scorer: Scorer
    told: str
    refused: str = ""
    """Why it is not what was configured."""
    head: str = ""
    """SHA-256 of the head's file, where it is one."""


def _road(
    config: Config, place: Place, spec: RecogniserSpec, settled: Settled | None, *, fitted: bool
) -> _Road:
    sound = config.sounds[place[0]]
    evidence = sound.evidence[place[1]]
    if settled is not None and settled.head is not None:
        return _Road(settled.head, settled.told, head=settled.sha256)
    refused = refused_calibration(config, place, InUse.of(spec))
    calibration = _calibration(evidence.calibration)
    if refused or (settled is not None and not calibration.calibrated):
        usual = Stretched(sound.threshold, sound.release_threshold)
        calibration = usual if fitted else Identity()
    if settled is not None:
        refused = f"the head cannot be used, {settled.told}"
    road = _family(evidence, spec, calibration)
    return replace(road, told=f"{road.told}: {refused}", refused=refused) if refused else road


def _beeps(sound: SoundConfig, name: str, *, fitted: bool) -> _Road:
    """On the scale of the threshold, where that was fitted to other evidence of the sound."""
    scale = Stretched(sound.threshold, sound.release_threshold) if fitted else Identity()
    scorer = Cadence(PATTERNS[name], place=ENVELOPES_PLACE, scale=scale)
    return _Road(scorer, f"beeps in the times of {name.upper()}")


def _told_apart(roads: tuple[Scorer, ...]) -> tuple[Scorer, ...]:
    """Of a sound of long beeps: while short ones are heard, the model's word counts for nothing.

    It hears the beeps of a carbon monoxide alarm, or of a timer, as a smoke alarm's.
    """
    if not any(isinstance(road, Cadence) and road.pattern is T3 for road in roads):
        return roads
    short = Cadence(SHORT_BEEPS, place=ENVELOPES_PLACE)
    return tuple(
        road if isinstance(road, Cadence) else Unless(road, short, SPEAKS) for road in roads
    )


def _family(evidence: EvidenceConfig, spec: RecogniserSpec, calibration: Calibration) -> _Road:
    columns = np.array([spec.labels.index(name) for name in evidence.classes], dtype=np.intp)
    kind = SteppedFamily if STEPS in spec.outputs else Family
    scorer = kind(columns, POOLINGS[evidence.pooling], calibration)
    how = "calibrated" if calibration.calibrated else "uncalibrated"
    return _Road(scorer, f"the scores of its classes, {how}")


def _detector(name: str, sound: SoundConfig, roads: tuple[Scorer, ...]) -> SoundDetector:
    roads = _told_apart(roads)
    scorer = roads[0] if len(roads) == 1 else Strongest(roads)
    return SoundDetector(name, scorer=scorer, gate=Gate(gate_settings(sound)))


def gate_settings(sound: SoundConfig) -> GateSettings:
    """What a sound's gate goes by."""
    return GateSettings(
        threshold=sound.threshold,
        release_threshold=sound.release_threshold,
        confirm_s=sound.confirm_seconds,
        confirm_within_s=sound.confirm_within_seconds,
        hold_s=sound.hold_seconds,
        refractory_s=sound.refractory_seconds,
        max_duration_s=sound.max_duration_seconds,
        possible_s=sound.possible_seconds,
        reaction_s=REACTION_S,
    )


def _calibration(config: CalibrationConfig) -> Calibration:
    if config.method == "platt":
        return Platt(slope=config.slope, offset=config.offset)
    return Identity()
