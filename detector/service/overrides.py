"""What people changed while the daemon ran: kept in the state directory, over restarts."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.config import Config
from detector.config.own import state_folder
from detector.service.named import BY_MODEL
from detector.service.statefile import StateFile

_log = logging.getLogger(__name__)


def state_directory(config: Config, environ: Mapping[str, str]) -> Path:
    """Where state is kept: the setting, else systemd's directory, else the user's own."""
    return state_folder(config.state_directory, environ)


@dataclass(frozen=True, slots=True)
class ThresholdOverride:
    """A threshold set at run time, and the one it replaced."""

    value: float
    replaced: float


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

    def set_threshold(self, name: str, value: float, *, configured: float) -> None:
        """Remember a threshold."""
        self.thresholds[name] = ThresholdOverride(value, configured)
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
            "thresholds": {
                name: {"value": override.value, "replaced": override.replaced}
                for name, override in self.thresholds.items()
            },
        }
        self._changed = not self._file.write(document, durable=True)
        return not self._changed


def _parse(document: Any) -> tuple[bool, dict[str, ThresholdOverride]]:
    thresholds = {}
    for name, entry in document.get("thresholds", {}).items():
        override = ThresholdOverride(float(entry["value"]), float(entry["replaced"]))
        if not 0.0 < override.value <= 1.0:
            raise ValueError(name)
        thresholds[str(name)] = override
    armed = document.get("armed", True)
    if not isinstance(armed, bool):
        raise TypeError("armed")
    return armed, thresholds
