"""Fuzz the product.

    python -m tests.fuzz [TARGET …] [--count N] [--seed N] [--from INDEX] [--markdown]

Each target takes N generated inputs (default: its own number) in a process of its own.  Ends with
code 1 if any of them crashes, hangs, takes memory without bound, or does anything but accept or
refuse.  A failure is told by its seed and index: ``python -m tests.fuzz TARGET --seed S --from I
--count 1`` repeats it.  ``models`` and ``model_file`` need DETECTOR_MODEL, ``sound_file`` takes
recordings from DETECTOR_AUDIO if it is set, ``broker`` needs mosquitto.
"""

import argparse
import sys
import time

from tests.fuzz.runner import Result, run_target
from tests.fuzz.targets import NAMES, target_named

_HEAD = ("target", "inputs", "accepted", "refused", "longest ms", "growth MB", "failures", "s")


def main() -> int:
    """Run, print a row for each target, and failures to standard error; the exit code."""
    arguments = _arguments()
    print(_row(_HEAD, markdown=arguments.markdown))
    if arguments.markdown:
        print("|" + "---|" * len(_HEAD))
    results = [_run(name, arguments) for name in arguments.targets or NAMES]
    return 1 if any(result.failures for result in results) else 0


def _run(name: str, arguments: argparse.Namespace) -> Result:
    target = target_named(name)
    began_s = time.monotonic()
    count = arguments.count or target.usual_count
    result = run_target(target, count=count, seed=arguments.seed, first=arguments.first)
    figures = (
        name, result.inputs, result.accepted, result.refused, f"{result.longest_ms:.1f}",
        f"{result.growth_mb:.1f}", len(result.failures), f"{time.monotonic() - began_s:.0f}",
    )  # fmt: skip
    print(_row(figures, markdown=arguments.markdown), flush=True)
    if result.notes and not arguments.markdown:
        print(
            "".join(f"{'':<12}{n:>11} {what}\n" for what, n in result.notes.most_common()), end=""
        )
    for index, what in result.failures.items():
        again = f"{name} --seed {arguments.seed} --from {index} --count 1"
        print(f"\npython -m tests.fuzz {again}\n{what}", file=sys.stderr, flush=True)
    return result


def _row(cells: tuple[object, ...], *, markdown: bool) -> str:
    if markdown:
        return "| " + " | ".join(map(str, cells)) + " |"
    return f"{cells[0]:<12}" + "".join(f"{cell:>11}" for cell in cells[1:])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--count", type=int, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--from", dest="first", type=int, default=0, help="index of the first input"
    )
    parser.add_argument("--markdown", action="store_true", help="a table for the docs")
    arguments = parser.parse_args()
    for name in arguments.targets:
        if name not in NAMES:
            parser.error(f"{name}: targets are {', '.join(NAMES)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
