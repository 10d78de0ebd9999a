"""All benchmarks of speed, one after the other: a page for the docs.

    python -m tests.benchmarks [--quick] [--picture docs/speed.svg] > docs/speed.md

Runs what a window costs, the instructions it takes, what the daemon takes of a machine, ``scan``,
and the proof that the streaming front end changes nothing; each is a command of its own, and says
more with ``--help``.  Latency has a page of its own, since it takes as long as its sounds.  Needs
DETECTOR_MODEL and DETECTOR_AUDIO, and a machine that does nothing else.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark."""

    title: str
    module: str
    usual: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    needs: str = ""
    """A program that it cannot do without."""


SECTIONS = (
    Section("What a window costs", "cost", quick=("--rounds", "5")),
    Section("Part by part", "window_cost"),
    Section("Instructions", "instructions", quick=("--windows", "4"), needs="valgrind"),
    Section("The daemon", "footprint", quick=("--seconds", "60", "--starts", "3")),
    Section("Archives", "scan", usual=("10", "5"), quick=("4", "2")),
    Section("The same scores", "equality", usual=("--hours", "1"), quick=("--hours", "0.1")),
)


def main() -> None:
    """Run and print."""
    options = _options()
    print(
        "# Speed\n\n"
        "Made by `python -m tests.benchmarks`; not to be edited. Latency stands in "
        "[latency.md](latency.md), a fleet of nodes in [fleet.md](fleet.md).\n\n"
        f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}.",
        flush=True,
    )
    for section in SECTIONS:
        arguments = section.quick if options.quick else section.usual
        if options.picture and section.module == "cost":
            arguments = (*arguments, "--picture", options.picture)
        print(f"\n## {section.title}\n", flush=True)
        if section.needs and shutil.which(section.needs) is None:
            print(f"Left out: {section.needs} is not installed.")
            continue
        print(f"`python -m tests.benchmarks.{section.module} {' '.join(arguments)}`".rstrip())
        print(f"\n{_fenced(_run(section.module, arguments))}", flush=True)
        if options.picture and section.module == "cost":
            print(f"\n![Cost]({Path(options.picture).name})", flush=True)


def _run(module: str, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    if module == "equality":
        command.insert(3, os.environ["DETECTOR_AUDIO"])
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else f"It failed, with code {done.returncode}."


def _fenced(text: str) -> str:
    """Tables as they are; everything else as it was printed."""
    text = text.strip()
    return text if text.startswith("|") else f"```text\n{text}\n```"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "An unnamed processor")


def _options() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=summary)
    parser.add_argument("--quick", action="store_true", help="a look, in a few minutes")
    parser.add_argument("--picture", metavar="FILE.svg", help="draw what a window costs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
