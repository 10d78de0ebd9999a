"""Heads: small classifiers on what the model makes of the sound. Pure numpy, no files.

A head looks at one or several of the model's outputs, over one or several windows, through one or
several trunks, weighs what they give, and makes a probability of the sum::

    inputs → trunk: relu(inputs · weights + bias) ─┐
    inputs → trunk: the inputs as they are ────────┴→ · weights + bias = log-odds → curve

A trunk may first lay its inputs on a sphere: what counts is then in which direction they differ
from the usual, and not how far.

The log-odds may be averaged over a few windows.

Windows that join one another make a stretch; audio that was lost begins a new one.  Near the
beginning of a stretch not every window is there that an input asks for: it takes those that are,
and if none is, the oldest there is.  ``Look.rows`` does for all windows of a stretch at once, to
learn from, what ``Look.__call__`` does for the newest.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Array, Heard, Observation
from detector.events.curves import Curve

Pooled = Literal["mean", "max"]
MOST_AVERAGED = 8
"""Windows over which a head may average; a trunk remembers what it gave for as many."""
_JOIN_S = 1e-3
"""Windows whose distance differs from the hop by more do not join."""


@dataclass(slots=True)
class Look:
    """One input: columns of an output, over windows that may lie back.

    Several trunks may share it: it is gathered once a window.  Not thread-safe: one owner.
    """

    output: str
    columns: NDArray[np.intp] | None
    """Which of the output's numbers; None: all of them."""
    newest: int = 0
    """Windows ago, of the newest that is looked at."""
    oldest: int = 0
    """Windows ago, of the oldest that is looked at; at least ``newest``."""
    pooling: Pooled = "mean"
    """What becomes of several windows."""
    largest: bool = False
    """Whether only the largest of a window's columns counts, as in a family of classes."""
    _last: "tuple[Observation, Array] | None" = field(
        default=None, init=False, repr=False, compare=False
    )

    def __call__(self, stretch: Sequence[Observation]) -> Array:
        """At the newest window of a stretch, oldest first; shape (columns,). Not to be changed."""
        if self._last is None or self._last[0] is not stretch[-1]:
            self._last = (stretch[-1], self._gathered(stretch))
        return self._last[1]

    def _gathered(self, stretch: Sequence[Observation]) -> Array:
        last = max(len(stretch) - 1 - self.newest, 0)
        first = max(len(stretch) - 1 - self.oldest, 0)
        seen = [
            self._taken(one.outputs[self.output].reshape(-1)) for one in stretch[first : last + 1]
        ]
        if len(seen) == 1:
            return seen[0]
        stacked = np.stack(seen)
        pooled = stacked.max(axis=0) if self.pooling == "max" else stacked.mean(axis=0)
        return np.asarray(pooled, np.float32)

    def rows(self, values: NDArray[Any]) -> Array:
        """At every window of a stretch: from (windows, numbers of the output) to its columns."""
        taken = self._taken(values.reshape(len(values), -1))
        return _pooled(taken, self.newest, self.oldest, self.pooling)

    def _taken(self, values: NDArray[Any]) -> Array:
        """The columns of (…, numbers)."""
        taken = values if self.columns is None else values[..., self.columns]
        if self.largest:
            taken = taken.max(axis=-1, keepdims=True)
        return np.asarray(taken, np.float32)


def _pooled(values: Array, newest: int, oldest: int, pooling: Pooled) -> Array:
    """For each of (windows, numbers), what it and those before it come to."""
    at = np.arange(len(values))
    pooled = values[np.maximum(at - newest, 0)]
    for ago in range(newest + 1, oldest + 1):
        if pooling == "max":
            pooled[ago:] = np.maximum(pooled[ago:], values[:-ago])
        else:
            pooled[ago:] += values[:-ago]
    if pooling == "mean":
        pooled /= np.clip(at - newest + 1, 1, oldest - newest + 1)[:, None]
    return pooled


@dataclass(frozen=True, slots=True)
class Layer:
    """relu(inputs · weights + bias)."""

    weights: Array
    """Shape (inputs, units)."""
    bias: Array
    """Shape (units,)."""

    def __call__(self, inputs: Array) -> Array:
        """From (…, inputs) to (…, units)."""
        return np.asarray(np.maximum(inputs @ self.weights + self.bias, 0.0), np.float32)


