"""What is done, beside the output: an interrupted scan goes on where it was."""

import fcntl
import hashlib
import io
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from detector.core.errors import DetectorError
from detector.scan.listing import Found
from detector.scan.result import FileResult, document, from_document

_HEADER = b'{"detector": "journal of scan", "format": 1}\n'
_SYNC_S = 1.0
"""A power cut costs this much work at most; a killed process costs none."""


class Journal:
    """One line of JSON for each finished recording; only its keys are held in memory.

    One owner at a time, also among processes.  A line that was cut off is taken away when it is
    opened, one that is damaged is passed over.

    Raises DetectorError where it cannot be used, another scan uses it, or it is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.BufferedRandom | None = None
        self._places: dict[str, int] = {}
        self._synced_s = 0.0

    def __enter__(self) -> Self:
        """Open it, make it where it is not there, and take it for oneself."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._file = os.fdopen(descriptor, "r+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._close()
            raise DetectorError(f"{self._path} is in use by another scan") from error
        except OSError as error:
            self._close()
            raise DetectorError(f"{self._path} cannot be written: {error.strerror}") from error
        try:
            self._read()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.fsync(self._file)
        self._close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def add(self, key: str, result: FileResult) -> None:
        """A recording is finished. Raises OSError where that cannot be written."""
        line = json.dumps({"key": key} | document(result), separators=(",", ":")) + "\n"
        file = self._opened
        self._places[key] = file.seek(0, os.SEEK_END)
        file.write(line.encode())
        file.flush()
        if time.monotonic() - self._synced_s > _SYNC_S:
            os.fsync(file)
            self._synced_s = time.monotonic()

    def results(self, wanted: Iterable[tuple[str, Path]]) -> Iterator[FileResult]:
        """Those of these keys that are there, with the paths they are to have, in this order."""
        for key, path in wanted:
            if key in self._places:
                self._opened.seek(self._places[key])
                yield from_document(path, json.loads(self._opened.readline()))

    def _read(self) -> None:
        file = self._opened
        first = file.readline()
        if first != _HEADER:
            self._begin(first)
            return
        place, end = len(first), len(first)
        for line in file:
            if not line.endswith(b"\n"):
                break
            if (key := _key(line)) is not None:
                self._places[key] = place
            place += len(line)
            end = place
        file.truncate(end)

    def _begin(self, first: bytes) -> None:
        """Write the header, also where it was cut off; raises DetectorError for other files."""
        if not _HEADER.startswith(first):
            raise DetectorError(
                f"{self._path} is not the journal of a scan (or one of another version): "
                "remove it, or choose another --out"
            )
        self._opened.truncate(0)
        self._opened.write(_HEADER)
        self._opened.flush()

    @property
    def _opened(self) -> io.BufferedRandom:
        if self._file is None:
            raise RuntimeError("used before it was opened")
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def key_of(found: Found, digest: str) -> str:
    """A name for what a scan makes of a recording: path, size, time of change, and settings."""
    facts = (os.fsencode(found.absolute), found.size_bytes, found.modified_ns, digest)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _key(line: bytes) -> str | None:
    try:
        found: Any = json.loads(line)
        from_document(Path(), found)
        return str(found["key"])
    except (ValueError, KeyError, TypeError):
        return None
