"""Recordings that a told recogniser hears in a known way, for what calibrates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from detector.config import Config
from detector.config.loader import parse_config
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.service.clock import SystemClock
from detector.workbench.calibrating import Calibrating
from tests.service.fakes import ToldRecogniser

CONFIG = """
sounds:
  dog_bark:
    evidence: [{classes: [Bark]}]
    threshold: 0.5
    release_threshold: 0.3
    confirm_seconds: 0
    hold_seconds: 2
"""
LABELS = ("Bark", "Rain")


def told(scores: Sequence[float], seed: int) -> Samples:
    """Seconds that the told recogniser hears as these scores of Bark, and that differ by seed."""
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-0.4, 0.4, len(scores) * SAMPLE_RATE_HZ).astype(np.float32)
    gains = rng.uniform(0.02, 1.0, len(samples) // 1600)
    samples *= np.repeat(gains, 1600).astype(np.float32)
    for second, score in enumerate(scores):
        samples[second * SAMPLE_RATE_HZ] = score
    return samples


def kennel(folder: Path, *, dogs: int = 6, others: int = 6) -> Path:
    """A folder per sound: dogs that bark at about 0.3, and rain that is heard as one at 0.05."""
    for label, groups, score in (("dog_bark", dogs, 0.3), ("rain", others, 0.05)):
        for number in range(groups):
            place = folder / label / f"{label}{number}"
            place.mkdir(parents=True)
            for take in range(2):
                scores = [score + 0.01 * ((number + take) % 5)] * 6
                seed = 1000 * len(label) + 10 * number + take
                write(place / f"{take}.wav", told(scores, seed))
    return folder


def write(path: Path, samples: Samples) -> Path:
    """A file of exactly these samples."""
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


def config() -> Config:
    """One sound, not calibrated."""
    return parse_config(CONFIG, "test.yaml")


def calibrating() -> Calibrating:
    """With a recogniser that hears what it is told."""
    return Calibrating(config(), ToldRecogniser(LABELS), clock=SystemClock())
