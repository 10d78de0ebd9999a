"""The heads that a configuration asks for: found, read, and held against the model in use.

A head that was fitted for another model or hop is not used: the family of classes beside it stands
in, which whoever builds the sounds has to say.  A file that is damaged or absent is an error, as
any wrong setting is.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from detector.config import Config, EvidenceConfig
from detector.core.errors import ConfigError, Problem
from detector.core.recognition import RecogniserSpec
from detector.events.curves import Curve, Refined
from detector.events.heads import Head
from detector.service.headfile import HeadFile, HeadReader

_log = logging.getLogger(__name__)

Place = tuple[str, int]
"""A sound, and which entry of its evidence."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an entry that asks for a head."""

    head: Head | None
    """None where it does not fit."""
    told: str
    """What a person is to know of it: which head it is, or why it is not used."""
    sha256: str = ""
    """Of its file."""


def settle_heads(
    config: Config, spec: RecogniserSpec
) -> tuple[Mapping[Place, Settled], list[Problem]]:
    """The heads of all sounds that are listened for, and what is wrong with their files."""
    files, problems = read_heads(config)
    settled = {
        (name, index): _settle(
            file, config.sounds[name].evidence[index], spec, f"sounds.{name}.evidence[{index}]"
        )
        for (name, index), file in files.items()
    }
    return settled, problems


def read_heads(config: Config) -> tuple[Mapping[Place, HeadFile], list[Problem]]:
    """The files of all heads that are asked for, whether they fit or not, and what is wrong."""
    reader, files, problems = HeadReader(), dict[Place, HeadFile](), list[Problem]()
    for name, index in _asked_for(config):
        try:
            files[name, index] = read_head(config, reader, name, index)
        except ConfigError as error:
            problems += error.problems
    return files, problems


def shipped_heads() -> tuple[str, ...]:
    """The sounds for which a head comes with the detector."""
    names = (one.name for one in _shipped().iterdir() if one.name.endswith(".json"))
    return tuple(sorted(name.removesuffix(".json") for name in names if "-" not in name))


def read_shipped(sound: str, reader: HeadReader | None = None) -> HeadFile:
    """The head that comes with the detector for a sound; raises ConfigError as the reader does."""
    return (reader or HeadReader()).read(_shipped(), f"{sound}.json")


def _shipped() -> Traversable:
    """A file for each sound, and ``trunk-….json`` that they share: no sound has such a name."""
    return resources.files("detector.heads")


def _asked_for(config: Config) -> Iterator[Place]:
    for name, sound in config.enabled_sounds.items():
        for index, evidence in enumerate(sound.evidence):
            if evidence.kind == "head":
                yield name, index


def read_head(config: Config, reader: HeadReader, name: str, index: int) -> HeadFile:
    """The head that an entry of a sound's evidence asks for; raises ConfigError as the reader."""
    path = config.sounds[name].evidence[index].head
    if path is not None:
        return reader.read(path.parent, path.name)
    if name not in shipped_heads():
        key = f"sounds.{name}.evidence[{index}].head"
        origin = config.origins.get(key, "")
        shipped = ", ".join(shipped_heads()) or "none at all"
        reason = f"is missing: no head is shipped for this sound ({shipped}), so name its file"
        raise ConfigError([Problem(str(origin), key, reason)])
    return read_shipped(name, reader)


def _settle(file: HeadFile, evidence: EvidenceConfig, spec: RecogniserSpec, key: str) -> Settled:
    if misfit := file.misfit(spec):
        return Settled(None, misfit)
    head = Head(
        trunks=file.trunks,
        weights=file.weights,
        bias=file.bias,
        curve=_refined(file, evidence, key),
        hop_s=file.hop_s,
        averaged=file.averaged,
    )
    which = "the shipped head" if evidence.head is None else f"the head {evidence.head}"
    return Settled(head, f"{which} of {file.day}", file.sha256)


def _refined(file: HeadFile, evidence: EvidenceConfig, key: str) -> Curve:
    """The head's own curve, with what recordings of one's own have taught, if it is of this head.

    The head is known by its content, which names model and hop.
    """
    refinement = evidence.refinement
    if refinement.fitted_for is None:
        return file.curve
    if refinement.fitted_for.head != file.sha256:
        _log.warning(
            "%s.refinement: it was fitted for another head, so it is not applied; "
            "run `detector calibrate` again",
            key,
        )
        return file.curve
    return Refined(file.curve, refinement.slope, refinement.offset)
