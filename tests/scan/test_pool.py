"""All cores: processes that may die, and files that may be their death."""

import os
import signal
from pathlib import Path

import pytest

from detector.core.errors import ModelError
from detector.scan.pool import scan_on_cores, usual_workers
from detector.scan.result import FileResult, Reached
from detector.scan.scanning import ScanSettings, scan_file
from tests.scan.conftest import knocks, long_silence


def children() -> set[int]:
    """Processes that listen for us now: by their names."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set(map(int, (task / "children").read_text().split()))
    return {one for one in found if "spawn_main" in command(one)}


def command(pid: int) -> str:
    """What a process was called with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def results(words: "list[Reached | FileResult]") -> list[FileResult]:
    """What is finished, in the order of names."""
    return sorted((one for one in words if isinstance(one, FileResult)), key=lambda one: one.path)


def test_two_processes_say_what_one_function_says(tmp_path: Path, settings: ScanSettings) -> None:
    """Each file once; nobody is left afterwards."""
    files = knocks(tmp_path, 5)
    found = results(list(scan_on_cores(files, settings, 2)))
    assert found == [scan_file(path, settings) for path in files]
    assert children() == set()


def test_workers_give_way_to_everybody_else(tmp_path: Path, settings: ScanSettings) -> None:
    """They are nice, and deaf to Ctrl-C, which is for the scan to act upon."""
    words = scan_on_cores(knocks(tmp_path, 2), settings, 1)
    next(iter(words))
    (worker,) = children()
    assert os.getpriority(os.PRIO_PROCESS, worker) == min(
        19, os.getpriority(os.PRIO_PROCESS, 0) + 10
    )
    os.kill(worker, signal.SIGINT)
    assert len(list(words)) == 1


def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path, settings: ScanSettings) -> None:
    """Its file goes to another: nothing is lost, nothing comes twice."""
    long = long_silence(tmp_path / "long.wav", 1200.0)
    files = [long, *knocks(tmp_path, 6)]
    words: list[Reached | FileResult] = []
    killed: set[int] = set()
    for word in scan_on_cores(files, settings, 2):
        words.append(word)
        if not killed:
            killed = children()
            os.kill(min(killed), signal.SIGKILL)
    found = results(words)
    assert len(killed) == 2
    assert [one.path for one in found] == sorted(files)
    assert [one.problem for one in found] == [None] * 7
    assert sum(len(one.sounds) for one in found) == 6


def test_a_file_that_is_the_end_of_each_process_is_passed_over(
    tmp_path: Path, settings: ScanSettings
) -> None:
    """After the second time; the others are heard."""
    files = [long_silence(tmp_path / "deadly.wav", 36_000.0), *knocks(tmp_path, 2)]
    words: list[Reached | FileResult] = []
    for word in scan_on_cores(files, settings, 1):
        words.append(word)
        if isinstance(word, Reached) and word.path == files[0]:
            for worker in children():
                os.kill(worker, signal.SIGKILL)
    found = results(words)
    assert [one.problem for one in found] == [
        f"{files[0]}: the process that read it was killed (SIGKILL), 2 times",
        None,
        None,
    ]
    assert not found[0].is_final


def test_leaving_early_leaves_nobody_behind(tmp_path: Path, settings: ScanSettings) -> None:
    """As Ctrl-C does."""
    words = scan_on_cores(knocks(tmp_path, 3), settings, 2)
    next(iter(words))
    assert children()
    words.close()  # type: ignore[attr-defined] # it is a generator
    assert children() == set()


def test_workers_that_cannot_begin_end_it(tmp_path: Path, settings: ScanSettings) -> None:
    """As no file would be heard."""
    files = knocks(tmp_path, 2)
    settings.model.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"tiny\.tflite"):
        list(scan_on_cores(files, settings, 2))
    assert children() == set()


def test_there_is_at_least_one_worker() -> None:
    """And no more than cores."""
    assert 1 <= usual_workers() <= len(os.sched_getaffinity(0))
