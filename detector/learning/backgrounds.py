"""What sounds in homes and is not the sound: embeddings of many backgrounds, never audio.

A set of them comes with the detector (``python -m detector.workbench.backgrounds`` makes it).  A
quantised model's embedding has 256 levels, so that a byte for each number loses nothing.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelError
from detector.core.recognition import Array, RecogniserSpec

SHIPPED_NAME = "backgrounds.npz"
EVENING = "your own evening"
"""The kind of what users bring."""
_GROUP_S = 120.0
"""An evening is one recording, but what is minutes apart in it is learnt from and measured on."""
_LEVELS = 255


@dataclass(frozen=True, slots=True)
class Backgrounds:
    """Windows of backgrounds, in order within each recording."""

    embeddings: Array
    """Shape (windows, numbers)."""
    recordings: NDArray[np.intp]
    """Which recording each window is of, shape (windows,)."""
    groups: NDArray[np.intp]
    """Which group; none is ever learnt from and measured on."""
    kinds: tuple[str, ...]
    kind_of: NDArray[np.intp]
    """Which kind, an index of ``kinds``, shape (windows,)."""
    hop_s: float

    @property
    def hours(self) -> float:
        """How much there is to hear."""
        return len(self.embeddings) * self.hop_s / 3600.0

    def only(self, chosen: NDArray[np.bool_]) -> "Backgrounds":
        """Some of the windows, shape (windows,)."""
        return Backgrounds(
            self.embeddings[chosen],
            self.recordings[chosen],
            self.groups[chosen],
            self.kinds,
            self.kind_of[chosen],
            self.hop_s,
        )

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Which windows are of a kind, shape (windows,)."""
        if kind not in self.kinds:
            return np.zeros(len(self.kind_of), np.bool_)
        return np.asarray(self.kind_of == self.kinds.index(kind))

    def with_evening(self, evening: Sequence[Array]) -> "Backgrounds":
        """With recordings of one's own, each (windows, numbers), in groups of two minutes."""
        whole = [one for one in evening if len(one)]
        if not whole:
            return self
        number = np.repeat(np.arange(len(whole)), [len(one) for one in whole])
        recordings = number + 1 + self.recordings.max(initial=-1)
        groups = _minutes_of(whole, self.hop_s) + 1 + self.groups.max(initial=-1)
        kind_of = np.full(len(number), len(self.kinds))
        return Backgrounds(
            np.concatenate([self.embeddings, *whole]),
            np.concatenate([self.recordings, recordings]),
            np.concatenate([self.groups, groups]),
            (*self.kinds, EVENING),
            np.concatenate([self.kind_of, kind_of]),
            self.hop_s,
        )


def _minutes_of(recordings: Sequence[Array], hop_s: float) -> NDArray[np.intp]:
    """Which stretch of which recording each window lies in, counted through them all."""
    numbers, begun = list[NDArray[np.intp]](), 0
    for one in recordings:
        count = max(1, round(len(one) * hop_s / _GROUP_S))
        numbers.append(begun + np.arange(len(one)) * count // len(one))
        begun += count
    return np.concatenate(numbers)


def none_for(spec: RecogniserSpec, numbers: int) -> Backgrounds:
    """Backgrounds of which there are none yet."""
    nothing = np.zeros(0, np.intp)
    empty = np.zeros((0, numbers), np.float32)
    return Backgrounds(empty, nothing, nothing, (), nothing, spec.hop_s)


def shipped_backgrounds(spec: RecogniserSpec) -> Backgrounds | None:
    """Those that come with the detector; None where they were heard by another model."""
    return read_backgrounds(resources.files("detector.learning") / SHIPPED_NAME, spec)


def read_backgrounds(place: Traversable, spec: RecogniserSpec) -> Backgrounds | None:
    """Backgrounds in a file; None where they were heard by another model.

    Raises ModelError where the file is absent or damaged.
    """
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            if facts["recogniser"] != spec.content_hash:
                return None
            levels = arrays["levels"]
            return Backgrounds(
                np.ascontiguousarray(levels.T).astype(np.float32) * np.float32(facts["step"]),
                arrays["recordings"].astype(np.intp),
                arrays["groups"].astype(np.intp),
                tuple(facts["kinds"]),
                arrays["kind_of"].astype(np.intp),
                float(facts["hop_seconds"]),
            )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{place}: the backgrounds cannot be read: {error}") from error


def packed_backgrounds(
    backgrounds: Backgrounds, recogniser: str, provenance: Any
) -> dict[str, NDArray[Any]]:
    """What ``read_backgrounds`` reads, for ``numpy.savez_compressed``."""
    step = float(np.unique(backgrounds.embeddings)[-1]) / _LEVELS
    differences = np.diff(np.unique(backgrounds.embeddings))
    if len(differences):
        step = max(step, float(np.median(differences)))  # a quantised model's own, if it has one
    levels = np.rint(backgrounds.embeddings / np.float32(step))
    facts = {
        "recogniser": recogniser,
        "hop_seconds": backgrounds.hop_s,
        "step": step,
        "kinds": backgrounds.kinds,
        "provenance": provenance,
    }
    return {
        # Numbers that are mostly 0 stand together: a third less than window by window.
        "levels": np.ascontiguousarray(np.clip(levels, 0, _LEVELS).astype(np.uint8).T),
        "recordings": backgrounds.recordings.astype(np.uint16),
        "groups": backgrounds.groups.astype(np.uint16),
        "kind_of": backgrounds.kind_of.astype(np.uint8),
        "facts": np.array(json.dumps(facts, ensure_ascii=False)),
    }
