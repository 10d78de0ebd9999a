"""Sounds that a model itself names: their evidence, where a configuration's is for another model.

The sounds of a configuration are told by classes of YAMNet.  A model of our own has no such
classes: its labels are names of sounds, and its file says of each how it is decided on.  So a sound
of that name goes by it; alarms that are told by their beeps stay with these; and what is left
cannot be heard by such a model, and is not pretended to be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from detector.config import CalibrationConfig, Config, EvidenceConfig, FittedFor, SoundConfig
from detector.config.setting import Origin
from detector.core.errors import ConfigError, Problem
from detector.core.recognition import Telling

BY_MODEL = Origin("the model's own file")


@dataclass(frozen=True, slots=True)
class Named:
    """A configuration as a model that names sounds can serve it."""

    config: Config
    named: tuple[str, ...] = ()
    """Sounds that are told by what the model's file says of them."""
    beeps: tuple[str, ...] = ()
    """Sounds of which only the times of their beeps are left."""
    unheard: tuple[str, ...] = ()
    """Sounds that the model does not know."""

    def lines(self) -> Iterator[str]:
        """What is not as configured, for people."""
        if self.named:
            names = ", ".join(self.named)
            yield f"{names}: told by the model in use by their names, thresholds its own"
        if self.beeps:
            yield f"{', '.join(self.beeps)}: told by the times of the beeps alone"
        if self.unheard:
            names = ", ".join(self.unheard)
            yield f"{names}: NOT listened for: the model in use does not know them"

    def reasons(self) -> Mapping[str, str]:
        """By sound."""
        own = dict.fromkeys(self.named, "told by the model's own name for it")
        return own | dict.fromkeys(self.beeps, "told by the times of the beeps alone")


def named(
    config: Config, tellings: Mapping[str, Telling], labels: frozenset[str], recogniser: str
) -> Named:
    """A configuration for a model that names sounds, known by its hash; as it is for any other.

    Raises ConfigError where nothing is left to be listened for.
    """
    if not tellings:
        return Named(config)
    served = {
        name: _served(name, sound, tellings, labels, recogniser)
        for name, sound in config.sounds.items()
    }
    sounds = {name: made for name, (_, made) in served.items() if made is not None}
    if not sounds:
        known = ", ".join(tellings)
        names = ", ".join(config.sounds)
        reason = f"{names}: the model in use knows none of them; it knows {known}"
        raise ConfigError([Problem(str(config.origins.get("", "")), "sounds", reason)])
    of = {kind: tuple(n for n, (one, _) in served.items() if one == kind) for kind in _KINDS}
    origins = MappingProxyType({**config.origins, **_origins((*of["named"], *of["unheard"]))})
    heard = MappingProxyType(sounds)
    return Named(replace(config, sounds=heard, origins=origins), **of)


_KINDS = ("named", "beeps", "unheard")


def _origins(sounds: tuple[str, ...]) -> Mapping[str, Origin]:
    names = ("threshold", "release_threshold")
    return {f"sounds.{sound}.{name}": BY_MODEL for sound in sounds for name in names}


def _served(
    name: str,
    sound: SoundConfig,
    tellings: Mapping[str, Telling],
    labels: frozenset[str],
    recogniser: str,
) -> tuple[str, SoundConfig | None]:
    """In which way a sound is served, if not as it is configured; and how."""
    if all(labels.issuperset(one.classes) for one in sound.evidence):
        return "", sound
    beeps = tuple(one for one in sound.evidence if one.kind == "cadence")
    if beeps:
        return "beeps", replace(sound, evidence=beeps)
    telling = tellings.get(name)
    if telling is None:
        return "unheard", None
    return "named", replace(
        sound,
        evidence=(_evidence(name, telling, recogniser),),
        threshold=telling.threshold,
        release_threshold=telling.release_threshold,
    )


def _evidence(name: str, telling: Telling, recogniser: str) -> EvidenceConfig:
    """By the class of its name; a curve that changes nothing is none."""
    calibration = CalibrationConfig()
    if (telling.slope, telling.offset) != (1.0, 0.0):
        fitted_for = FittedFor(recogniser=recogniser, hop_seconds=telling.hop_s, pooling="max")
        calibration = CalibrationConfig(
            method="platt", slope=telling.slope, offset=telling.offset, fitted_for=fitted_for
        )
    return EvidenceConfig(classes=(name,), pooling="max", calibration=calibration)
