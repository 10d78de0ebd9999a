"""The process in which one target takes its inputs, in order; what it finds, it prints as JSON."""

import argparse
import json
import mmap
import random
import resource
import struct
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tests.fuzz.target import DefectError, Target, require

PROGRESS = struct.Struct("<qd")
"""In the shared file: the index of the input that is being fed, and since when."""
WARM_INPUTS = 200
MOST_FAILURES = 20


@dataclass
class Findings:
    """What one process has found; ``failures`` maps an index to what went wrong."""

    accepted: int = 0
    refused: int = 0
    longest_ms: float = 0.0
    growth_mb: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)


class Fuzzer:
    """Feeds a target."""

    def __init__(self, target: Target, *, seed: int, progress: Path) -> None:
        self._target = target
        self._seed = seed
        with progress.open("r+b") as file:
            self._progress = mmap.mmap(file.fileno(), PROGRESS.size)
        self._from_threads: list[str] = []
        threading.excepthook = lambda args: self._from_threads.append(
            f"{args.exc_type.__name__} in a thread: {args.exc_value}"
        )
        self.findings = Findings()

    def feed(self, first: int, beyond: int) -> None:
        """Feed the inputs from ``first`` to before ``beyond``."""
        before_mb = _memory_mb("VmRSS")
        for index in range(first, beyond):
            if index == first + WARM_INPUTS:
                before_mb = self._settle()
            self._feed_one(index)
            if len(self.findings.failures) >= MOST_FAILURES:
                break
        PROGRESS.pack_into(self._progress, 0, beyond, time.monotonic())
        other_mb = self._target.growth_mb
        grown_mb = _memory_mb("VmHWM") - before_mb if other_mb is None else other_mb
        self.findings.growth_mb = max(0.0, grown_mb)
        try:
            self._target.close()
        except DefectError as error:
            self.findings.failures[beyond] = f"at the end: {error}"
        self.findings.notes = dict(self._target.notes)

    def _settle(self) -> float:
        """From here on the peak counts."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _memory_mb("VmRSS")

    def _feed_one(self, index: int) -> None:
        made = self._target.make(rng_of(self._seed, self._target.name, index))
        began_s = time.monotonic()
        PROGRESS.pack_into(self._progress, 0, index, began_s)
        try:
            accepted = self._target.feed(made)
            require(not self._from_threads, "; ".join(self._from_threads))
        except Exception:  # noqa: BLE001 - which is what we are here to find
            self.findings.failures[index] = traceback.format_exc(limit=-6)
            self._from_threads.clear()
        else:
            self.findings.accepted += accepted
            self.findings.refused += not accepted
        elapsed_ms = 1000.0 * (time.monotonic() - began_s)
        self.findings.longest_ms = max(self.findings.longest_ms, elapsed_ms)


def rng_of(seed: int, name: str, index: int) -> random.Random:
    """The chance behind one input."""
    return random.Random(f"{seed}/{name}/{index}")


def _memory_mb(which: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    raise KeyError(which)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("first", type=int)
    parser.add_argument("beyond", type=int)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--progress", type=Path, required=True)
    return parser.parse_args()


def main() -> NoReturn:
    """Feed, and print the findings as the last line."""
    from tests.fuzz.targets import target_named

    arguments = _arguments()
    made: type[Target] = target_named(arguments.target)
    bound = made.address_space_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    memory = Path("/dev/shm")  # the inputs are many and small, and no disk is under test
    with tempfile.TemporaryDirectory(
        prefix="fuzz-", dir=memory if memory.is_dir() else None
    ) as folder:
        fuzzer = Fuzzer(made(Path(folder)), seed=arguments.seed, progress=arguments.progress)
        fuzzer.feed(arguments.first, arguments.beyond)
        print(json.dumps(vars(fuzzer.findings)), file=sys.__stdout__)
    sys.exit(0)


if __name__ == "__main__":
    main()
