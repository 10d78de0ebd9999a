"""What a network of steps learns from: rows of log-mel energies, and what is true of each step.

A passage is a strip (``detector.workbench.strips``) as the network will hear it, with what sounds
in every step of 80 ms and, if there is a teacher, what that says of every window.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import LOGITS, Array, Recogniser
from detector.model.logmel import BANDS, ROW_SAMPLES, LogMel
from detector.workbench import marked
from detector.workbench.dataset import Recording
from detector.workbench.labels import meaning
from detector.workbench.lessons import widened
from detector.workbench.observe import observe
from detector.workbench.shelf import Shelf
from detector.workbench.strips import Strip, strips

STEP_ROWS = 8
"""Rows in a step: 80 ms."""
UNLABELLED = "unlabelled"
"""Label of recordings of which nobody has said what they hold: the teacher alone speaks."""
_EDGE_STEPS = 1
TEACHER_HOP_S = 0.48

Truths = NDArray[np.int8]
"""1 it sounds, 0 it does not, −1 nobody can tell; shape (steps, sounds)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One strip, to learn from."""

    rows: NDArray[np.float16]
    """Shape (rows, 64); half precision is finer than any microphone."""
    truths: Truths
    taught: NDArray[np.float16]
    """The teacher's logits of every window, shape (windows, classes); no windows without one."""
    category: str
    group: str


@dataclass(frozen=True)
class Teacher:
    """A model that says of every window what it hears, for a network to say the same."""

    recogniser: Recogniser
    """With windows of 0.975 s every 0.48 s."""
    columns: Sequence[int]
    """Of the classes that are taught."""

    def logits(self, samples: Samples) -> NDArray[np.float16]:
        """Of all windows of some audio, shape (windows, classes)."""
        (heard,) = observe(samples, [self.recogniser])
        told = np.stack([one.outputs[LOGITS] for one in heard])[:, list(self.columns)]
        return told.astype(np.float16)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes that are taught."""
        return tuple(self.recogniser.spec.labels[column] for column in self.columns)


def log_mel(samples: Samples) -> Array:
    """All whole rows of some audio, shape (rows, 64)."""
    return LogMel().feed(samples)


def passage_of(strip: Strip, sounds: Sequence[str], teacher: Teacher | None) -> Passage:
    """A strip as rows, truths, and what the teacher says."""
    rows = log_mel(strip.samples).astype(np.float16)
    steps = len(rows) // STEP_ROWS
    taught = np.zeros((0, 0), np.float16) if teacher is None else teacher.logits(strip.samples)
    return Passage(
        rows[: steps * STEP_ROWS], truths_of(strip, sounds, steps), taught, strip.category,
        strip.group,
    )  # fmt: skip


def truths_of(strip: Strip, sounds: Sequence[str], steps: int) -> Truths:
    """Of each step; the one at the edge of a sound is not learnt from."""
    truths = np.zeros((steps, len(sounds)), np.int8)
    if strip.category == UNLABELLED:
        truths[:] = -1
        return truths
    held = np.zeros(steps * STEP_ROWS, np.bool_)
    held[: len(strip.on)] = strip.on[: len(held)]
    share = held.reshape(steps, STEP_ROWS).mean(axis=1)
    near = widened(share > 0.0, _EDGE_STEPS)
    sound = meaning(strip.category).sound
    for place, name in enumerate(sounds):
        if name in strip.unsure:
            truths[:, place] = -1
        if name in strip.unsure_in_event:
            truths[near, place] = -1
        if name == sound:
            truths[(share > 0.0) & (share < 0.5), place] = -1
            truths[share >= 0.5, place] = 1
    return truths


def passages(
    shelf: Shelf, sounds: Sequence[str], teacher: Teacher | None, *, seed: int
) -> Iterator[Passage]:
    """Of all strips of a pool, and of what is marked in it."""
    for strip in strips(shelf, sounds, seed=seed):
        passage = passage_of(strip, sounds, teacher)
        if len(passage.truths):
            yield passage
    for recording in shelf.recordings:
        if recording.is_strong:
            yield from marked_passages(shelf, recording, sounds, teacher)


def marked_passages(
    shelf: Shelf, recording: Recording, sounds: Sequence[str], teacher: Teacher | None
) -> Iterator[Passage]:
    """Of a recording in which sounds are marked."""
    samples = shelf.samples(recording)
    told = marked.truths(recording, sounds, len(samples) // marked.STEP_SAMPLES)
    for first, last, category in marked.spans(recording, len(told)):
        piece = samples[first * marked.STEP_SAMPLES : last * marked.STEP_SAMPLES]
        rows = log_mel(piece).astype(np.float16)
        steps = len(rows) // STEP_ROWS
        taught = np.zeros((0, 0), np.float16) if teacher is None else teacher.logits(piece)
        if steps:
            yield Passage(
                rows[: steps * STEP_ROWS], told[first : first + steps], taught, category,
                recording.group,
            )  # fmt: skip


def as_arrays(made: Sequence[Passage]) -> Mapping[str, NDArray[np.generic]]:
    """Passages as a few arrays, to be kept on disk."""
    classes = max((one.taught.shape[1] for one in made), default=0)
    return {
        "rows": np.concatenate([np.zeros((0, BANDS), np.float16), *(one.rows for one in made)]),
        "truths": np.concatenate([one.truths for one in made]),
        "taught": np.concatenate([one.taught.reshape(len(one.taught), classes) for one in made]),
        "counts": np.array([(len(one.rows), len(one.truths), len(one.taught)) for one in made]),
        "names": np.array([(one.category, one.group) for one in made]),
    }


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> list[Passage]:
    """The passages that were made into arrays."""
    ends = np.cumsum(np.asarray(arrays["counts"], np.int64), axis=0)[:-1]
    parts = [
        np.split(arrays[name], ends[:, place])
        for place, name in enumerate(("rows", "truths", "taught"))
    ]
    names = [(str(category), str(group)) for category, group in arrays["names"]]
    made = zip(*parts, names, strict=True)
    return [
        Passage(rows, truths, taught, category, group)
        for rows, truths, taught, (category, group) in made
    ]


def seconds_of(passage: Passage) -> float:
    """Its length."""
    return len(passage.rows) * ROW_SAMPLES / SAMPLE_RATE_HZ
