"""Recordings on all cores of this machine: one process each, one model each, one thread each."""

import logging
import os
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic
from typing import Literal

from detector.core.errors import DetectorError, ModelError
from detector.scan.result import FileResult, Reached
from detector.scan.scanning import ScanSettings, scan_file, warm_up

_NICENESS = 10
"""Whatever else the machine has to do comes first."""
_TELL_S = 0.5
_TRIES = 2
"""So often a file may be the end of the process that hears it."""
_WORKER_MB = 200
"""Twice what a worker needs, so that all of them leave room for others."""

Ready = Literal["ready"]
_Word = Ready | Reached | FileResult | DetectorError


def usual_workers() -> int:
    """As many as there are cores for us, and memory for."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, _available_mb() // _WORKER_MB))


def _available_mb() -> int:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) // 1024
    return 1 << 30


def scan_on_cores(
    files: Sequence[Path], settings: ScanSettings, workers: int
) -> Iterator[Reached | FileResult]:
    """Hear files, in this order as far as workers are free; yields what is done as it is done.

    A file whose process dies is tried once more by another, then it is a result with a problem.
    When this is left, however, no process is.

    Raises ModelError where a worker cannot even begin.
    """
    pool = _Pool(deque(files), settings)
    try:
        for _ in range(min(workers, len(files))):
            pool.hire()
        while pool.is_busy:
            yield from pool.listen()
    finally:
        pool.dismiss()


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    file: Path | None = None
    is_ready: bool = False


class _Pool:
    """Workers by their pipes. Owned by one thread."""

    def __init__(self, waiting: deque[Path], settings: ScanSettings) -> None:
        self._waiting = waiting
        self._settings = settings
        self._workers: dict[Connection, _Worker] = {}
        self._deaths: Counter[Path] = Counter()

    @property
    def is_busy(self) -> bool:
        return bool(self._workers)

    def hire(self) -> None:
        context = get_context("spawn")  # a fork would share the interpreter's insides
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, self._settings), name="detector-scan", daemon=True
        )
        with deaf_to_interrupts():  # and so is the child, for good: Ctrl-C is ours to act upon
            process.start()
        theirs.close()
        self._workers[ours] = _Worker(process)

    def listen(self) -> Iterator[Reached | FileResult]:
        """Wait until somebody says something."""
        for pipe in wait(list(self._workers)):
            if isinstance(pipe, Connection):
                yield from self._hear(pipe)

    def _hear(self, pipe: Connection) -> Iterator[Reached | FileResult]:
        try:
            word: _Word = pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(pipe)
            return
        if isinstance(word, DetectorError):
            raise word
        if not isinstance(word, Reached):
            self._workers[pipe].is_ready = True
            self._give_work(pipe)
        if not isinstance(word, str):
            yield word

    def _give_work(self, pipe: Connection) -> None:
        worker = self._workers[pipe]
        worker.file = self._waiting.popleft() if self._waiting else None
        with suppress(OSError):  # it is dead: that will be heard in its turn
            pipe.send(worker.file)
        if worker.file is None:
            self._part(pipe)

    def _bury(self, pipe: Connection) -> Iterator[FileResult]:
        """A worker has died: its file is tried again, or given up."""
        worker = self._part(pipe)
        how = _end(worker.process.exitcode)
        if not worker.is_ready or worker.file is None:
            raise ModelError(f"a process that was to scan {how} before it could begin")
        self._deaths[worker.file] += 1
        if self._deaths[worker.file] < _TRIES:
            self._waiting.append(worker.file)
        else:
            problem = f"{worker.file}: the process that read it {how}, {_TRIES} times"
            yield FileResult(worker.file, 0.0, (), problem)
        if self._waiting:
            self.hire()

    def _part(self, pipe: Connection) -> _Worker:
        worker = self._workers.pop(pipe)
        worker.process.join()
        pipe.close()
        return worker

    def dismiss(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
        for pipe in list(self._workers):
            self._part(pipe)


def _end(code: int | None) -> str:
    if code is not None and -code in signal.valid_signals():
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with code {code}"


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C waits meanwhile; processes that are begun here never hear it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, settings: ScanSettings) -> None:
    """What a worker does until it is dismissed, or the scan is gone."""
    os.nice(_NICENESS)
    logging.disable(logging.WARNING)  # the scan itself has said it, once
    with suppress(EOFError, ConnectionError):
        try:
            warm_up(settings)
            pipe.send("ready")
            teller = _Teller(pipe)
            while (path := pipe.recv()) is not None:
                pipe.send(scan_file(path, settings, teller.tell))
        except DetectorError as error:
            pipe.send(ModelError(str(error)))


class _Teller:
    """Tells how far a file is, but not too often; raises ConnectionError when nobody listens."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._told_s = monotonic()

    def tell(self, reached: Reached) -> None:
        if monotonic() - self._told_s >= _TELL_S:
            self._pipe.send(reached)
            self._told_s = monotonic()
