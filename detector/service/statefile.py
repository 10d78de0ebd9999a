"""A small JSON file in the state directory: written whole or not at all, damage set aside."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
_Parsed = TypeVar("_Parsed")

_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What comes of reading JSON that is none, or not of the shape that was written."""


class StateFile:
    """One file. Nothing about it ever stops the daemon: what is wrong is logged. One thread's.

    Args:
        path: Where it lies; its directory is made when it is first written.
        lost: What it means that it cannot be read, ``nothing is overridden``.
    """

    def __init__(self, path: Path, *, lost: str) -> None:
        self.path = path
        self._lost = lost
        self._problem: str | None = None  # why the last write failed

    def read(self, parse: Callable[[Any], _Parsed]) -> _Parsed | None:
        """What ``parse`` makes of the document; None where there is none that can be read.

        A damaged one, also one that ``parse`` refuses with ValueError, TypeError, KeyError or
        AttributeError, is set aside.
        """
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            json.dumps(document, allow_nan=False)  # what could not be written again is damage
            return parse(document)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s: cannot be read (%s); going on without it", self.path, error.strerror)
        except _DAMAGE:
            self._set_aside()
        return None

    def write(self, document: Any, *, durable: bool) -> bool:
        """Write it, for its owner only; whether that worked.

        ``durable``: so that it outlives a power cut.

        A failure is logged once for each reason, and so is its end.
        """
        temporary = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, allow_nan=False, separators=(",", ":"))
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(self.path)
            if durable:
                _sync(self.path.parent)  # else a power cut may bring the old file back
        except OSError as error:
            self._tell(error.strerror or str(error))
            return False
        self._tell(None)
        return True

    def _tell(self, problem: str | None) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if problem is None:
            _log.info("%s: can be written again", self.path)
        else:
            _log.warning("%s: cannot be written (%s)", self.path, problem)

    def _set_aside(self) -> None:
        aside = self.path.with_suffix(".damaged")
        _log.warning("%s: damaged; set aside as %s, %s", self.path, aside, self._lost)
        try:
            self.path.replace(aside)
        except OSError as error:
            _log.warning("%s: cannot be set aside: %s", self.path, error.strerror)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
