"""A whole scan: what is still to do, who does it, and what is kept of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detector.scan.journal import Journal, key_of
from detector.scan.listing import Found, Listing
from detector.scan.result import FileResult, Reached
from detector.scan.scanning import ScanSettings

Runner = Callable[[Sequence[Path], ScanSettings], Iterable[Reached | FileResult]]
"""Who hears files: the cores of this machine, or a cluster."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is."""

    files: int
    of_files: int
    bytes: int
    of_bytes: int
    heard_s: float
    """Seconds of audio heard in this run."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whoever is told meanwhile."""

    progress: Callable[[Progress], object]
    problem: Callable[[str], object]
    """One line, as soon as it is known."""


class Scan:
    """One scan, from a listing to what is in the journal. Owned by one thread."""

    def __init__(
        self, listing: Listing, settings: ScanSettings, journal: Journal, watcher: Watcher
    ) -> None:
        self._listing = listing
        self._settings = settings
        self._journal = journal
        self._watcher = watcher
        self._keys = [key_of(found, settings.digest) for found in listing.recordings]
        self._all_bytes = sum(found.size_bytes for found in listing.recordings)
        self._in_hand: dict[Path, tuple[float, float]] = {}
        """Bytes and seconds of files that are being heard."""
        self._bytes = 0
        self.files = 0
        """Files that this run, or an earlier one, is done with."""
        self.remembered = 0
        """Files that an earlier run was done with."""
        self.problems = 0
        self.heard_s = 0.0
        """Seconds of audio heard in this run."""

    def run(self, runner: Runner) -> None:
        """Hear what is not in the journal. Raises what the runner raises, and OSError."""
        for problem in self._listing.problems:
            self._complain(problem)
        self._remember()
        waiting = {
            found.absolute: (found, key)
            for found, key in zip(self._listing.recordings, self._keys, strict=True)
            if key not in self._journal
        }
        # The long ones first: else the last of them would keep one core busy, and the others idle.
        order = sorted(waiting, key=lambda path: -waiting[path][0].size_bytes)
        for word in runner(order, self._settings):
            found, key = waiting[word.path]
            if isinstance(word, Reached):
                self._in_hand[word.path] = (word.share * found.size_bytes, word.seconds)
            else:
                self._finish(found, key, word)
            self._watcher.progress(self._progress())

    def results(self) -> Iterator[FileResult]:
        """All that was heard, now and earlier, in the order of the listing."""
        return self._journal.results(
            (key, found.path)
            for found, key in zip(self._listing.recordings, self._keys, strict=True)
        )

    def _remember(self) -> None:
        for found, key in zip(self._listing.recordings, self._keys, strict=True):
            if key in self._journal:
                self.remembered += 1
                self._count(found)
        for result in self.results():
            if result.problem is not None:
                self._complain(result.problem)

    def _finish(self, found: Found, key: str, result: FileResult) -> None:
        self._in_hand.pop(found.absolute, None)
        self._count(found)
        self.heard_s += result.duration_s
        if found.has_changed:
            changed = f"{found.path} has changed while it was heard: scan it again"
            result = replace(result, duration_s=0.0, problem=changed)
        if result.problem is not None:
            self._complain(result.problem)
        if result.is_final:
            self._journal.add(key, result)

    def _count(self, found: Found) -> None:
        self.files += 1
        self._bytes += found.size_bytes

    def _complain(self, problem: str) -> None:
        self.problems += 1
        self._watcher.problem(problem)

    def _progress(self) -> Progress:
        in_hand = self._in_hand.values()
        return Progress(
            files=self.files,
            of_files=len(self._listing.recordings),
            bytes=self._bytes + round(sum(size for size, _ in in_hand)),
            of_bytes=self._all_bytes,
            heard_s=self.heard_s + sum(seconds for _, seconds in in_hand),
        )
