"""Sounds of one's own that ``detector learn`` has learnt: files in the state directory.

Each is the file of a head, in which ``settings`` stand beside what a head has, and a ``digest`` of
all the rest.  What stands in the configuration under the name of such a sound goes over it.  A file
that is damaged is left out, and said so: the other sounds are to be heard.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from detector.config.describe import known_settings
from detector.config.document import Document
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
_Own = tuple[SoundConfig, Mapping[str, Origin]]
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


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


def own_sounds(folder: Path) -> Mapping[str, _Own]:
    """The sounds of a folder, by name, each with the origins of its settings below its key."""
    return dict(_read(folder))


def _read(folder: Path) -> Iterator[tuple[str, _Own]]:
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return
    for path in paths:
        if path.name.endswith(TAKES_SUFFIX):
            continue
        try:
            yield path.stem, _sound(path)
        except OSError as error:
            _log.warning("%s: not listened for: %s", path, error.strerror)
        except _DAMAGE:
            _log.warning(
                "%s: damaged, so %s is not listened for; learn it anew, or forget it",
                path,
                path.stem,
            )


def _sound(path: Path) -> _Own:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    document = json.loads(content)
    fits = document["sound"] == path.stem and re.fullmatch(NAME_PATTERN, path.stem)
    if len(content) > MOST_BYTES or not fits or document["digest"] != digest_of(document):
        raise ValueError(path.stem)
    settings = document["settings"]
    classes = tuple(str(name) for name in settings["classes"])
    evidence = {"kind": "head", "classes": classes, "head": path.absolute()}
    given: dict[str, Any] = {
        "label": str(settings["label"]),
        **{name: _number(name, settings[name]) for name in SETTINGS if name in settings},
    }
    return _complete(str(path), given, evidence)


def _complete(source: str, given: dict[str, Any], evidence: dict[str, Any]) -> _Own:
    """With defaults for the rest, and the origins of all."""
    document, origin = Document(source, Path()), Origin(source)
    told = [*given, *(f"evidence[0].{name}" for name in evidence)]
    told += [f"evidence[0].classes[{number}]" for number in range(len(evidence["classes"]))]
    road = document.complete(EvidenceConfig, evidence, "evidence[0]")
    sound = document.complete(SoundConfig, {**given, "evidence": (road,)}, "")
    return sound, {**document.origins, **dict.fromkeys(told, origin)}


def _number(name: str, value: Any) -> float:
    """A setting that is a number within its bounds; ValueError where it is none."""
    known = next(one for one in known_settings(SoundConfig) if one.name == name)
    low, high = known.setting.minimum, known.setting.maximum
    if isinstance(value, bool) or not (low or 0.0) <= float(value) <= (high or 1e9):
        raise ValueError(name)
    return float(value)
