"""Which recordings there are in files and folders."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FOREIGN = (".m4a", ".mp4", ".aac", ".wma", ".ac3", ".amr", ".mka", ".mkv", ".webm", ".ape", ".dsf")
"""Audio that is not read: in a folder it is passed over, and that is said."""


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, as it was when it was found."""

    path: Path
    """As it was named, or below the folder that was."""
    absolute: Path
    size_bytes: int
    modified_ns: int

    @property
    def has_changed(self) -> bool:
        """Whether there is something else in its place now."""
        try:
            now = self.path.stat()
        except OSError:
            return True
        return (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.modified_ns)


@dataclass(slots=True)
class Listing:
    """All recordings, in the order of their names."""

    recordings: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What cannot be looked at, one line each."""
    foreign: Counter[str] = field(default_factory=Counter)
    """Suffixes of audio in formats that are not read, and how often."""


def list_recordings(paths: Sequence[Path], suffixes: Collection[str]) -> Listing:
    """What is named, and in folders, however deep, all files with these suffixes (``.wav``).

    A file that is named is taken whatever its suffix.  Hidden files and folders are passed over,
    and nothing is listed twice.
    """
    listing, seen = Listing(), set[Path]()
    for path in paths:
        for file in _files_of(path, suffixes, listing):
            absolute = Path(os.path.abspath(file))  # noqa: PTH100 - a link stays what it is called
            if absolute not in seen:
                seen.add(absolute)
                _add(file, absolute, listing)
    return listing


def _files_of(path: Path, suffixes: Collection[str], listing: Listing) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return

    def unreadable(error: OSError) -> None:
        listing.problems.append(f"{error.filename} cannot be searched: {error.strerror}")

    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a string, many times
            if not name.startswith("."):
                if suffix in suffixes:
                    yield Path(folder, name)
                elif suffix in _FOREIGN:
                    listing.foreign[suffix] += 1


def _add(path: Path, absolute: Path, listing: Listing) -> None:
    try:
        found = path.stat()
    except OSError as error:
        listing.problems.append(f"{path} cannot be opened: {error.strerror}")
        return
    listing.recordings.append(Found(path, absolute, found.st_size, found.st_mtime_ns))
