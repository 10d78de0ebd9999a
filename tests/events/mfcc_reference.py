"""Makes the values that our features are held against, with librosa: ``mfcc_reference.json``.

    python -m tests.events.mfcc_reference

The clips are made by arithmetic alone, so that every machine has the same.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples

PATH = Path(__file__).with_suffix(".json")
ORDERS = (1, 2)


def clips() -> Mapping[str, Samples]:
    """Clips that differ in kind and in length, by name: shape (n,)."""
    time_s = np.arange(8000) / SAMPLE_RATE_HZ
    glide = 0.3 * np.sin(2 * np.pi * (440.0 + 900.0 * time_s) * time_s)
    # A linear congruential generator: the same noise wherever it is made.
    numbers = [12_345]
    for _ in range(4999):
        numbers.append((1_103_515_245 * numbers[-1] + 12_345) % 2**31)
    noise = np.array(numbers) / 2**30 - 1.0
    beeps = np.where(np.arange(6001) % 2000 < 700, 0.5, 0.0) * np.sin(np.arange(6001))
    found = {"a glide": glide, "noise": 0.05 * noise, "beeps": beeps, "silence": np.zeros(4097)}
    return {name: np.asarray(samples, np.float32) for name, samples in found.items()}


def by_librosa(samples: Samples) -> dict[str, Any]:
    """Coefficients and differences of a clip, each of shape (20, steps)."""
    feature = importlib.import_module("librosa.feature")
    plain = feature.mfcc(y=samples, sr=SAMPLE_RATE_HZ, n_mfcc=20)
    return {"mfcc": plain} | {
        f"delta {order}": feature.delta(plain, order=order) for order in ORDERS
    }


def _rounded(values: Any) -> list[list[float]]:
    return [[round(float(one), 3) for one in row] for row in values]


def main() -> None:
    """Write the file."""
    found = {
        name: {what: _rounded(values) for what, values in by_librosa(samples).items()}
        for name, samples in clips().items()
    }
    made_by = f"librosa {importlib.import_module('librosa').__version__}"
    text = json.dumps({"made_by": made_by, "clips": found}, separators=(",", ":"))
    PATH.write_text(text + "\n", encoding="utf-8")
    print(f"{PATH.name}: {len(text)} bytes, by {made_by}", file=sys.stderr)


if __name__ == "__main__":
    main()
