"""Files of one's own: read whole, and written whole or not at all, for their folder's owner."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from detector.core.errors import DataError

MOST_BYTES = 64 * 1024 * 1024
"""A file of more is none."""


def is_there(path: Path) -> bool:
    """Whether there is something of a name; raises DataError where we may not even look."""
    try:
        return path.exists() or path.is_symlink()
    except OSError as error:
        raise DataError(f"{path} cannot be looked for: {error.strerror}") from error


def kept_content(path: Path) -> bytes:
    """What a file holds that we wrote; raises DataError for what is none, such as a pipe."""
    if is_there(path) and not path.is_file():
        raise DataError(f"{path} is no file")
    return content_of(path)


def content_of(path: Path) -> bytes:
    """What a file holds; raises DataError where it cannot be read, or is too large."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} is larger than any file of sounds")
    return content


def encoded(document: Mapping[str, Any]) -> bytes:
    """A document as it is written."""
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises DataError where it cannot be written."""
    write_all(path.parent, [(path, content)])


def write_all(folder: Path, texts: Iterable[tuple[Path, bytes]]) -> None:
    """Write files of a folder: all drafts lie on the disk before the first takes its place.

    Raises DataError where something cannot be written.
    """
    drafts: list[tuple[Path, Path]] = []
    try:
        _make(folder)
        for path, content in texts:
            drafts.append((_draft(folder, path.name, content), path))
        for draft, path in drafts:
            draft.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{folder} cannot be written: {reason}; nothing was changed") from error
    finally:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Make a folder, and those above it: each for the owner of what it lies in, as `sudo` is not.

    Else the service, which is another user, could not see what root has written for it.
    """
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder, folder.parent)


def _give(path: Path, above: Path) -> None:
    with suppress(PermissionError):  # of root, for the service's user
        owner = above.stat()
        shutil.chown(path, owner.st_uid, owner.st_gid)


def _draft(folder: Path, name: str, content: bytes) -> Path:
    """A file beside, safely on the disk, for the folder's owner alone."""
    handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give(Path(beside), folder)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return Path(beside)
