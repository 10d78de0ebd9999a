"""What a window costs, and an hour of audio: ours, the bare model, the loops of others.

    python -m tests.benchmarks.cost [--rounds 15] [--other PYTHON] [--json] [--picture FILE.svg]

All are measured in the same run, in turn, round after round; the figures are medians and quartiles
of processor time.  ``--other`` is a Python that has tflite-runtime, by default that of
``script/test``: others run on it.  Ratios are to the bare interpreter of this Python's runtime with
the whole model, at the same hop.  Needs DETECTOR_MODEL.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.cost_picture import picture

HOPS = {"0.975": 15_600, "0.48": 7_680, "0.1": 1_600}
OURS, OTHER = "ai-edge-litert", "tflite-runtime"


@dataclass(frozen=True, slots=True)
class Row:
    """One loop on one runtime."""

    title: str
    loop: str
    runtime: str
    hop: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What it took."""

    title: str
    runtime: str
    hop_s: str
    ms: float
    low_ms: float
    high_ms: float
    cpu_s_per_hour: float
    ratio: float
    """To the bare interpreter of our runtime, at this hop."""


def rows(runtimes: list[str]) -> Iterator[Row]:
    """All that is measured."""
    for hop in HOPS:
        for runtime in runtimes:
            yield Row("bare interpreter", "bare", runtime, hop)
            yield Row("detector: front end and network", "recogniser", runtime, hop)
        if hop == "0.48":  # that of the shipped heads
            yield Row("detector: as shipped, three sounds", "pipeline", OURS, hop)
            yield Row("detector: all fifteen sounds", "whole_house", OURS, hop)
    for runtime in runtimes:
        yield Row("loop of Frigate", "frigate", runtime, "0.975")
        yield Row("loop of YamCam", "yamcam", runtime, "0.975")
        yield Row("loop of the TensorFlow Pi example", "pi_example", runtime, "0.48")


def main() -> None:
    """Measure and print."""
    options = _options()
    pythons = {OURS: Path(sys.executable)}
    if options.other.exists():
        pythons[OTHER] = options.other
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(path)) for name, path in pythons.items()}
        measured = _measure(list(rows(list(pythons))), workers, options.rounds)
    if options.picture:
        # A tenth of a second is no hop for a Pi, and would make all the other bars short.
        options.picture.write_text(picture([one for one in measured if one.hop_s != "0.1"]))
    if options.json:
        print(json.dumps([asdict(one) for one in measured], indent=1))
        return
    _print(measured, options.rounds)


def _print(measured: list[Figure], rounds: int) -> None:
    head = ("what", "runtime", "hop", "ms a window", "CPU s an hour", "of the bare model")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for one in measured:
        print(
            f"| {one.title} | {one.runtime} | {one.hop_s} s | "
            f"{one.ms:.2f} ({one.low_ms:.2f} … {one.high_ms:.2f}) | "
            f"{one.cpu_s_per_hour:.1f} | {one.ratio:.2f} |"
        )
    print(f"\nProcessor time; medians and quartiles of {rounds} rounds, all loops in turn.")


@contextmanager
def _worker(python: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [python, "-m", "tests.benchmarks.loops"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.terminate()


def _ask(worker: "subprocess.Popen[str]", row: Row) -> float:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{row.loop} {HOPS[row.hop]}\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit(f"{row.title} on {row.runtime} could not be measured")
    return float(answer)


def _measure(
    wanted: list[Row], workers: "dict[str, subprocess.Popen[str]]", rounds: int
) -> list[Figure]:
    for row in wanted:
        _ask(workers[row.runtime], row)  # warm
    times = np.array([[_ask(workers[row.runtime], row) for row in wanted] for _ in range(rounds)])
    bare = {
        row.hop: times[:, column]
        for column, row in enumerate(wanted)
        if row.loop == "bare" and row.runtime == OURS
    }
    return [
        _figure(row, times[:, column], float(np.median(times[:, column] / bare[row.hop])))
        for column, row in enumerate(wanted)
    ]


def _figure(
    row: Row, times: "np.ndarray[tuple[int], np.dtype[np.float64]]", ratio: float
) -> Figure:
    low, middle, high = (float(one) for one in np.percentile(times, [25, 50, 75]))
    an_hour = 3600.0 * 16_000 / HOPS[row.hop] * middle / 1000.0
    return Figure(row.title, row.runtime, row.hop, middle, low, high, an_hour, ratio)


def _options() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cost", description=summary)
    beside = Path(sys.prefix).parent / "3.11-tflite" / "bin" / "python"
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--other", type=Path, default=beside, metavar="PYTHON")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg")
    return parser.parse_args()


if __name__ == "__main__":
    main()
