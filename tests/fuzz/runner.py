"""Runs a target's inputs in processes of their own, and goes on behind an input that kills one."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.worker import MOST_FAILURES, PROGRESS, Findings

ROOT = Path(__file__).parents[2]
POLL_S = 0.2
STARTING = -1


@dataclass
class Result:
    """All that one target came to."""

    name: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    longest_ms: float = 0.0
    growth_mb: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)
    """By index, what went wrong."""
    notes: Counter[str] = field(default_factory=Counter)
    """What else the target counted."""

    def add(self, found: Findings) -> None:
        """Take in what one process has found."""
        self.accepted += found.accepted
        self.refused += found.refused
        self.longest_ms = max(self.longest_ms, found.longest_ms)
        self.growth_mb = max(self.growth_mb, found.growth_mb)
        self.notes.update(found.notes)
        self.failures |= {int(index): what for index, what in found.failures.items()}


def run_target(
    target: type[Target], *, count: int, seed: int, first: int = 0,
    command: Callable[[], list[str]] = lambda: [sys.executable, "-m", "tests.fuzz.worker"],
) -> Result:  # fmt: skip
    """Feed ``count`` inputs from ``first`` on; a process that dies or hangs names its input."""
    result = Result(target.name, count)
    index, beyond = first, first + count
    while index < beyond and len(result.failures) < MOST_FAILURES:
        index = _run_once(
            target, result, index, beyond, [*command(), target.name, "--seed", str(seed)]
        )
    if result.growth_mb > target.most_growth_mb:
        result.failures[beyond] = (
            f"memory grew by {result.growth_mb:.0f} MB, more than {target.most_growth_mb:.0f}"
        )
    return result


def _run_once(
    target: type[Target], result: Result, first: int, beyond: int, command: list[str]
) -> int:
    """One process, to its end; the index to go on with."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        progress, out = Path(folder, "progress"), Path(folder, "out")
        progress.write_bytes(PROGRESS.pack(STARTING, time.monotonic()))
        with out.open("wb") as stdout, Path(folder, "err").open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--progress", progress, str(first), str(beyond)],
                cwd=ROOT, stdout=stdout, stderr=stderr,
            )  # fmt: skip
            hung = _wait(process, progress, target.patience_s)
        if process.returncode == 0:
            result.add(Findings(**json.loads(out.read_text().splitlines()[-1])))
            return beyond
        at, _ = PROGRESS.unpack(progress.read_bytes())
        said = Path(folder, "err").read_text(errors="replace").strip()[-1500:]
    if at == STARTING:
        raise RuntimeError(f"{target.name} did not start:\n{said}")
    how = f"took longer than {target.patience_s:g} s" if hung else _end(process.returncode)
    result.failures[at] = f"{how}\n{said}"
    return int(at) + 1


def _wait(process: "subprocess.Popen[bytes]", progress: Path, patience_s: float) -> bool:
    """Wait for its end; True where it had to be killed because an input took too long."""
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            at, began_s = PROGRESS.unpack(progress.read_bytes())
            if at != STARTING and time.monotonic() - began_s > patience_s:
                process.kill()
                process.wait()
                return True
        else:
            return False


def _end(code: int) -> str:
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
