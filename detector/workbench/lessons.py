"""What the model makes of strips, and what was true of each window: the material of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.recognition import EMBEDDING, LOGITS, Observation, Recogniser, RecogniserSpec
from detector.learning.sounding import STEP_SAMPLES
from detector.workbench.labels import meaning
from detector.workbench.observe import observe
from detector.workbench.strips import BACKGROUND, Strip

Outputs = Mapping[str, NDArray[Any]]
"""By name, shape (windows, numbers); windows that join."""
Truths = NDArray[np.int8]
"""1 it sounds, 0 it does not, −1 nobody can tell; shape (windows, sounds)."""

_HEARD_S = 0.3
"""A window is one of a sound that sounds in it for so long, or for most of the sound."""
_MOST_OF_IT = 0.6


@dataclass(frozen=True, slots=True)
class Lesson:
    """One strip as the model heard it."""

    outputs: Outputs
    truths: Truths
    categories: tuple[str, ...]
    """What each window holds: a label, or ``BACKGROUND``."""
    group: str


def lesson_of(strip: Strip, sounds: Sequence[str], recogniser: Recogniser) -> Lesson:
    """A strip, heard by a recogniser that gives logits and an embedding."""
    (observations,) = observe(strip.samples, [recogniser])
    held_s = _held_seconds(strip, len(observations), recogniser.spec)
    names = [strip.category if held > 0.0 else BACKGROUND for held in held_s]
    truths = truths_of(strip, held_s, sounds)
    return Lesson(outputs_of(observations), truths, tuple(names), strip.group)


def outputs_of(observations: Sequence[Observation]) -> Outputs:
    """What heads look at, in half precision."""
    return MappingProxyType(
        {
            name: np.stack([one.outputs[name] for one in observations]).astype(np.float16)
            for name in (EMBEDDING, LOGITS)
        }
    )


def truths_of(strip: Strip, held_s: NDArray[np.float64], sounds: Sequence[str]) -> Truths:
    """Of windows that hold so many seconds of the strip's sound, shape (windows,).

    A window at the edge of a sound, or beside it, is not learnt from.
    """
    sound = meaning(strip.category).sound
    near = widened(held_s > 0.0)
    enough = held_s >= max(0.01, min(_HEARD_S, _MOST_OF_IT * float(strip.on.sum()) / 100.0))
    truths = np.zeros((len(held_s), len(sounds)), np.int8)
    for place, name in enumerate(sounds):
        if name in strip.unsure:
            truths[:, place] = -1
        if name in strip.unsure_in_event:
            truths[near, place] = -1
        if name == sound:
            truths[near, place] = -1
            truths[enough, place] = 1
    return truths


def _held_seconds(strip: Strip, count: int, spec: RecogniserSpec) -> NDArray[np.float64]:
    """Seconds of each window in which the strip's sound sounds, shape (windows,)."""
    reached = np.concatenate([[0.0], np.cumsum(strip.on)]) * STEP_SAMPLES / SAMPLE_RATE_HZ
    first = np.arange(count) * spec.hop_samples // STEP_SAMPLES
    last = first + spec.context_samples // STEP_SAMPLES
    most = len(strip.on)
    return np.asarray(reached[np.minimum(last, most)] - reached[np.minimum(first, most)])


def widened(chosen: NDArray[np.bool_], places: int = 1) -> NDArray[np.bool_]:
    """With so many before and after each, shape as given."""
    wide = chosen.copy()
    for shift in range(1, places + 1):
        wide[shift:] |= chosen[:-shift]
        wide[:-shift] |= chosen[shift:]
    return wide