@dataclass(frozen=True, slots=True)
class Sphere:
    """(inputs - centre) / scale, at length 1."""

    centre: Array
    """Shape (inputs,)."""
    scale: Array
    """Shape (inputs,); nowhere 0."""

    def __call__(self, inputs: Array) -> Array:
        """From (…, inputs) to the same shape; the centre itself stays at length 0."""
        apart = (inputs - self.centre) / self.scale
        length = np.sqrt(np.sum(apart * apart, axis=-1, keepdims=True))
        return np.asarray(apart / np.maximum(length, np.float32(1e-6)), np.float32)


class Trunk:
    """Inputs side by side, on a sphere if there is one, and what a layer makes of them if there is.

    Several heads may share a trunk: it is worked out once a window.  Not thread-safe: one owner.
    """

    def __init__(
        self, looks: Sequence[Look], layer: Layer | None = None, sphere: Sphere | None = None
    ) -> None:
        self.looks = tuple(looks)
        self.layer = layer
        self.sphere = sphere
        self.windows = 1 + max(look.oldest for look in self.looks)
        """How many windows it looks at, at most."""
        self._given: deque[tuple[Observation, Array]] = deque(maxlen=MOST_AVERAGED)

    def __call__(self, observations: Sequence[Observation], hop_s: float) -> Array:
        """At the newest of the observations, oldest first; shape (units,)."""
        for newest, given in self._given:
            if newest is observations[-1]:
                return given
        stretch = joined(observations, hop_s, self.windows)
        given = self._through(np.concatenate([look(stretch) for look in self.looks]))
        self._given.append((observations[-1], given))
        return given

    def rows(self, outputs: Mapping[str, NDArray[Any]]) -> Array:
        """At every window of a stretch, of outputs (windows, numbers); shape (windows, units)."""
        inputs = [look.rows(outputs[look.output]) for look in self.looks]
        return self._through(np.concatenate(inputs, axis=1))

    def _through(self, inputs: Array) -> Array:
        if self.sphere is not None:
            inputs = self.sphere(inputs)
        return inputs if self.layer is None else self.layer(inputs)


@dataclass(frozen=True, slots=True)
class Head:
    """A sound's own classifier on the first recogniser's outputs."""

    trunks: tuple[Trunk, ...]
    weights: Array
    """Of what the trunks give, side by side, shape (units of all trunks,)."""
    bias: float
    curve: Curve
    hop_s: float
    """Seconds between windows that join."""
    averaged: int = 1
    """Windows over which the log-odds are averaged, as far as they are there."""

    @property
    def calibrated(self) -> bool:
        """Whether its curve rests on evidence."""
        return self.curve.calibrated

    def __call__(self, heard: Heard) -> float:
        """The probability at the first recogniser's newest window."""
        return self.curve(self.log_odds(heard))

    def began_s(self, heard: Heard) -> float | None:
        """None: the newest window is all that is judged."""
        del heard
        return None

    def log_odds(self, heard: Heard) -> float:
        """What goes into the curve."""
        if self.averaged == 1:
            return self._at(heard[0])
        looked_at = max(trunk.windows for trunk in self.trunks)
        stretch = joined(heard[0], self.hop_s, looked_at + self.averaged - 1)
        ends = range(max(len(stretch) - self.averaged, 0), len(stretch))
        return sum(self._at(stretch[: end + 1]) for end in ends) / len(ends)

    def _at(self, observations: Sequence[Observation]) -> float:
        given = [trunk(observations, self.hop_s) for trunk in self.trunks]
        units = given[0] if len(given) == 1 else np.concatenate(given)
        return float(units @ self.weights) + self.bias

    def rows(self, outputs: Mapping[str, NDArray[Any]]) -> Array:
        """The log-odds at every window of a stretch, of outputs (windows, numbers)."""
        given = np.concatenate([trunk.rows(outputs) for trunk in self.trunks], axis=1)
        each = np.asarray(given @ self.weights + np.float32(self.bias), np.float32)
        return _pooled(each[:, None], 0, self.averaged - 1, "mean")[:, 0]


def joined(observations: Sequence[Observation], hop_s: float, most: int) -> list[Observation]:
    """The newest of the observations, at most ``most``, that join one another; oldest first."""
    stretch = [observations[-1]]
    for older in reversed(observations):
        if older is stretch[-1]:
            continue
        if len(stretch) == most or abs(stretch[-1].start_s - older.start_s - hop_s) > _JOIN_S:
            break
        stretch.append(older)
    return stretch[::-1]
