"""What people changed while the daemon ran: kept in the state directory, over restarts."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from detector.config import Config
from detector.config.own import state_folder
from detector.config.setting import Origin
from detector.service.named import BY_MODEL
from detector.service.statefile import StateFile

_log = logging.getLogger(__name__)

BY_COMMAND, BY_FEEDBACK = "command", "feedback"
"""Who sets thresholds at run time."""


def state_directory(config: Config, environ: Mapping[str, str]) -> Path:
    """Where state is kept: the setting, else systemd's directory, else the user's own."""
    return state_folder(config.state_directory, environ)


@dataclass(frozen=True, slots=True)
class ThresholdOverride:
    """A threshold set at run time, and the one it replaced."""

    value: float
    replaced: float
    origin: str = BY_COMMAND
    """Who set it: a command, or feedback."""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"value": self.value, "replaced": self.replaced, "origin": self.origin}

    @classmethod
    def parsed(cls, entry: Mapping[str, Any]) -> "ThresholdOverride":
        """Of such a document; ValueError, TypeError or KeyError for what is none."""
        value, replaced = float(entry["value"]), float(entry["replaced"])
        origin = entry.get("origin", BY_COMMAND)
        if not 0.0 < value <= 1.0 or origin not in (BY_COMMAND, BY_FEEDBACK):
            raise ValueError(value)
        return cls(value, replaced, origin)


@dataclass
class Overrides:
    """Thresholds and the armed switch as people set them. Used from the main thread only.

    A threshold is dropped when the configuration's own value is no longer the one it replaced:
    whoever edits the file means it.
    """

    directory: Path
    node: str
    armed: bool = True
    thresholds: dict[str, ThresholdOverride] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        """Name the file."""
        path = self.directory / f"overrides-{self.node}.json"
        self._file = StateFile(path, lost="nothing is overridden")

    @property
    def path(self) -> Path:
        """The file they are kept in."""
        return self._file.path

    def load(self) -> None:
        """Read the file, if there is one; a damaged one is set aside and said so."""
        found = self._file.read(_parse)
        if found is not None:
            self.armed, self.thresholds = found

    def reconcile(self, config: Config) -> None:
        """Drop thresholds of sounds that are gone or whose configured value has changed."""
        for name, override in list(self.thresholds.items()):
            sound = config.sounds.get(name)
            if config.origins.get(f"sounds.{name}.threshold") == BY_MODEL:
                continue  # it counts again once the model that it was set for is back
            if sound is not None and sound.threshold == override.replaced:
                continue
            del self.thresholds[name]
            now = "is gone" if sound is None else f"is now {sound.threshold}"
            _log.warning(
                "threshold %s of %s, set at run time, is dropped: the configured one %s",
                override.value,
                name,
                now,
            )
            self._changed = True

    def set_threshold(
        self, name: str, value: float, *, configured: float, origin: str = BY_COMMAND
    ) -> None:
        """Remember a threshold."""
        self.thresholds[name] = ThresholdOverride(value, configured, origin)
        self._changed = True

    def drop_threshold(self, name: str) -> None:
        """Forget a threshold."""
        self.thresholds.pop(name, None)
        self._changed = True

    def set_armed(self, *, armed: bool) -> None:
        """Remember the armed switch."""
        self.armed = armed
        self._changed = True

    def save(self) -> bool:
        """Write the file if anything changed, atomically; whether it holds what is set now.

        A full disk is said and survived: what could not be written is written by a later call.
        """
        if not self._changed:
            return True
        document = {
            "armed": self.armed,
            "thresholds": {name: override.document() for name, override in self.thresholds.items()},
        }
        self._changed = not self._file.write(document, durable=True)
        return not self._changed


def read_thresholds(directory: Path, node: str) -> Mapping[str, ThresholdOverride]:
    """What a node's file says of thresholds, for who only wants to know: it is left as it is."""
    try:
        text = (directory / f"overrides-{node}.json").read_text(encoding="utf-8")
        return _parse(json.loads(text))[1]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def overridden(config: Config, environ: Mapping[str, str]) -> Config:
    """The configuration with the thresholds that were set at run time, and who set them."""
    sounds, origins = dict(config.sounds), dict(config.origins)
    found = read_thresholds(state_directory(config, environ), config.node)
    for name, override in found.items():
        if name in sounds and sounds[name].threshold == override.replaced:
            sounds[name] = replace(sounds[name], threshold=override.value)
            by = f"set at run time by {override.origin}, instead of {override.replaced:g}"
            origins[f"sounds.{name}.threshold"] = Origin(by)
    return replace(config, sounds=sounds, origins=origins)


def _parse(document: Any) -> tuple[bool, dict[str, ThresholdOverride]]:
    entries = document.get("thresholds", {}).items()
    thresholds = {str(name): ThresholdOverride.parsed(entry) for name, entry in entries}
    armed = document.get("armed", True)
    if not isinstance(armed, bool):
        raise TypeError("armed")
    return armed, thresholds
