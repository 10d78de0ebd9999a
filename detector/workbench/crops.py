"""Crops of passages, drawn so that every sound counts alike, and changed a little each time.

Mixing, gain, and masks over bands and time (SpecAugment; D. Park et al., 2019).  Rooms and
narrow microphones are in the passages already (``detector.workbench.strips``).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Array
from detector.model.logmel import BANDS, SILENCE
from detector.workbench.labels import meaning
from detector.workbench.passages import STEP_ROWS, Passage
from detector.workbench.strips import BACKGROUND

WINDOW_STEPS, TEACHER_HOP_STEPS = 12, 6
_LOGITS = (-8.0, 6.0)
"""Beyond these a teacher's logits say no more."""
_FLOOR = float(np.exp(SILENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How crops are drawn and changed."""

    steps: int = 60
    """4.8 s."""
    extra_rows: int = 30
    """Rows behind the last step that the network looks at."""
    sounds_share: float = 0.55
    """Of crops, with a sound to be known; each sound alike, and each of its groups."""
    others_share: float = 0.3
    """With any other sound; the rest is background."""
    mixed_share: float = 0.35
    """Of crops, with a second one over them."""
    mixed_db: tuple[float, float] = (-12.0, 3.0)
    gain_db: tuple[float, float] = (-12.0, 9.0)
    band_masks: int = 2
    widest_band_mask: int = 8
    longest_time_mask_rows: int = 24
    positive_weight: float = 4.0
    """Of a step in which a sound sounds, against one in which it does not."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Rows, what is true of their steps, and what the teacher says of their windows."""

    rows: Array
    truths: NDArray[np.int8]
    taught: Array


class Drawer:
    """Draws crops from passages; the same seed draws the same. Not thread-safe."""

    def __init__(
        self, passages: Sequence[Passage], sounds: Sequence[str], drawing: Drawing, *, seed: int
    ) -> None:
        self._drawing = drawing
        self._rng = np.random.default_rng([seed, 5])
        self._classes = max((one.taught.shape[1] for one in passages), default=0)
        self._of_sounds: dict[str, dict[str, list[Passage]]] = {}
        self._of_others: dict[str, dict[str, list[Passage]]] = {}
        for one in passages:
            sound = meaning(one.category).sound
            kind = self._of_sounds if sound in sounds else self._of_others
            groups = kind.setdefault(one.category, defaultdict(list))
            groups[one.group].append(one)
        self._background = self._of_others.pop(BACKGROUND, {"": list(passages)})

    def batch(self, count: int) -> tuple[Array, Array, Array, Array]:
        """So many crops: rows, truths, the weights of these, and what is taught."""
        crops = [self._changed() for _ in range(count)]
        rows = np.stack([self._masked(one.rows) for one in crops])
        truths = np.stack([one.truths for one in crops])
        weights = np.where(truths == 1, self._drawing.positive_weight, truths == 0)
        taught = np.stack([one.taught for one in crops])
        return rows, (truths == 1).astype(np.float32), weights.astype(np.float32), taught

    def _changed(self) -> Crop:
        crop = self._crop(self._passage())
        gain_db = float(self._rng.uniform(*self._drawing.gain_db))
        energies = _energies(crop.rows) * 10 ** (gain_db / 20)
        if self._rng.random() < self._drawing.mixed_share:
            other = self._crop(self._passage())
            gain_db += float(self._rng.uniform(*self._drawing.mixed_db))
            energies = np.hypot(energies, _energies(other.rows) * 10 ** (gain_db / 20))
            crop = Crop(
                crop.rows, _both(crop.truths, other.truths), np.maximum(crop.taught, other.taught)
            )
        return Crop(np.log(energies + _FLOOR).astype(np.float32), crop.truths, crop.taught)

    def _passage(self) -> Passage:
        share = self._rng.random() - self._drawing.sounds_share
        if share < 0.0 and self._of_sounds:
            kinds = self._of_sounds
        elif share < self._drawing.others_share and self._of_others:
            kinds = self._of_others
        else:
            kinds = {"": self._background}
        groups = kinds[_one(sorted(kinds), self._rng)]
        of_group = groups[_one(sorted(groups), self._rng)]
        return of_group[int(self._rng.integers(len(of_group)))]

    def _crop(self, passage: Passage) -> Crop:
        """Begins where a window of the teacher does."""
        steps = self._drawing.steps
        spare = max(0, len(passage.truths) - steps) // TEACHER_HOP_STEPS
        begin = TEACHER_HOP_STEPS * int(self._rng.integers(spare + 1))
        rows = _cut(passage.rows, begin * STEP_ROWS, steps * STEP_ROWS + self._drawing.extra_rows)
        truths = np.zeros((steps, passage.truths.shape[1]), np.int8)
        held = passage.truths[begin : begin + steps]
        truths[: len(held)] = held
        return Crop(rows, truths, self._taught(passage, begin // TEACHER_HOP_STEPS))

    def _taught(self, passage: Passage, begin: int) -> Array:
        count = (self._drawing.steps - WINDOW_STEPS) // TEACHER_HOP_STEPS + 1
        taught = np.full((count, self._classes), np.nan, np.float32)
        held = passage.taught[begin : begin + count].astype(np.float32)
        if held.size:
            taught[: len(held)] = np.clip(held, *_LOGITS)
        return taught

    def _masked(self, rows: Array) -> Array:
        rows, rng, usual = rows.copy(), self._rng, float(rows.mean())
        for _ in range(self._drawing.band_masks):
            width = int(rng.integers(self._drawing.widest_band_mask + 1))
            at = int(rng.integers(BANDS - width + 1))
            rows[:, at : at + width] = usual
        length = int(rng.integers(self._drawing.longest_time_mask_rows + 1))
        at = int(rng.integers(len(rows) - length + 1))
        rows[at : at + length] = usual
        return rows


def _energies(rows: Array) -> Array:
    return np.maximum(np.exp(rows) - _FLOOR, 0.0)


def _both(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.int8]:
    """What is true where two crops sound at once: either's sounds, unless nobody can tell."""
    unsure = np.where((first < 0) | (second < 0), -1, 0)
    return np.asarray(np.where((first == 1) | (second == 1), 1, unsure), np.int8)


def _cut(rows: NDArray[np.float16], begin: int, count: int) -> Array:
    """So many rows from there on; silence where there are none."""
    cut = np.full((count, BANDS), SILENCE, np.float32)
    held = rows[begin : begin + count]
    cut[: len(held)] = held
    return cut


def _one(of: Sequence[str], rng: np.random.Generator) -> str:
    return of[int(rng.integers(len(of)))]
