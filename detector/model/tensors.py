"""What an interpreter tells of a model's inputs and outputs, and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import SCORES, Array


@dataclass(frozen=True, slots=True)
class Vector:
    """A float32 tensor of shape (n,) or (1, n); or any that goes in."""

    index: int
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Of a vector."""
        return self.shape[-1]


@dataclass(frozen=True, slots=True)
class Further:
    """A further output: a vector of floats, or of bytes that stand for numbers."""

    index: int
    length: int
    dtype: type[np.floating[Any]]
    """What it is handed out as."""
    meanings: NDArray[np.floating[Any]] | None
    """Of a quantised one: what each of the 256 bytes stands for."""

    def values(self, tensor: NDArray[Any]) -> Array:
        """The numbers, shape (length,); a new array."""
        flat = tensor.reshape(-1)
        if self.meanings is None:
            largest = np.finfo(self.dtype).max
            return np.asarray(np.clip(flat, -largest, largest), self.dtype)
        return self.meanings[flat.view(np.uint8)]


@dataclass(frozen=True, slots=True)
class Network:
    """An interpreter with what goes into its graph and what comes out. For one thread.

    What it hands out are new arrays.  Raises RuntimeError where the interpreter fails.
    """

    interpreter: Any
    given: Vector
    scored: Vector
    further: Mapping[str, Further]

    def scores(self, values: Array) -> Array:
        """The scores of what is given, in any shape that fits; shape (classes,)."""
        interpreter = self.interpreter
        interpreter.set_tensor(self.given.index, values.reshape(self.given.shape))
        interpreter.invoke()
        scores: Array = interpreter.get_tensor(self.scored.index)
        return scores.reshape(-1)

    def outputs(self, values: Array) -> Mapping[str, Array]:
        """The same and the further outputs, by name."""
        outputs = {SCORES: self.scores(values)}
        for name, tensor in self.further.items():
            outputs[name] = tensor.values(self.interpreter.get_tensor(tensor.index))
        return outputs


def as_further(tensor: dict[str, Any], dtype: type[np.floating[Any]]) -> Further | None:
    """A further output to be handed out as ``dtype``; None where it cannot be read."""
    length, (scale, zero_point) = _shape(tensor)[-1], tensor["quantization"]
    if tensor["dtype"] is np.float32:
        return Further(tensor["index"], length, dtype, None)
    if tensor["dtype"] not in (np.int8, np.uint8) or not scale > 0.0:
        return None
    meant = np.arange(256, dtype=np.uint8).view(tensor["dtype"]).astype(np.float64)
    return Further(tensor["index"], length, dtype, (scale * (meant - zero_point)).astype(dtype))


def as_vector(tensors: list[dict[str, Any]]) -> Vector | None:
    """The only tensor; None where there are more or it is no vector of floats."""
    if len(tensors) != 1 or tensors[0]["dtype"] is not np.float32:
        return None
    shape = _shape(tensors[0])
    if len(shape) not in (1, 2) or min(shape) < 1 or (len(shape) == 2 and shape[0] != 1):
        return None
    return Vector(tensors[0]["index"], shape)


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    """Shape as the file declares it: −1 where it is left open."""
    return tuple(int(n) for n in tensor["shape_signature"])


def describe(tensors: list[dict[str, Any]]) -> str:
    """Types and shapes, for a person."""
    each = (f"{np.dtype(tensor['dtype']).name} {list(_shape(tensor))}" for tensor in tensors)
    return ", ".join(each) or "nothing"
