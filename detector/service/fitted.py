"""What calibrations were fitted for, held against the model and the hop in use.

What a calibration file says of a sound goes together, evidence and thresholds.  Where it was fitted
for another model, hop, pooling or head, all of it is set aside, and what stands below it counts.  A
calibration that is shipped, or stands in the configuration itself, gives way to the bare score.
Either way the daemon listens on, and says so.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from detector.config import Config, EvidenceConfig, FittedFor, SoundConfig
from detector.config.calibration import without_calibration
from detector.config.own import is_own
from detector.core.errors import ConfigError
from detector.core.recognition import RecogniserSpec, Telling
from detector.service.headfile import HeadFile, HeadReader
from detector.service.heads import Place, read_head, read_heads
from detector.service.named import Named, named

_REMEDY = "calibrate anew (detector calibrate DATA), or go back to what it was fitted for"


@dataclass(frozen=True, slots=True)
class InUse:
    """What has to be fitted for."""

    recogniser: str
    """SHA-256 of the model file."""
    hop_s: float
    tellings: Mapping[str, Telling] = field(default_factory=lambda: MappingProxyType({}))
    """What the model's file says of sounds that it names."""
    labels: frozenset[str] = frozenset()
    """The model's classes; needed only where it names sounds."""

    @classmethod
    def of(cls, spec: RecogniserSpec) -> "InUse":
        """What a recogniser says of itself."""
        return cls(spec.content_hash, spec.hop_s, spec.tellings, frozenset(spec.labels))


@dataclass(frozen=True, slots=True)
class InForce:
    """A configuration without what cannot be used of its calibration file."""

    config: Config
    misfits: Mapping[str, str]
    """By sound: what it was fitted for, and what is in use."""
    named: Named
    """What a model that names sounds makes of the configuration."""
    unusable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Sounds of one's own that are left out, and why."""
    unheard: Mapping[str, SoundConfig] = field(default_factory=lambda: MappingProxyType({}))
    """Enabled sounds that are not listened for, as they are configured."""

    @property
    def reasons(self) -> Mapping[str, str]:
        """By sound: why it is not told by what the configuration, or its calibration, says."""
        file = self.config.calibration
        told = {name: f"{file} cannot be used, it was {why}" for name, why in self.misfits.items()}
        return MappingProxyType({**self.named.reasons(), **told})

    def warnings(self) -> Iterator[str]:
        """A line for each misfit: file, sounds, what it was fitted for, what to do."""
        yield from self.named.lines()
        for name, why in self.unusable.items():
            yield f"{name}: not listened for: {why}; learn it anew, or forget it"
        for why in dict.fromkeys(self.misfits.values()):
            sounds = ", ".join(name for name, one in self.misfits.items() if one == why)
            yield (
                f"{self.config.calibration}: {sounds}: {why}: set aside, as if it said nothing "
                f"of that; {_REMEDY}"
            )


def in_force(config: Config, use: InUse) -> InForce:
    """What is left of a configuration where that is in use.

    Raises ConfigError where a model that names sounds knows none of them.
    """
    served, wanted = named(config, use.tellings, use.labels, use.recogniser), config.enabled_sounds
    config, reader = served.config, HeadReader()
    unusable = {name: why for name in config.sounds if (why := _own_unusable(config, name, use))}
    config = _without(config, unusable) if unusable else config
    found = {name: _of_sound(config, name, use, reader) for name in config.enabled_sounds}
    misfits = {name: why for name, why in found.items() if why}
    left = without_calibration(config, misfits)
    unheard = {name: sound for name, sound in wanted.items() if name not in left.sounds}
    return InForce(left, MappingProxyType(misfits), served, MappingProxyType(unusable), unheard)


def _without(config: Config, names: Collection[str]) -> Config:
    left = {name: sound for name, sound in config.sounds.items() if name not in names}
    return replace(config, sounds=MappingProxyType(left))


def _own_unusable(config: Config, name: str, use: InUse) -> str:
    """Why a sound that was learnt here cannot be told by anything in use; the others must be."""
    if not is_own(config, name):
        return ""
    (evidence,) = config.sounds[name].evidence
    unknown = [one for one in evidence.classes if one not in use.labels]
    if unknown and use.labels:
        return f'{evidence.head}: "{unknown[0]}" is not a class of the model in use'
    try:
        read_head(config, HeadReader(), name, 0)
    except ConfigError as error:
        return str(error.problems[0])
    return ""


