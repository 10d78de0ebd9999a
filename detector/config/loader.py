"""Find, read and check the configuration: a Config, or one ConfigError with every problem."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from detector.config.calibration import CALIBRATION_NAME, apply_calibration
from detector.config.checks import check
from detector.config.document import WRONG, Document
from detector.config.own import FOLDER_NAME, Own, find_own, state_folder
from detector.config.schema import Config
from detector.config.setting import Origin
from detector.config.sounds import read_sounds
from detector.config.yaml_text import Unreadable, compose, read_text
from detector.core.errors import ConfigError, Problem

_log = logging.getLogger(__name__)

VARIABLE = "DETECTOR_CONFIG"
"""Environment variable that names the configuration file."""
SYSTEM_PATH = Path("/etc/detector/detector.yaml")


def load_config(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    system_path: Path = SYSTEM_PATH,
    calibrated: bool = True,
) -> Config:
    """Read the configuration at ``path``, or where one is usually found, or take the defaults.

    Without a path: the file that ``$DETECTOR_CONFIG`` names, else the user's (``detector.yaml``
    in ``~/.config/detector``), else the system's.  ``Config.origins[""]`` says which it was.
    Without ``calibrated``, no calibration file goes over it: what it was before it was calibrated.
    Sounds that were learnt here are listened for beside those that it names.
    Where there is no configuration, a calibration may still lie where the user's would be.

    Raises ConfigError with all problems at once.
    """
    found = path or _search(environ, system_path)
    if found is None:
        _log.info("no configuration file: every setting has its default")
        folder = users_folder(environ)
        return parse_config("", "default", folder=folder, calibrated=calibrated, environ=environ)
    _log.info("configuration: %s", found)
    try:
        text = read_text(found)
    except Unreadable as error:
        raise ConfigError([_as_problem(error, str(found), _named_by(path, environ))]) from None
    folder = found.absolute().parent
    return parse_config(text, str(found), folder=folder, calibrated=calibrated, environ=environ)


def users_folder(environ: Mapping[str, str]) -> Path | None:
    """Where the user's configuration is, or would be."""
    return next((path.parent for path in _user_paths(environ)), None)


def _search(environ: Mapping[str, str], system_path: Path) -> Path | None:
    named = environ.get(VARIABLE)
    if named:
        return Path(named)
    candidates = [*_user_paths(environ), system_path]
    return next((path for path in candidates if path.is_file()), None)


def _user_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    home, base = environ.get("HOME"), environ.get("XDG_CONFIG_HOME")
    if base or home:
        folder = Path(base) if base else Path(home or "") / ".config"
        yield folder / "detector" / "detector.yaml"


def _named_by(path: Path | None, environ: Mapping[str, str]) -> str:
    return f" (${VARIABLE} names it)" if path is None and environ.get(VARIABLE) else ""


def _as_problem(error: Unreadable, source: str, remark: str = "") -> Problem:
    where = f"{source}:{error.line}" if error.line else source
    return Problem(where, "", f"{error}{remark}")


def parse_config(
    text: str,
    source_name: str,
    *,
    folder: Path | None = None,
    calibrated: bool = True,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """Make a Config of YAML ``text``; paths in it are relative to ``folder`` (default: here).

    ``environ`` tells where state is kept, and with it the sounds that were learnt here.

    Raises ConfigError with all problems at once, each with ``source_name`` and its line.
    """
    document = Document(source_name, folder or Path.cwd())
    beside = None if folder is None else folder / CALIBRATION_NAME
    try:
        root = compose(text)
    except Unreadable as error:
        raise ConfigError([_as_problem(error, source_name)]) from None
    values = {} if root is None else document.given(root, Config, "")
    own = _own(values.get("state_directory"), environ)
    values["sounds"], left_out = read_sounds(document, values.get("sounds"), own)
    config: Config = document.complete(Config, values, "")
    others: list[Problem] = []
    if config is not WRONG:
        check(document, config)
        if calibrated:
            config, others = apply_calibration(document, config, beside)
    document.raise_problems(others)
    origins = {"": Origin(source_name), **document.origins}
    unheard = sorted((left_out | own.unusable) - config.sounds.keys())
    return replace(config, origins=MappingProxyType(origins), left_out=tuple(unheard))


def _own(configured: Path | None, environ: Mapping[str, str]) -> Own:
    """The sounds that were learnt here; none where nothing says where state is kept."""
    told = ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME")
    if configured is None and not any(environ.get(name) for name in told):
        return Own()
    return find_own(state_folder(configured, environ) / FOLDER_NAME)
