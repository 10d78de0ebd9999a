"""Sounds of one's own that ``detector learn`` has learnt: files in the state directory.

Each is the file of a head, in which ``settings`` stand beside what a head has, and a ``digest`` of
all the rest.  What stands in the configuration under the name of such a sound goes over it.  A file
that is damaged, or says what cannot be, is left out, and said so: the other sounds are to be heard.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from detector.config.checks import check_sound
from detector.config.describe import expected, known_settings
from detector.config.document import DEFAULT, Document
from detector.config.schema import Config
from detector.config.setting import NAME_PATTERN, Origin
from detector.config.sound import EvidenceConfig, SoundConfig

_log = logging.getLogger(__name__)

FOLDER_NAME = "sounds"
TAKES_SUFFIX = ".takes.json"
"""Of the files beside the sounds' own that hold what they were learnt from."""
MOST_BYTES = 1024 * 1024
"""A file of more is none."""
SETTINGS = ("threshold", "release_threshold", "hold_seconds", "refractory_seconds")
"""What a file may say of its sound, beside its label and classes."""
_LONGEST_LABEL, _LONGEST_CLASS, _MOST_CLASSES = 60, 200, 50
_LINE_PATTERN = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+"
_Learnt = tuple[SoundConfig, Mapping[str, Origin]]
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Own:
    """The sounds of one's own that were found."""

    sounds: Mapping[str, _Learnt] = field(default_factory=lambda: MappingProxyType({}))
    """By name, each with the origins of its settings below its key."""
    unusable: frozenset[str] = frozenset()
    """Those of which there is a file that cannot be used."""
    begun: frozenset[str] = frozenset()
    """Those of which takes are kept."""
    is_known: bool = False
    """Whether it is known where they would lie; else nothing can be said of any."""
    is_hidden: bool = False
    """Whether there may be others, which we may not see."""


class Unusable(ValueError):  # noqa: N818 - what it says of is a file, not an error
    """What is wrong with the file of a sound, for people."""


def state_folder(configured: Path | None, environ: Mapping[str, str]) -> Path:
    """Where state is kept: the setting, else systemd's directory, else the user's own."""
    if configured is not None:
        return configured
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    home = Path(environ.get("HOME", "~")).expanduser()
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "detector"


def digest_of(document: Mapping[str, Any]) -> str:
    """Of everything in a document but its ``digest``."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def own_sounds(folder: Path) -> Mapping[str, _Learnt]:
    """The sounds of a folder that can be used, by name."""
    return find_own(folder).sounds


def is_own(config: Config, name: str) -> bool:
    """Whether what tells a sound of a configuration is what was learnt here, and nothing else."""
    evidence = config.sounds[name].evidence
    origin = config.origins.get(f"sounds.{name}.evidence[0].head")
    is_ours = origin is not None and origin.line is None and origin != DEFAULT
    return len(evidence) == 1 and is_ours and origin == Origin(str(evidence[0].head))


def find_own(folder: Path) -> Own:
    """The sounds of a folder; what cannot be used is logged."""
    try:
        names, begun = own_names(folder), begun_names(folder)
    except OSError as error:
        _log.warning(
            "%s cannot be listed: %s; sounds of your own in it are not listened for",
            folder,
            error.strerror,
        )
        return Own(is_known=True, is_hidden=True)
    found = dict(_read(folder, names))
    unusable = frozenset(names) - found.keys()
    return Own(MappingProxyType(found), unusable, begun, is_known=True)


def own_names(folder: Path) -> list[str]:
    """Of which sounds there is a file, usable or not; raises OSError for a folder that is closed.

    A folder that is not there has none.
    """
    heads = (one for one in _files(folder) if not one.endswith(TAKES_SUFFIX))
    return sorted(one.removesuffix(".json") for one in heads)


def begun_names(folder: Path) -> frozenset[str]:
    """Of which sounds there are takes, learnt or not; raises OSError as ``own_names`` does."""
    takes = (one for one in _files(folder) if one.endswith(TAKES_SUFFIX))
    return frozenset(one.removesuffix(TAKES_SUFFIX) for one in takes)


def _files(folder: Path) -> list[str]:
    """Their names; raises OSError as ``own_names`` does."""
    try:
        files = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [one for one in files if one.endswith(".json") and not one.startswith(".")]


def _read(folder: Path, names: list[str]) -> Iterator[tuple[str, _Learnt]]:
    for name in names:
        path = folder / f"{name}.json"
        try:
            yield name, _sound(path)
        except OSError as error:
            _log.warning("%s: not listened for: %s", path, error.strerror)
        except Unusable as error:
            _log.warning(
                "%s: damaged, so %s is not listened for: %s; learn it anew, or forget it",
                path,
                name,
                error,
            )


def _sound(path: Path) -> _Learnt:
    if path.exists() and not path.is_file():
        raise Unusable("it is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        return learnt_sound(path, file.read(MOST_BYTES + 1))


def learnt_sound(path: Path, content: bytes) -> _Learnt:
    """What the file of a sound says; raises Unusable for what cannot be listened for."""
    if len(content) > MOST_BYTES:
        raise Unusable(f"it is larger than {MOST_BYTES} bytes")
    try:
        return _of_document(path.absolute(), json.loads(content))
    except Unusable:
        raise
    except _DAMAGE as error:
        raise Unusable("it is not what was written") from error


def _of_document(path: Path, document: Mapping[str, Any]) -> _Learnt:
    if document["digest"] != digest_of(document):
        raise Unusable("it is not what was written")
    if document["sound"] != path.stem or not re.fullmatch(NAME_PATTERN, path.stem):
        raise Unusable("it is of another name")
    settings = document["settings"]
    evidence = {"kind": "head", "classes": _classes(settings["classes"]), "head": path}
    given: dict[str, Any] = {
        "label": _line("label", settings["label"], _LONGEST_LABEL),
        **{name: _number(name, settings[name]) for name in SETTINGS if name in settings},
    }
    return _complete(str(path), given, evidence)


def _complete(source: str, given: dict[str, Any], evidence: dict[str, Any]) -> _Learnt:
    """With defaults for the rest, and the origins of all; Unusable where they do not fit."""
    document, origin = Document(source, Path()), Origin(source)
    told = [*given, *(f"evidence[0].{name}" for name in evidence)]
    told += [f"evidence[0].classes[{number}]" for number in range(len(evidence["classes"]))]
    road = document.complete(EvidenceConfig, evidence, "evidence[0]")
    sound = document.complete(SoundConfig, {**given, "evidence": (road,)}, "")
    check_sound(document, "", sound)
    for problem in document.problems:
        raise Unusable(f"{problem.key} {problem.message}")
    return sound, {**document.origins, **dict.fromkeys(told, origin)}


def _number(name: str, value: Any) -> float:
    """A setting that is a number within its bounds."""
    known = next(one for one in known_settings(SoundConfig) if one.name == name)
    low, high = known.setting.minimum or 0.0, known.setting.maximum or 1e9
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise Unusable(f"{name} is not {expected(known)}")
    return float(value)


def _classes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_CLASSES:
        raise Unusable("classes is no list of classes")
    return tuple(_line("a class", one, _LONGEST_CLASS) for one in value)


def _line(what: str, value: Any, most: int) -> str:
    fits = isinstance(value, str) and len(value) <= most and re.fullmatch(_LINE_PATTERN, value)
    if not fits:
        raise Unusable(f"{what} is not one line of text of at most {most} characters")
    return str(value)
