"""The first graph of a TFLite file, read from its bytes, and small changes to them.

A TFLite file is a FlatBuffers document: tables whose fields are found through a table of offsets,
and vectors, each referred to by its distance from the reference.  Tables and fields are those of
the TFLite schema, version 3.  Everything here raises struct.error, IndexError or ValueError for a
file that is damaged.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Array

DEQUANTIZE, FULLY_CONNECTED, LOGISTIC, MUL, RESHAPE, PAD = 6, 9, 14, 18, 22, 34
LOG, RFFT2D, COMPLEX_ABS = 73, 131, 135
"""Operators that are looked for, as the schema numbers them."""

_MODEL_CODES, _MODEL_GRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER = 0, 1, 2
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_CODE_OLD, _CODE = 0, 3
_BUFFER_DATA = 0
_FLOAT32, _INT32 = 0, 2

_MOST_ENTRIES = 65_536
"""More operators or tensors than any model for a small machine has: the file is damaged."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of the graph, with the numbers of the tensors that it takes and gives."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Graph:
    """The first graph of a model. Immutable."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        model = _follow(content, 0)
        self._table, *_ = _tables(content, model, _MODEL_GRAPHS)
        codes = [_code(content, at) for at in _tables(content, model, _MODEL_CODES)]
        self._tensors = list(_tables(content, self._table, _GRAPH_TENSORS))
        self._buffers = list(_tables(content, model, _MODEL_BUFFERS))
        self.operators = tuple(self._read_operators(codes))
        """In the order in which they run."""
        self.inputs = _ints(content, self._table, _GRAPH_INPUTS)
        self.outputs = _ints(content, self._table, _GRAPH_OUTPUTS)

    def maker(self, tensor: int) -> Operator | None:
        """The operator that makes a tensor; None for what comes from outside."""
        return next((one for one in self.operators if tensor in one.outputs), None)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Of a tensor, as the file declares it."""
        if tensor < 0:
            raise ValueError("there is no such tensor")
        return _ints(self._content, self._tensors[tensor], _TENSOR_SHAPE)

    def is_float(self, tensor: int) -> bool:
        """Whether a tensor holds float32."""
        return _scalar(self._content, self._tensors[tensor], _TENSOR_TYPE, "<b") == _FLOAT32

    def floats(self, tensor: int) -> Array:
        """A constant tensor of float32, in its shape."""
        if not self.is_float(tensor):
            raise ValueError("a constant is not float32")
        return self._constant(tensor, np.dtype("<f4")).astype(np.float32)

    def integers(self, tensor: int) -> tuple[int, ...]:
        """A constant tensor of int32, flat."""
        if _scalar(self._content, self._tensors[tensor], _TENSOR_TYPE, "<b") != _INT32:
            raise ValueError("a constant is not int32")
        return tuple(int(one) for one in self._constant(tensor, np.dtype("<i4")).reshape(-1))

    def with_outputs(self, tensors: tuple[int, ...]) -> bytes:
        """The same model with further outputs after its own: a longer vector at its end."""
        content = self._content
        field = _require(_field(content, self._table, _GRAPH_OUTPUTS))
        numbers = (*self.outputs, *tensors)
        padding = -len(content) % 4  # a vector stands on a multiple of four
        at = len(content) + padding
        vector = struct.pack(f"<I{len(numbers)}i", len(numbers), *numbers)
        return _changed(content, {field: at - field}, bytes(padding) + vector)

    def beginning_at(self, tensor: int, operators: int) -> bytes:
        """The same model fed with another tensor, and without the first ``operators`` operators.

        Nothing moves: an entry of a vector counts from where it stands, so the vector of what is
        left begins in the last entry that is not needed any more, which becomes its length.
        """
        content = self._content
        if not 0 < operators < len(self.operators) or len(self.inputs) != 1:
            raise ValueError("nothing can be left out")
        field = _require(_field(content, self._table, _GRAPH_OPERATORS))
        length = _follow(content, field) + 4 * operators
        given = _follow(content, _require(_field(content, self._table, _GRAPH_INPUTS))) + 4
        left = len(self.operators) - operators
        return _changed(content, {field: length - field, length: left, given: tensor})

    def ending_at(self, tensor: int, operators: int) -> bytes:
        """The same model cut off after its first ``operators``, giving out one tensor."""
        content = self._content
        if not 0 < operators < len(self.operators) or not self.outputs:
            raise ValueError("nothing can be left out")
        length = _follow(content, _require(_field(content, self._table, _GRAPH_OPERATORS)))
        made = _follow(content, _require(_field(content, self._table, _GRAPH_OUTPUTS)))
        return _changed(content, {length: operators, made: 1, made + 4: tensor})

    def _read_operators(self, codes: list[int]) -> Iterator[Operator]:
        content = self._content
        for at in _tables(content, self._table, _GRAPH_OPERATORS):
            yield Operator(
                codes[_scalar(content, at, _OPERATOR_CODE, "<I")],
                _ints(content, at, _OPERATOR_INPUTS),
                _ints(content, at, _OPERATOR_OUTPUTS),
            )

    def _constant(self, tensor: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        shape = self.shape(tensor)
        number = _scalar(self._content, self._tensors[tensor], _TENSOR_BUFFER, "<I")
        field = _require(_field(self._content, self._buffers[number], _BUFFER_DATA))
        at = _follow(self._content, field)
        if min(shape, default=0) < 1 or 4 * math.prod(shape) != _number(self._content, at):
            raise ValueError("a constant does not fill its shape")
        return np.frombuffer(self._content, dtype, math.prod(shape), at + 4).reshape(shape)


def _code(content: bytes, table: int) -> int:
    """The operator that a table of codes names: newer files say it in a wider field."""
    old = _scalar(content, table, _CODE_OLD, "<b")
    return max(old, _scalar(content, table, _CODE, "<i"))


def _scalar(content: bytes, table: int, field: int, form: str) -> int:
    at = _field(content, table, field)
    return 0 if at is None else int(struct.unpack_from(form, content, at)[0])


def _tables(content: bytes, table: int, field: int) -> Iterator[int]:
    """Where the tables of a vector stand."""
    at = _field(content, table, field)
    if at is None:
        return
    vector = _follow(content, at)
    for place in range(vector + 4, vector + 4 + 4 * _count(content, vector), 4):
        yield _follow(content, place)


def _ints(content: bytes, table: int, field: int) -> tuple[int, ...]:
    at = _field(content, table, field)
    if at is None:
        return ()
    vector = _follow(content, at)
    return struct.unpack_from(f"<{_count(content, vector)}i", content, vector + 4)


def _count(content: bytes, vector: int) -> int:
    count = _number(content, vector)
    if count > _MOST_ENTRIES:
        raise ValueError("a vector is longer than any should be")
    return count


def _field(content: bytes, table: int, field: int) -> int | None:
    """Where a table's field stands; None where it is left out."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    if vtable < 0:
        raise ValueError("a table lies outside the file")
    (size,) = struct.unpack_from("<H", content, vtable)
    if 6 + 2 * field > size:
        return None
    offset = int(struct.unpack_from("<H", content, vtable + 4 + 2 * field)[0])
    return table + offset if offset else None


def _require(field: int | None) -> int:
    if field is None:
        raise ValueError("a field is missing")
    return field


def _follow(content: bytes, at: int) -> int:
    """Where a reference points: it counts from where it stands."""
    return at + _number(content, at)


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", content, at)[0])


def _changed(content: bytes, numbers: Mapping[int, int], more: bytes = b"") -> bytes:
    """The content with other numbers in some places, and more at its end; copied once."""
    view, at = memoryview(content), 0
    pieces: list[bytes | memoryview] = []
    for place, number in sorted(numbers.items()):
        if place < at or place + 4 > len(content):
            raise ValueError("a place lies outside the file or in another")
        pieces += [view[at:place], struct.pack("<I", number)]
        at = place + 4
    return b"".join([*pieces, view[at:], more])
