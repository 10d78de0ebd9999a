"""Whether the network behind our own front end says what the whole model says.

    python -m tests.benchmarks.equality AUDIO_FOLDER [--hours H] [--hop SECONDS ...]

Needs DETECTOR_MODEL.  Feeds recordings, one after another as one stream each, through a recogniser
as the detector has it, and through one with the whole model in the interpreter.  Prints for each
hop how many windows were compared, how many differ in any output, and the largest difference of a
score in steps of 1/256.  Ends with 1 if that is more than one, or if a window is missing.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import LEVEL, SCORES, Array, Recogniser
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.workbench.dataset import audio_files
from detector.workbench.observe import blocks
from detector.workbench.sounding import read_samples

STEP = 1.0 / 256
BLOCK_SAMPLES = 1600
LEVEL_TOLERANCE_DB = 1e-3


@dataclass
class Found:
    """What a comparison has come to."""

    windows: int = 0
    missing: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    """Windows by output."""
    largest: float = 0.0
    """Of the differences of scores."""

    def add(self, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> None:
        """Compare one window."""
        self.windows += 1
        self.largest = max(self.largest, float(np.max(np.abs(ours[SCORES] - theirs[SCORES]))))
        for name in theirs:
            tolerance = LEVEL_TOLERANCE_DB if name == LEVEL else 0.0
            differs = not np.allclose(ours[name], theirs[name], rtol=0.0, atol=tolerance)
            self.differing[name] = self.differing.get(name, 0) + differs

    @property
    def is_good(self) -> bool:
        """Whether the two say the same."""
        return self.windows > 0 and not self.missing and self.largest <= STEP

    def __str__(self) -> str:
        each = ", ".join(f"{name} {count}" for name, count in self.differing.items())
        return (
            f"{self.windows} windows, {self.missing} missing; windows that differ: {each}; "
            f"largest difference of a score {self.largest / STEP:g} steps of 1/256"
        )


def compare(ours: Recogniser, theirs: Recogniser, samples: Samples, found: Found) -> None:
    """Feed both with one stream."""
    for block in blocks(samples, BLOCK_SAMPLES):
        pairs = ours.feed(block), theirs.feed(block)
        found.missing += abs(len(pairs[0]) - len(pairs[1]))
        for one, other in zip(*pairs, strict=False):
            found.missing += (one.start_s, one.end_s) != (other.start_s, other.end_s)
            found.add(one.outputs, other.outputs)


def streams(folder: Path, seconds: float) -> Iterator[Samples]:
    """Recordings, taken evenly from the whole folder, until there is as much as is wanted."""
    paths = audio_files(folder)
    order = np.random.default_rng(0).permutation(len(paths))
    for index in order:
        samples = read_samples(paths[index])
        yield samples[: round(seconds * SAMPLE_RATE_HZ)]
        seconds -= len(samples) / SAMPLE_RATE_HZ
        if seconds <= 0:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.equality")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--hop", type=float, nargs="+", default=[0.48, 0.1])
    parser.add_argument("--runtime", default="auto")
    wanted = parser.parse_args(arguments)
    model = Path(os.environ["DETECTOR_MODEL"])
    cut = Classifier(model, runtime=wanted.runtime)
    whole = Classifier(model, runtime=wanted.runtime, whole=True)
    print(f"{cut.runtime_name}; {'cut' if cut.spectrum else 'NOT CUT: whole against whole'}")
    good = cut.spectrum is not None
    for hop in wanted.hop:
        found, began, heard = Found(), time.monotonic(), 0
        for samples in streams(wanted.folder, 3600 * wanted.hours):
            ours, theirs = (WindowRecogniser(one, hop_seconds=hop) for one in (cut, whole))
            compare(ours, theirs, samples, found)
            heard += len(samples)
        took_s = time.monotonic() - began
        print(f"hop {hop:g} s, {heard / SAMPLE_RATE_HZ / 3600:.2f} h in {took_s:.0f} s: {found}")
        good &= found.is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
