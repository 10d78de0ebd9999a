"""Progress bars on standard error, where that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
