"""A calibration as the text of its file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from detector.config.calibration import CalibratedSound, CalibrationFile
from detector.config.describe import REQUIRED, known_settings

_HEAD = """\
# Written by `detector calibrate`, and read by the detector: what it says of a sound goes over the
# configuration. To be without it, move it away or name another file there (`calibration`).

"""


def calibration_text(calibration: CalibrationFile, folder: Path) -> str:
    """YAML that ``read_calibration`` makes the same of, for a file in ``folder``."""
    document = {
        "version": calibration.version,
        "provenance": dict(_written(calibration.provenance, folder)),
        "sounds": {name: dict(_sound(one, folder)) for name, one in calibration.sounds.items()},
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=96)
    return f"{_HEAD}{text}"


def _sound(sound: CalibratedSound, folder: Path) -> Iterator[tuple[str, Any]]:
    """What is for people comes first."""
    written = dict(_written(sound, folder))
    for name in ("basis", "threshold", "release_threshold", "evidence"):
        if name in written:
            yield name, written[name]


def _written(section: Any, folder: Path) -> Iterator[tuple[str, Any]]:
    """The settings of a section that are not as they would be without being written."""
    for known in known_settings(type(section)):
        value = getattr(section, known.name)
        if known.default is REQUIRED or value != known.default:
            yield known.name, _plain(value, folder)


def _plain(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        absolute = value.absolute()
        inside = absolute.is_relative_to(folder.absolute())
        return str(absolute.relative_to(folder.absolute()) if inside else absolute)
    if isinstance(value, tuple):
        return [_plain(one, folder) for one in value]
    if isinstance(value, str | int | float | Mapping) or value is None:
        return value
    return dict(_written(value, folder))
