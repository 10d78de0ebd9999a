"""The same work on a Dask cluster, which may be many machines. Needs the extra ``cluster``."""

import logging
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from detector.core.errors import DetectorError
from detector.scan.result import FileResult
from detector.scan.scanning import ScanSettings, scan_file

LOCAL = "local"
"""Instead of an address: a cluster of our own on this machine, while it is needed."""
_IN_FLIGHT = 500
"""As many files the scheduler knows of at a time, each with its settings (10 kB)."""
_CONNECT_S = 10.0
_WORKERS_S = 60.0


def scan_on_cluster(
    address: str, files: Sequence[Path], settings: ScanSettings, workers: int
) -> Iterator[FileResult]:
    """Hear files wherever the scheduler has it done; yields what is done as it is done.

    What a lost worker had in hand the scheduler gives to another; a file that was the end of
    several is a result with a problem.  Workers must see files, model and heads at the same paths
    as we do, and have the same detector installed.

    Raises DetectorError where there is no such cluster, or it fails.
    """
    distributed = _distributed()
    with ExitStack() as stack:
        client = _client(stack, distributed, address, workers)
        try:
            yield from _run(distributed, client, files, settings)
        except (OSError, TimeoutError, CancelledError) as error:
            raise DetectorError(f"the cluster at {address} is lost: {_line(error)}") from error


def check_cluster(address: str) -> None:
    """Raise DetectorError where the extra is not installed, or this is no address."""
    if address != LOCAL and not re.fullmatch(r"(\w+://)?\S+:\d+", address):
        raise DetectorError(
            f"--scheduler {address}: write `{LOCAL}`, or an address such as tcp://10.0.0.5:8786"
        )
    _distributed()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise DetectorError(
            "--scheduler needs the extra `cluster`: pip install 'sound-event-detector[cluster]'"
        ) from error
    for name in [one for one in logging.root.manager.loggerDict if one.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is raised, in one line
    return distributed


def _client(stack: ExitStack, distributed: Any, address: str, workers: int) -> Any:
    """Connected to at least one worker; raises DetectorError where that cannot be."""
    try:
        if address == LOCAL:
            with _ignored_interrupts():
                where = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address=None,
                    )
                )
        else:
            where = address
        client = stack.enter_context(distributed.Client(where, timeout=_CONNECT_S))
        client.wait_for_workers(1, timeout=_WORKERS_S)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise DetectorError(
            f"--scheduler {address}: no cluster with a worker there: {_line(error)}"
        ) from error
    return client


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Processes that are begun here never hear Ctrl-C: it is ours to act upon.

    Ignored and not blocked: the threads that begin them do not inherit what we block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(
    distributed: Any, client: Any, files: Sequence[Path], settings: ScanSettings
) -> Iterator[FileResult]:
    waiting = iter(files)
    paths: dict[Any, Path] = {}

    def submit(count: int) -> list[Any]:
        begun = []
        for path, _ in zip(waiting, range(count), strict=False):
            future = client.submit(scan_file, path, settings, pure=False)
            paths[future] = path
            begun.append(future)
        return begun

    running = distributed.as_completed(submit(_IN_FLIGHT))
    for future in running:
        yield _result(distributed, future, paths.pop(future))
        running.update(submit(1))


def _result(distributed: Any, future: Any, path: Path) -> FileResult:
    try:
        result: FileResult = future.result()
    except distributed.scheduler.KilledWorker:
        return FileResult(path, 0.0, (), f"{path}: each worker that read it was lost")
    except (DetectorError, CancelledError):
        raise
    except Exception as error:
        raise DetectorError(f"a worker of the cluster failed: {_line(error)}") from error
    return result


def _line(error: BaseException) -> str:
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
