"""A real Dask scheduler and real workers, of which some are lost."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from detector.core.errors import DetectorError
from detector.scan.cluster import scan_on_cluster
from detector.scan.result import FileResult
from detector.scan.scanning import ScanSettings, scan_file
from tests.scan.conftest import knocks, long_silence

pytestmark = pytest.mark.filterwarnings(
    "default:::distributed", "default::ResourceWarning", "default::DeprecationWarning"
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _dask() -> None:
    """Not at import: where these tests are not chosen it may be absent."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


class Cluster:
    """A scheduler, and workers of one thread each without anybody who starts them again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.workers: list[subprocess.Popen[str]] = []
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = self._wait_for(self.scheduler, r"Scheduler at: +(tcp://\S+)")

    def add_worker(self) -> None:
        """And wait until it is there."""
        worker = self._start(
            "dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(self._folder),
        )  # fmt: skip
        self.workers.append(worker)
        self._wait_for(worker, r"(Registered to)")

    def stop(self) -> None:
        """All of them."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.communicate()

    def _start(self, tool: str, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{tool}", *options],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait_for(self, process: "subprocess.Popen[str]", pattern: str) -> str:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("it has ended")


@contextmanager
def cluster_of(workers: int, folder: Path) -> Iterator[Cluster]:
    """While it is needed."""
    cluster = Cluster(folder)
    try:
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.stop()


def test_a_killed_worker_costs_nothing(tmp_path: Path, settings: ScanSettings) -> None:
    """Of two, one is killed midway: nothing is lost, and nothing comes twice."""
    files = [long_silence(tmp_path / f"long-{n}.wav", 900.0) for n in range(4)]
    files += knocks(tmp_path, 20)
    with cluster_of(2, tmp_path) as cluster:
        found: list[FileResult] = []
        for result in scan_on_cluster(cluster.address, files, settings, 2):
            found.append(result)
            if len(found) == 2:
                cluster.workers[0].send_signal(signal.SIGKILL)
        assert cluster.workers[0].wait() == -signal.SIGKILL
        assert cluster.workers[1].poll() is None
    found.sort(key=lambda one: one.path)
    assert [one.path for one in found] == sorted(files)
    assert found == [scan_file(path, settings) for path in sorted(files)]


def test_a_cluster_of_our_own_is_gone_afterwards(tmp_path: Path, settings: ScanSettings) -> None:
    """``local``: the same results, by processes that are ours."""
    files = knocks(tmp_path, 4)
    found = sorted(scan_on_cluster("local", files, settings, 2), key=lambda one: one.path)
    assert found == [scan_file(path, settings) for path in files]


def test_a_scheduler_that_goes_away_is_said(tmp_path: Path, settings: ScanSettings) -> None:
    """In one line; what was done until then is done."""
    files = [long_silence(tmp_path / "long.wav", 36_000.0), *knocks(tmp_path, 2)]
    with cluster_of(2, tmp_path) as cluster:
        results = scan_on_cluster(cluster.address, files, settings, 2)
        assert next(iter(results)).problem is None
        cluster.scheduler.kill()
        with pytest.raises(DetectorError, match=r"cluster at tcp://\S+ is lost") as caught:
            list(results)
    assert "\n" not in str(caught.value)


def test_a_cluster_that_is_not_there_is_said(settings: ScanSettings) -> None:
    """In one line, and soon."""
    with pytest.raises(DetectorError, match=r"^--scheduler tcp://127\.0\.0\.1:9: no cluster with"):
        list(scan_on_cluster("tcp://127.0.0.1:9", [Path("a.wav")], settings, 1))
