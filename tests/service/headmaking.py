"""Heads for tests: small ones, for a recogniser that is told what to see."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.recognition import LOGITS
from detector.events.curves import Curve, Sigmoid
from detector.events.heads import Look, Trunk
from detector.service.headfile import HeadFile
from detector.service.headwrite import head_document

TOLD_HASH = "0" * 64
"""Of ``ToldRecogniser``."""
PROVENANCE = {
    "data": [{"name": "recordings of a nursery", "licence": "CC0-1.0"}],
    "groups": ["one", "two"],
    "split": "five folds by group",
    "date": "2026-11-20",
    "code_version": "0.4.0",
    "figures": {"recall": 0.9},
}


def small_head(
    weights: Sequence[float],
    *,
    curve: Curve | None = None,
    trunks: Sequence[Trunk] | None = None,
    recogniser: str = TOLD_HASH,
    hop_s: float = 1.0,
    **more: Any,
) -> HeadFile:
    """A head that weighs the logits of the told recogniser."""
    return HeadFile(
        sound="dog_bark",
        recogniser=recogniser,
        hop_s=hop_s,
        trunks=tuple(trunks or [Trunk([Look(LOGITS, None)])]),
        weights=np.array(weights, np.float32),
        bias=0.0,
        curve=curve or Sigmoid(),
        provenance=PROVENANCE,
        **more,
    )


def write_head(folder: Path, head: HeadFile, name: str = "bark.json") -> Path:
    """Put a head into a file."""
    path = folder / name
    path.write_bytes(head_document(head, dtype="float32"))
    return path
