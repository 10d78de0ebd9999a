"""The settings of a sound: what tells it, and when it is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detector.config.setting import SHA256_MEANS, SHA256_PATTERN, setting
from detector.core.events import Urgency

Pooling = Literal["max", "mean", "noisy_or"]
"""How the scores of several classes become one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFor:
    """What a calibration was fitted on; it is refused anywhere else."""

    recogniser: str = setting(
        "SHA-256 of the model file.",
        pattern=SHA256_PATTERN,
        pattern_means=SHA256_MEANS,
    )
    hop_seconds: float = setting("Hop it was fitted at.", unit="s", minimum=0.01, maximum=10.0)
    pooling: Pooling = setting("Pooling it was fitted with.")
    head: str | None = setting(
        "For a refinement: SHA-256 of the head's file.",
        default=None,
        pattern=SHA256_PATTERN,
        pattern_means=SHA256_MEANS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """From a pooled raw score to a probability."""

    method: Literal["identity", "platt"] = setting(
        "`identity` passes the raw score on, and events say `calibrated: false`. `platt` is a "
        "logistic curve over the score's logit: sigmoid(slope · logit(score) + offset).",
        default="identity",
    )
    slope: float = setting("For `platt`.", default=1.0, minimum=0.0, maximum=100.0)
    offset: float = setting("For `platt`.", default=0.0, minimum=-100.0, maximum=100.0)
    fitted_for: FittedFor | None = setting(
        "For `platt`: the model, hop and pooling it was fitted for; it is refused elsewhere.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinementConfig:
    """What recordings of one's own have taught about a probability: `detector calibrate`."""

    slope: float = setting(
        "1 with an offset of 0 changes nothing.", default=1.0, minimum=0.0, maximum=100.0
    )
    offset: float = setting("Added to the logit.", default=0.0, minimum=-100.0, maximum=100.0)
    fitted_for: FittedFor | None = setting(
        "The model, hop, pooling and head it was fitted for; it is not applied elsewhere.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """One road from audio to a sound's probability; of several, the largest counts."""

    kind: Literal["family", "head", "cadence"] = setting(
        "`family`: a family of model classes. `head`: a small classifier on what the model makes "
        "of the sound; where it does not fit the model, the family stands in for it. `cadence`: "
        "the beeps of an alarm, told by their times.",
        default="family",
    )
    classes: tuple[str, ...] = setting(
        "For `family` and `head`: names of model classes; see `detector model labels`.",
        default=(),
    )
    head: Path | None = setting(
        "For `head`: its file. Default: the one that is shipped for the sound.", default=None
    )
    cadence: Literal["t3", "t4"] | None = setting(
        "For `cadence`: `t3`, three beeps and a pause (smoke, ISO 8201), or `t4`, four short beeps "
        "and a longer pause (carbon monoxide).",
        default=None,
    )
    pooling: Pooling = setting(
        "How the scores of the classes become one: the largest, their mean, or the chance that "
        "at least one is right if they were independent.",
        default="max",
    )
    calibration: CalibrationConfig = setting(
        "From that score to a probability.", default=CalibrationConfig
    )
    refinement: RefinementConfig = setting(
        "For `head`: from the head's own probability to one that fits the recordings of one's "
        "own, sigmoid(slope · logit(probability) + offset). `detector calibrate` writes it.",
        default=RefinementConfig,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStageConfig:
    """What else is asked of a sound, once it is confirmed."""

    classifier: Path = setting("File of a clip classifier, as `detector train` writes it.")
    seconds: float = setting(
        "Seconds of audio, from the beginning of the sound, that it is asked about; of a sound "
        "that ends earlier, all there is. Best as long as the recordings it was trained on.",
        default=6.0,
        unit="s",
        minimum=0.5,
        maximum=30.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundConfig:
    """A sound to listen for."""

    label: str = setting("Name for people; default: from the sound's own name.", default="")
    enabled: bool = setting("Listen for it.", default=True)
    evidence: tuple[EvidenceConfig, ...] = setting("What tells it.")
    threshold: float = setting(
        "Probability at which it counts as heard (at or above).",
        default=0.5,
        minimum=0.01,
        maximum=1.0,
    )
    release_threshold: float = setting(
        "Probability below which it counts as gone; at most the threshold.",
        default=0.3,
        minimum=0.0,
        maximum=1.0,
    )
    confirm_seconds: float = setting(
        "Seconds of audio, seen by windows at or above the threshold, that raise it. 0: one "
        "window is enough (a window is 0.975 s long; two at a hop of 0.48 s cover 1.455 s).",
        default=0.0,
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    confirm_within_seconds: float = setting(
        "Span in which those seconds must lie.",
        default=3.0,
        unit="s",
        minimum=0.1,
        maximum=120.0,
    )
    possible_seconds: float | None = setting(
        "Seconds of such audio after which it is told as possible, before it is confirmed: an "
        "event `<sound>_possible`, and no state. Default: never.",
        default=None,
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    hold_seconds: float = setting(
        "Seconds without evidence before it ends.",
        default=5.0,
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    refractory_seconds: float = setting(
        "Seconds after its end in which it is not raised anew.",
        default=0.0,
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    max_duration_seconds: float = setting(
        "It ends after this long even if it is still heard, and may begin anew.",
        default=600.0,
        unit="s",
        minimum=1.0,
        maximum=86_400.0,
    )
    second_stage: SecondStageConfig | None = setting(
        "A classifier that is asked about the sound's audio after it was told: why does the baby "
        "cry? Its answer comes later, as an event `<sound>_updated` and in the attributes. "
        "Default: none.",
        default=None,
    )
    urgency: Urgency = setting(
        "How much it matters that a person knows now.", default=Urgency.NOTICE
    )
    icon: str = setting(
        "Icon in Home Assistant.",
        default="mdi:ear-hearing",
        pattern=r"[a-z0-9]+:[a-z0-9-]+",
        pattern_means="an icon such as mdi:bell",
    )
