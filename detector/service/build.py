"""From the configuration to the parts of the pipeline."""

from collections.abc import Callable, Sequence

import numpy as np

from detector.config import CalibrationConfig, Config, EvidenceConfig, SoundConfig
from detector.config.checks import check_classes
from detector.core.clock import Clock
from detector.core.errors import ConfigError, Problem
from detector.core.recognition import Recogniser, RecogniserSpec
from detector.events.calibration import Calibration, Identity, Platt
from detector.events.gate import Gate, GateSettings
from detector.events.scorers import POOLINGS, Family, Scorer, Strongest
from detector.events.sounds import SoundDetector
from detector.service.pipeline import EventMaker, ListenedSound, Pipeline, Snapshot

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
) -> Pipeline:
    """The pipeline for these settings.

    Raises:
        ConfigError: a family names classes that the model does not have, or a calibration was
            fitted for something else.
    """
    sounds = build_sounds(config, recognisers[0].spec)
    return Pipeline(
        recognisers=recognisers,
        sounds=sounds,
        events=EventMaker(node=config.node, clock=clock),
        on_snapshot=on_snapshot,
        is_watched=is_watched,
    )


def build_sounds(config: Config, spec: RecogniserSpec) -> list[ListenedSound]:
    """One for every sound that is enabled; raises ConfigError as build_pipeline does."""
    problems = [*check_classes(config, spec.labels), *_check_calibrations(config, spec)]
    if problems:
        raise ConfigError(problems)
    return [
        ListenedSound(build_detector(name, sound, spec), sound.urgency)
        for name, sound in config.enabled_sounds.items()
    ]


def build_detector(name: str, sound: SoundConfig, spec: RecogniserSpec) -> SoundDetector:
    """The detector of one sound whose classes and calibrations have been checked."""
    roads = tuple(_scorer(evidence, spec) for evidence in sound.evidence)
    scorer = roads[0] if len(roads) == 1 else Strongest(roads)
    settings = GateSettings(
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
    return SoundDetector(name, scorer=scorer, gate=Gate(settings))


def _scorer(evidence: EvidenceConfig, spec: RecogniserSpec) -> Scorer:
    columns = np.array([spec.labels.index(name) for name in evidence.classes], dtype=np.intp)
    return Family(columns, POOLINGS[evidence.pooling], _calibration(evidence.calibration))


def _calibration(config: CalibrationConfig) -> Calibration:
    if config.method == "platt":
        return Platt(slope=config.slope, offset=config.offset)
    return Identity()


def _check_calibrations(config: Config, spec: RecogniserSpec) -> list[Problem]:
    """A calibration holds only for the model, hop and pooling that it was fitted for."""
    problems = []
    for name, sound in config.sounds.items():
        for index, evidence in enumerate(sound.evidence):
            misfit = _misfit(evidence, spec)
            if misfit:
                key = f"sounds.{name}.evidence[{index}].calibration.fitted_for"
                where = str(config.origins.get(key, ""))
                problems.append(Problem(where, key, misfit))
    return problems


def _misfit(evidence: EvidenceConfig, spec: RecogniserSpec) -> str:
    fitted = evidence.calibration.fitted_for
    if fitted is None:
        return ""
    if fitted.recogniser != spec.content_hash:
        return (
            f"fitted for the model {fitted.recogniser[:8]}…, but the model in use is "
            f"{spec.content_hash[:8]}…; calibrate anew or use `method: identity`"
        )
    if abs(fitted.hop_seconds - spec.hop_s) > 1e-9:
        return f"fitted for a hop of {fitted.hop_seconds} s, but the hop is {spec.hop_s} s"
    if fitted.pooling != evidence.pooling:
        return f"fitted for pooling {fitted.pooling}, but the pooling is {evidence.pooling}"
    return ""
