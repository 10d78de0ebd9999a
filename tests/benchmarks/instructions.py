"""How many instructions a window takes: a figure that is the same on every machine of a kind.

    python -m tests.benchmarks.instructions [--windows 10] [--json]

Counts with callgrind (of valgrind) what 10 windows more take: two runs of the same program, one
longer than the other, subtracted.  Given for the bare interpreter with the whole model, for our
front end and network, and for the pipeline as it is shipped.  Needs DETECTOR_MODEL.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOOPS = {
    "bare": "bare interpreter, whole model",
    "recogniser": "detector: front end and network",
    "pipeline": "detector: as shipped, three sounds",
    "whole_house": "detector: all fifteen sounds",
}
HOP = 7_680
COUNTER = ("valgrind", "--tool=callgrind")
FEW_WINDOWS = 4


def main() -> None:
    """Count and print."""
    options = _options()
    counts = {name: _a_window(name, options.windows) for name in LOOPS}
    if options.json:
        print(json.dumps(counts))
        return
    print("| what | million instructions a window | of the bare model |\n|---|---|---|")
    for name, title in LOOPS.items():
        count, ratio = counts[name] / 1e6, counts[name] / counts["bare"]
        print(f"| {title} | {count:.2f} | {ratio:.2f} |")


def _a_window(loop: str, windows: int) -> float:
    few = _instructions(loop, FEW_WINDOWS)
    return (_instructions(loop, FEW_WINDOWS + windows) - few) / windows


def _instructions(loop: str, windows: int) -> int:
    """Of a program that hears so many windows."""
    seconds = (15_600 + (windows - 1) * HOP) / 16_000
    program = (
        "from tests.benchmarks import loops;"
        f"loops.SECONDS = {seconds!r};"
        f"windows = loops.LOOPS[{loop!r}]({HOP});"
        f"assert windows == {windows}, windows"
    )
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        out = Path(folder, "out")
        done = subprocess.run(
            [*COUNTER, f"--callgrind-out-file={out}", "--", sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    counted = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or counted is None:
        raise SystemExit(f"{loop} could not be counted: {done.stderr[-500:]}")
    return int(counted[1])


def _options() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.instructions", description=summary
    )
    parser.add_argument("--windows", type=int, default=10, help="counted; default: 10")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
