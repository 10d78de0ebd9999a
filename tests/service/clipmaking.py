"""Clip classifiers for tests: small ones, whose answer can be told beforehand."""

from pathlib import Path
from typing import Any

import numpy as np

from detector.events.clips import ClipClassifier, EmbeddingFeatures, MfccFeatures
from detector.service.clipfile import ClipFile, clip_document

PROVENANCE = {"data": [], "groups": [], "split": "none", "date": "2026-11-21", "figures": {}}


def by_loudness(**changes: Any) -> ClipFile:
    """Loud or quiet, by the mean of the first coefficient, which is loudness: −600 is silence."""
    features = MfccFeatures(2)
    weights = np.zeros((features.size, 2), np.float32)
    weights[0] = (-1.0, 1.0)
    mean = np.zeros(features.size, np.float32)
    mean[0] = -450.0
    scale = np.full(features.size, 20.0, np.float32)
    classifier = ClipClassifier(("quiet", "loud"), mean, scale, weights, np.zeros(2))
    values: dict[str, Any] = {
        "name": "loudness",
        "features": features,
        "classifier": classifier,
        "better_than_chance": True,
        "provenance": PROVENANCE,
    }
    return ClipFile(**(values | changes))


def by_embedding(recogniser: str = "0" * 64, hop_s: float = 1.0) -> ClipFile:
    """The larger of the two numbers of an embedding."""
    eye = np.eye(2, dtype=np.float32)
    zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
    classifier = ClipClassifier(("first", "second"), zeros, ones, eye, np.zeros(2))
    features = EmbeddingFeatures(2, recogniser, hop_s)
    return by_loudness(name="larger", features=features, classifier=classifier)


def write_clip_file(folder: Path, file: ClipFile, name: str = "loudness.json") -> Path:
    """Put a classifier into a file."""
    path = folder / name
    path.write_bytes(clip_document(file))
    return path