def _of_sound(config: Config, name: str, use: InUse, reader: HeadReader) -> str:
    """Why the calibration file's evidence for a sound does not fit; nothing where it does."""
    for index, evidence in enumerate(config.sounds[name].evidence):
        part = "refinement" if evidence.kind == "head" else "calibration"
        if config.uncalibrated is not None and _is_from_file(config, (name, index), part):
            fitted = getattr(evidence, part).fitted_for
            why = _misfit(fitted, evidence, use) or _of_head(config, fitted, (name, index), reader)
            if why:
                return why
    return ""


def _is_from_file(config: Config, place: Place, part: str) -> bool:
    origin = config.origins.get(f"{_key(place)}.{part}.fitted_for.recogniser")
    return origin is not None and origin.source == str(config.calibration)


def _of_head(config: Config, fitted: FittedFor, place: Place, reader: HeadReader) -> str:
    """Whether a refinement is of the head in use; a head that cannot be read is told elsewhere."""
    try:
        is_other = fitted.head not in (None, read_head(config, reader, *place).sha256)
    except ConfigError:
        return ""
    return "fitted for another head than the one in use" if is_other else ""


def misfit(evidence: EvidenceConfig, use: InUse) -> str:
    """Why the calibration of a family does not fit what is in use; nothing where it does."""
    fitted = evidence.calibration.fitted_for
    return "" if fitted is None else _misfit(fitted, evidence, use)


def _misfit(fitted: FittedFor, evidence: EvidenceConfig, use: InUse) -> str:
    if fitted.recogniser != use.recogniser:
        ours = f"{use.recogniser[:8]}…"
        return f"fitted for the model {fitted.recogniser[:8]}…, but the model in use is {ours}"
    if abs(fitted.hop_seconds - use.hop_s) > 1e-9:
        return f"fitted for a hop of {fitted.hop_seconds:g} s, but the hop is {use.hop_s:g} s"
    if fitted.pooling != evidence.pooling:
        return f"fitted for pooling {fitted.pooling}, but the pooling is {evidence.pooling}"
    return ""


def refused_calibration(config: Config, place: Place, use: InUse) -> str:
    """Why the calibration of a family, shipped or configured, cannot be used; where it stands."""
    name, index = place
    why = misfit(config.sounds[name].evidence[index], use)
    origin = config.origins.get(f"{_key(place)}.calibration.fitted_for.recogniser")
    if not why or origin is None or origin.line is None:
        return why and f"the calibration cannot be used, it was {why}"
    return f"the calibration at {origin} cannot be used, it was {why}; {_REMEDY}"


def warnings_of(config: Config, use: InUse) -> Iterator[str]:
    """What ``detector run`` would warn of, as far as it can be told without running the model."""
    force = in_force(config, use)
    yield from force.warnings()
    files, _ = read_heads(force.config)
    left = force.config.enabled_sounds
    reasons = {name: _stand_in(force.config, name, use, files) for name in left}
    yield from stand_ins({name: why for name, why in reasons.items() if why})


def _stand_in(config: Config, name: str, use: InUse, files: Mapping[Place, HeadFile]) -> str:
    for index, evidence in enumerate(config.sounds[name].evidence):
        file = files.get((name, index))
        if evidence.kind == "family" and (why := refused_calibration(config, (name, index), use)):
            return why
        if file is not None and (why := file.fitted_elsewhere(use.recogniser, use.hop_s)):
            return f"the head cannot be used, {why}"
    return ""


def stand_ins(reasons: Mapping[str, str]) -> Iterator[str]:
    """A line for each reason why sounds are not told by what is configured."""
    for reason in dict.fromkeys(reasons.values()):
        sounds = ", ".join(name for name, why in reasons.items() if why == reason)
        yield f"{sounds}: the bare scores of the classes stand in: {reason}"


def _key(place: Place) -> str:
    name, index = place
    return f"sounds.{name}.evidence[{index}]"
