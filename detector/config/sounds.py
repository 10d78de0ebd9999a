"""The ``sounds`` section: what is shipped, what stands there, and how the two become one."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from detector.config.document import DEFAULT, WRONG, Document
from detector.config.own import Own
from detector.config.schema import Config, SoundConfig
from detector.config.setting import NAME_PATTERN, Origin
from detector.config.values import is_empty, shown, shown_node, suggestion
from detector.config.yaml_text import compose
from detector.core.events import EventKind

_log = logging.getLogger(__name__)

DEFAULT_SOUNDS = ("baby_cry", "doorbell", "smoke_alarm")
"""Listened for where the configuration has no ``sounds``."""
SHIPPED = Origin("shipped")

_MISTYPED = 0.85
"""A name so like a shipped one is one or two letters from it."""
_RESERVED = {kind.value for kind in EventKind} - {EventKind.SOUND.value}
_RESERVED_ENDINGS = ("_ended", "_possible", "_updated")


@dataclass(frozen=True, slots=True)
class _Base:
    """What the settings of a sound replace: a shipped sound, or the schema's defaults."""

    sound: SoundConfig
    origins: Mapping[str, Origin]
    """By key path below the sound: ``evidence[0].pooling``."""


def shipped_sounds() -> Mapping[str, SoundConfig]:
    """All sounds that come with the package, in its order."""
    return MappingProxyType({name: base.sound for name, base in _shipped().items()})


@cache
def _shipped() -> Mapping[str, _Base]:
    text = files("detector.config").joinpath("sounds.yaml").read_text(encoding="utf-8")
    document = Document("sounds.yaml", Path())
    root = compose(text)
    bases = {}
    for name, node in document.entries(root, "") if root else ():
        sound = document.section(node, SoundConfig, name)
        below = f"{name}."
        origins = {
            key.removeprefix(below): SHIPPED for key in document.origins if key.startswith(below)
        }
        bases[name] = _Base(sound, origins)
    document.raise_problems()
    return MappingProxyType(bases)


_NONE = Own()


def read_sounds(
    document: Document, node: yaml.Node | None, own: Own = _NONE
) -> tuple[Mapping[str, SoundConfig], frozenset[str]]:
    """The sounds to listen for: those that stand in ``node``, or the usual three without one.

    And the names of those that are left out, of which something stands there.

    Beside them all of one's ``own``; what stands in ``node`` under such a name goes over it.  Of
    one that cannot be used, or is there no more, what stands there is left out with it, which is
    logged: unless nothing would be left to listen for.
    """
    bases = {name: _Base(*learnt) for name, learnt in own.sounds.items()}
    bases.update(_shipped())  # a shipped name stays what it is
    named = dict(_named(document, node))
    names = [*named, *(one for one in own.sounds if one not in {*named, *_shipped()})]
    for name in names:
        key = f"sounds.{shown(name)}"
        if key in document.lines and name not in _shipped() and not _is_whole(named[name]):
            document.origins[key] = Origin(document.source, document.lines[key])
    left_out = {name: why for name in names if (why := _left_out(document, name, own))}
    if len(left_out) == len(names):  # what is not there is then a problem
        left_out = {name: why for name, why in left_out.items() if name in own.unusable}
    for name, why in left_out.items():
        key = f"sounds.{name}"
        _log.warning("%s, %s: left out, %s", document.origins.get(key), key, why)
    sounds: dict[str, SoundConfig] = {}
    for name in (one for one in names if one not in left_out):
        key = f"sounds.{shown(name)}"
        sound = _read_sound(document, name, key, named.get(name), bases.get(name))
        if sound is not None:
            sounds[name] = sound
    return MappingProxyType(sounds), frozenset(left_out)


def _is_whole(node: yaml.Node | None) -> bool:
    """Whether what stands there says what tells the sound, and so needs nothing beside it."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return any(getattr(key, "value", None) == "evidence" for key, _ in pairs)


def _left_out(document: Document, name: str, own: Own) -> str:
    """Why settings of a sound of one's own are left out, if they are; never of a mistyped name."""
    key = f"sounds.{shown(name)}"
    if key not in document.origins or name in own.sounds or not own.is_known:
        return ""
    if name in own.unusable or (own.is_hidden and not _is_mistyped(name)):
        return "as the sound itself is"
    if not re.fullmatch(NAME_PATTERN, name) or is_reserved(name):
        return ""
    if _is_mistyped(name) and name not in own.begun:
        return ""
    return (
        "it is not a shipped sound, and none of your own has that name here: learn it "
        f"(detector learn {name}), take it in (detector sounds import), or remove it there"
    )


