"""The file that ``detector calibrate`` writes, and how it goes over the configuration.

What it says of a sound replaces what the configuration says; what people set while the daemon runs
replaces both.  A sound that it has and the configuration has not is not listened for.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from detector.config.checks import check_sound
from detector.config.document import WRONG, Document
from detector.config.schema import Config, EvidenceConfig, SoundConfig
from detector.config.setting import Origin, setting
from detector.config.sounds import shipped_sounds, with_release
from detector.config.values import shown
from detector.config.yaml_text import Unreadable, compose, read_text
from detector.core.errors import ConfigError, Problem

_log = logging.getLogger(__name__)

CALIBRATION_NAME = "calibration.yaml"
"""What is read where the configuration names no file: this, beside the configuration."""
VERSION = 1
CALIBRATED = ("evidence", "threshold", "release_threshold")
"""What a calibration says of a sound; a ``basis`` is for people only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a calibration comes from. For people: nothing is decided by it."""

    made_by: str = setting("Program and version.", default="")
    date: str = setting("UTC.", default="")
    target: str = setting("What the thresholds were to keep to.", default="")
    data: tuple[str, ...] = setting("What it was fitted on, and how much.", default=())
    method: str = setting("How it was fitted.", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedSound:
    """What a calibration says of one sound; what it leaves out stays as it is configured."""

    evidence: tuple[EvidenceConfig, ...] = setting("What tells it, all of it.", default=())
    threshold: float | None = setting(
        "Probability at which it counts as heard.", default=None, minimum=0.01, maximum=1.0
    )
    release_threshold: float | None = setting(
        "Probability below which it counts as gone.", default=None, minimum=0.0, maximum=1.0
    )
    basis: str = setting("What this rests on, in one line.", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFile:
    """A whole calibration file."""

    version: int = setting("Of this form.", minimum=VERSION, maximum=VERSION)
    provenance: Provenance = setting("Where it comes from.", default=Provenance)
    sounds: Mapping[str, CalibratedSound] = setting(
        "By name.", default=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """A calibration, and the document that says what stands where."""

    calibration: CalibrationFile
    document: Document


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration file by itself; raises ConfigError with all that is wrong with it."""
    document = Document(str(path), path.absolute().parent)
    try:
        calibration = _read(document, path)
    except Unreadable as error:
        where = f"{path}:{error.line}" if error.line else str(path)
        raise ConfigError([Problem(where, "", str(error))]) from None
    document.raise_problems()
    return calibration


def apply_calibration(
    document: Document, config: Config, beside: Path | None
) -> tuple[Config, list[Problem]]:
    """The configuration with its calibration over it, and what is wrong with that.

    ``document`` is the configuration's: it learns of the new origins, and of a file that cannot be
    read.  ``beside`` is the file that is taken if it is there and none is named.
    """
    named = config.calibration
    path = named or beside
    if path is None or (named is None and not path.exists()):
        return config, []
    theirs = Document(str(path), path.absolute().parent)
    try:
        calibration = _read(theirs, path)
    except Unreadable as error:
        _note(document, theirs, error, named)
        return config, theirs.problems
    read = _Read(calibration, theirs)
    before = replace(config, origins=MappingProxyType(dict(document.origins)))
    sounds = {name: _calibrated(read, document, name, one) for name, one in config.sounds.items()}
    _tell_of_the_others(read, config)
    config = replace(config, calibration=path, sounds=MappingProxyType(sounds), uncalibrated=before)
    return config, theirs.problems


def without_calibration(config: Config, names: Collection[str]) -> Config:
    """The configuration as if its calibration file said nothing of these sounds."""
    before = config.uncalibrated
    if before is None or not names:
        return config
    sounds, origins = dict(config.sounds), dict(config.origins)
    for name in names:
        below = before.sounds[name]
        given = {one: getattr(below, one) for one in CALIBRATED}
        sounds[name] = replace(sounds[name], **given)
        for one in CALIBRATED:
            _replace_origins(origins, before.origins, f"sounds.{name}.{one}")
    return replace(config, sounds=MappingProxyType(sounds), origins=MappingProxyType(origins))


def _note(document: Document, theirs: Document, error: Unreadable, named: Path | None) -> None:
    """Note it where it is to be put right: in the file, or where the file is named."""
    if named is not None and not error.line:
        document.problem_at("calibration", f"{named}: {error}")
    else:
        theirs.problem(error.line, "", str(error))


def _read(document: Document, path: Path) -> CalibrationFile:
    """Read and check it, noting what is wrong; raises Unreadable for what is no YAML."""
    root = compose(read_text(path))
    values: dict[str, Any] = {} if root is None else document.given(root, CalibrationFile, "")
    node = values.get("sounds")
    sounds = {}
    for name, below in document.entries(node, "sounds") if node is not None else ():
        sound = document.section(below, CalibratedSound, f"sounds.{shown(name)}")
        if sound is not WRONG:
            sounds[name] = sound
    values["sounds"] = MappingProxyType(sounds)
    calibration = document.complete(CalibrationFile, values, "")
    return CalibrationFile(version=VERSION) if calibration is WRONG else calibration


def _calibrated(read: _Read, document: Document, name: str, sound: SoundConfig) -> SoundConfig:
    """One sound with what the calibration says of it."""
    found = read.calibration.sounds.get(name)
    if found is None:
        return sound
    key, theirs = f"sounds.{name}", read.document
    given = {
        one: getattr(found, one) for one in CALIBRATED if getattr(found, one) not in (None, ())
    }
    changed = with_release(
        theirs, key, replace(sound, **given), sound.threshold, sound.release_threshold
    )
    check_sound(theirs, key, changed)
    for setting_name in given:
        _move_origins(document, theirs, f"{key}.{setting_name}")
    if changed.release_threshold != sound.release_threshold and "release_threshold" not in given:
        document.origins[f"{key}.release_threshold"] = Origin(theirs.source)
    return changed


def _move_origins(document: Document, theirs: Document, key: str) -> None:
    """Let the calibration be where a value comes from; say so if it was written by hand."""
    written = document.origins.get(key)
    if written is not None and written.line is not None:
        _log.info("%s of %s gives way to %s", key, written, theirs.origins.get(key, theirs.source))
    _replace_origins(document.origins, theirs.origins, key)


def _replace_origins(origins: dict[str, Origin], by: Mapping[str, Origin], key: str) -> None:
    """At a key and below it."""
    for old in [one for one in origins if _is_at_or_below(one, key)]:
        del origins[old]
    origins.update({new: origin for new, origin in by.items() if _is_at_or_below(new, key)})


def _is_at_or_below(key: str, above: str) -> bool:
    return key == above or key.startswith((f"{above}.", f"{above}["))


def _tell_of_the_others(read: _Read, config: Config) -> None:
    """A name that is neither listened for nor shipped is mostly a slip."""
    known = {*config.sounds, *shipped_sounds()}
    for name in read.calibration.sounds:
        if name not in known:
            _log.warning(
                "%s: there is no sound %s; its calibration has no effect",
                read.document.source,
                shown(name),
            )
