"""What a window costs: the whole pipeline beside the bare interpreter, in the same run.

    python -m tests.benchmarks.window_cost [RECORDING]

Needs DETECTOR_MODEL.  Prints medians and quartiles in milliseconds over alternating rounds, and
the ratio of the medians.  Without a recording it uses the demo's scene.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from detector.config.loader import parse_config
from detector.config.sounds import with_all_sounds
from detector.core.audio import Block, Samples
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.scene import alarm_scene

ROUNDS = 40
BLOCK = 1600


def main() -> None:
    """Measure and print."""
    samples = _samples()
    model = Path(os.environ["DETECTOR_MODEL"])
    bare, ours = _bare(Classifier(model), samples), _ours(Classifier(model), samples)
    for measured in (bare, ours):
        measured()  # warm
    times = np.array([(bare(), ours()) for _ in range(ROUNDS)])
    print(f"{len(samples) / 16_000:.0f} s of audio, hop 0.48 s, {ROUNDS} rounds in turn")
    for column, name in enumerate(("bare interpreter", "pipeline, 15 sounds")):
        low, middle, high = np.percentile(times[:, column], [25, 50, 75])
        print(f"{name:<20} {middle:6.2f} ms a window  (quartiles {low:.2f} … {high:.2f})")
    ratio = np.median(times[:, 1] / times[:, 0])
    print(f"{'pipeline / bare':<20} {ratio:6.2f}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':<20} {peak_mb:6.0f} MB, this process")


def _samples() -> Samples:
    if len(sys.argv) < 2:
        return alarm_scene()
    import soundfile

    return np.asarray(soundfile.read(sys.argv[1], dtype="float32")[0], np.float32)


def _bare(classifier: Classifier, samples: Samples) -> Callable[[], float]:
    window, hop = classifier.window_samples, 7680
    starts = range(0, len(samples) - window + 1, hop)

    def measure() -> float:
        began = time.perf_counter()
        for start in starts:
            classifier.scores(samples[start : start + window])
        return 1000 * (time.perf_counter() - began) / len(starts)

    return measure


def _ours(classifier: Classifier, samples: Samples) -> Callable[[], float]:
    recogniser = WindowRecogniser(classifier, hop_seconds=0.48)
    config = with_all_sounds(parse_config("", "default"))

    def measure() -> float:
        pipeline = build_pipeline(config, [recogniser], clock=SystemClock())
        began = time.perf_counter()
        for start in range(0, len(samples), BLOCK):
            pipeline.feed(Block(start, samples[start : start + BLOCK], 0.0))
        return 1000 * (time.perf_counter() - began) / max(1, pipeline.windows)

    return measure


if __name__ == "__main__":
    main()