def _is_mistyped(name: str) -> bool:
    """Whether a name is meant to be a shipped one; ``my_doorbell`` and ``my_alarm`` are not."""
    within = any(f"_{one}_" in f"_{name}_" for one in _shipped())
    return bool(suggestion(name, _shipped(), cutoff=_MISTYPED)) and not within


def _named(document: Document, node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node | None]]:
    if node is None:
        yield from ((name, None) for name in DEFAULT_SOUNDS)
    elif is_empty(node) or node.value in ([], ""):
        document.problem_at("sounds", f"is empty: name at least one sound, {_offer()}")
    elif isinstance(node, yaml.SequenceNode):
        yield from ((name, None) for name in _names(document, node))
    else:
        yield from document.entries(node, "sounds")


def _names(document: Document, node: yaml.SequenceNode) -> Iterator[str]:
    for item in node.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.ScalarNode):
            message = (
                f"{shown_node(item)} is not the name of a sound; to give settings, write lines "
                "of `name:` instead of a list"
            )
            document.problem(line, "sounds", message)
            continue
        key = f"sounds.{shown(item.value)}"
        if key in document.lines:
            document.problem(line, key, f"stands twice, first in line {document.lines[key]}")
            continue
        document.lines[key] = line
        yield item.value


def _offer() -> str:
    return f"of {', '.join(_shipped())}, or one of your own"


def _read_sound(
    document: Document, name: str, key: str, node: yaml.Node | None, base: _Base | None
) -> SoundConfig | None:
    if not _is_good_name(document, name, key):
        return None
    values = {} if node is None else document.given(node, SoundConfig, key)
    if base is not None and values.get("evidence", base.sound.evidence) != base.sound.evidence:
        base = _for_other_evidence(base)
    sound = (
        _own_sound(document, name, key, values)
        if base is None
        else _shipped_sound(document, base, key, values)
    )
    if sound is None:
        return None
    usual = base.sound if base else _defaults()
    sound = with_release(document, key, sound, usual.threshold, usual.release_threshold)
    return replace(sound, label=sound.label or name.replace("_", " ").capitalize())


def _is_good_name(document: Document, name: str, key: str) -> bool:
    if not re.fullmatch(NAME_PATTERN, name):
        right = "lower-case letters, digits and _, beginning with a letter, at most 40"
        document.problem_at(key, f"is not a name for a sound: write {right}")
        return False
    if is_reserved(name):
        document.problem_at(key, "is the name of another kind of event: choose another")
        return False
    return True


def is_reserved(name: str) -> bool:
    """Whether a name means another kind of event."""
    return name in _RESERVED or name.endswith(_RESERVED_ENDINGS)


def _for_other_evidence(base: _Base) -> _Base:
    """A threshold holds for the evidence it was fitted for: with another, the usual ones do."""
    fitted, usual = ("threshold", "release_threshold"), _defaults()
    sound = replace(base.sound, **{name: getattr(usual, name) for name in fitted})
    return _Base(sound, {**base.origins, **dict.fromkeys(fitted, DEFAULT)})


def _shipped_sound(
    document: Document, base: _Base, key: str, values: dict[str, Any]
) -> SoundConfig:
    for below, origin in base.origins.items():
        if re.split(r"[.\[]", below)[0] not in values:
            document.origins[f"{key}.{below}"] = origin
    return replace(base.sound, **values)


def _own_sound(
    document: Document, name: str, key: str, values: dict[str, Any]
) -> SoundConfig | None:
    if not document.is_written(f"{key}.evidence"):
        hint = suggestion(name, _shipped()) or f" (those are {', '.join(_shipped())})."
        own = "A sound of your own needs `evidence` with `classes`"
        document.problem_at(key, f"is not a shipped sound{hint} {own}")
        document.wrong.add(f"{key}.evidence")
    sound = document.complete(SoundConfig, values, key)
    return None if sound is WRONG else sound


def _defaults() -> SoundConfig:
    return SoundConfig(evidence=())


def with_release(
    document: Document, key: str, sound: SoundConfig, threshold: float, release: float
) -> SoundConfig:
    """Let the release threshold follow a threshold set below it, in the usual proportion."""
    follower = f"{key}.release_threshold"
    if sound.release_threshold <= sound.threshold or document.is_written(follower):
        return sound
    document.origins[follower] = document.origins[f"{key}.threshold"]
    return replace(sound, release_threshold=round(sound.threshold * release / threshold, 3))


def with_all_sounds(config: Config) -> Config:
    """The configuration with every shipped sound listened for, beside its own: also those off."""
    own = {name: replace(sound, enabled=True) for name, sound in config.sounds.items()}
    sounds = {**shipped_sounds(), **own}
    return replace(config, sounds=MappingProxyType(sounds))
