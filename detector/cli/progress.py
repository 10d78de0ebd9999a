"""Progress bars on standard error, where that is a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.scan.campaign import Progress as ScanProgress

Report = Callable[[int, int | None], None]


@contextmanager
def download_progress() -> Iterator[Report]:
    """A bar that appears with the first bytes; reports are (bytes so far, bytes in all)."""
    with _bar("fetching the model", binary=True) as report:
        yield report


@contextmanager
def audio_progress(path: Path) -> Iterator[Report]:
    """A bar over a file's seconds; reports are (seconds done, seconds in all)."""
    with _bar(path.name, binary=False) as report:
        yield report


@contextmanager
def evaluation_progress(data: Path) -> Iterator[Report]:
    """A bar over all audio of an evaluation; reports are as above."""
    with _bar(f"evaluating {data.name}", binary=False) as report:
        yield report


@contextmanager
def recordings_progress() -> Iterator[Report]:
    """A bar over recordings; reports are (recordings done, recordings in all)."""
    with _bar("hearing recordings", binary=False, unit="") as report:
        yield report


@contextmanager
def learning_progress() -> Iterator[Report]:
    """A bar over batches; reports are (batches done, batches in all)."""
    with _bar("learning", binary=False, unit="") as report:
        yield report


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Where a scan tells how far it is, and what cannot be heard."""

    progress: "Callable[[ScanProgress], None]"
    problem: Callable[[str], None]
    """One line, which stays."""


@contextmanager
def scan_progress(*, every_s: float = 60.0) -> Iterator[ScanReport]:
    """A bar over a scan's bytes, with the time that remains; without a terminal a line a minute."""
    if not sys.stderr.isatty():
        yield ScanReport(_ScanLines(every_s).tell, _complain)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    percent = TextColumn("{task.percentage:.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeRemainingColumn())
    console = Console(stderr=True)
    began_s = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("beginning", total=None)

        def tell(state: "ScanProgress") -> None:
            what = escape(_scan_text(state, time.monotonic() - began_s))
            bar.update(task, description=what, completed=state.bytes, total=state.of_bytes)

        def complain(problem: str) -> None:
            console.print(f"detector: {_one_line(problem)}", markup=False, highlight=False)

        yield ScanReport(tell, complain)


class _ScanLines:
    """A line now and then."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._began_s = self._told_s = time.monotonic()
        self._first_bytes: int | None = None

    def tell(self, state: "ScanProgress") -> None:
        """Say it, if the last line is long ago."""
        now_s = time.monotonic()
        if self._first_bytes is None:
            self._first_bytes = state.bytes
        if now_s - self._told_s < self._every_s:
            return
        self._told_s = now_s
        done, left = state.bytes - self._first_bytes, state.of_bytes - state.bytes
        minutes = (now_s - self._began_s) * left / max(1, done) / 60
        text = _scan_text(state, now_s - self._began_s)
        print(f"{text}, about {minutes:.0f} min left", file=sys.stderr, flush=True)


def _scan_text(state: "ScanProgress", elapsed_s: float) -> str:
    speed = state.heard_s / max(elapsed_s, 1e-3)
    return f"{state.files} of {state.of_files} files, {speed:.0f} × real time"


def _complain(problem: str) -> None:
    print(f"detector: {_one_line(problem)}", file=sys.stderr, flush=True)


def _one_line(text: str) -> str:
    """Whatever the name of a file holds."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")


@contextmanager
def _bar(what: str, *, binary: bool, unit: str = " s") -> Iterator[Report]:
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn() if binary else TextColumn("{task.completed:.0f}" + unit)
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = None

        def report(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = progress.add_task(what, total=total)
            progress.update(task, completed=done, total=total)

        yield report
