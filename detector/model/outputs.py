"""What a model makes of a sound before it scores it: further outputs of the same file.

A TFLite file is a FlatBuffers document, and what its graph gives out is a vector of tensor
numbers.  A longer vector is appended to the bytes and the graph is pointed at it; nothing else
moves.  The tensors are found by the graph's shape: what the last sigmoid is of are the logits, and
what the last fully connected layer looks at is the embedding.

Tables and fields are those of the TFLite schema, version 3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from detector.core.recognition import EMBEDDING, LOGITS

_MODEL_CODES, _MODEL_GRAPHS = 1, 2
_GRAPH_TENSORS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 2, 3
_TENSOR_SHAPE = 0
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_CODE_OLD, _CODE = 0, 3
_DEQUANTIZE, _FULLY_CONNECTED, _LOGISTIC = 6, 9, 14

MAX_VECTOR = 8192
"""A longer embedding would fill the memory that keeps 90 s of them."""
_MOST_ENTRIES = 65_536
"""More operators or tensors than any model for a small machine has: the file is damaged."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A model's bytes with further outputs."""

    content: bytes
    tensors: dict[str, int]
    """Number of each further tensor by the output's name; empty where nothing was found."""


def declare_outputs(content: bytes) -> Declared:
    """The same model with its logits and its embedding among its outputs, after its own.

    A file in which they cannot be found, damaged or of another build, comes back as it was.
    """
    try:
        tensors = find_tensors(content)
        if not tensors:
            return Declared(content, {})
        return Declared(with_outputs(content, tuple(tensors.values())), tensors)
    except (struct.error, IndexError, ValueError):
        return Declared(content, {})


def find_tensors(content: bytes) -> dict[str, int]:
    """Tensor numbers of logits and embedding, as far as there are any.

    Raises struct.error, IndexError or ValueError for a file that is damaged.
    """
    graph = _Graph(content)
    scored = graph.maker(graph.only_output())
    if scored and scored.code == _DEQUANTIZE:
        scored = graph.maker(scored.inputs[0])
    if not scored or scored.code != _LOGISTIC:
        return {}
    found = {LOGITS: scored.inputs[0]}
    named = graph.maker(found[LOGITS])
    if named and named.code == _FULLY_CONNECTED:
        found[EMBEDDING] = named.inputs[0]
    return {name: tensor for name, tensor in found.items() if graph.is_vector(tensor)}


def with_outputs(content: bytes, tensors: tuple[int, ...]) -> bytes:
    """The same model with further tensors among the outputs of its first graph, after its own.

    Raises struct.error, IndexError or ValueError for a file that is damaged.
    """
    graph = _Graph(content)
    field = _field(content, graph.table, _GRAPH_OUTPUTS)
    if field is None:
        raise ValueError("the graph has no outputs")
    numbers = (*_ints(content, graph.table, _GRAPH_OUTPUTS), *tensors)
    padding = -len(content) % 4  # a vector stands on a multiple of four
    at = len(content) + padding
    vector = struct.pack(f"<I{len(numbers)}i", len(numbers), *numbers)
    head, rest = content[:field], content[field + 4 :]
    return b"".join((head, struct.pack("<I", at - field), rest, bytes(padding), vector))


@dataclass(frozen=True, slots=True)
class _Operator:
    code: int
    inputs: tuple[int, ...]


class _Graph:
    """The first graph of a model."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        model = _follow(content, 0)
        self.table, *_ = _tables(content, model, _MODEL_GRAPHS)
        self._codes = [_code(content, at) for at in _tables(content, model, _MODEL_CODES)]
        self._tensors = list(_tables(content, self.table, _GRAPH_TENSORS))

    def only_output(self) -> int:
        """The tensor that the graph gives out; ValueError where there are several or none."""
        (tensor,) = _ints(self._content, self.table, _GRAPH_OUTPUTS)
        return tensor

    def maker(self, tensor: int) -> _Operator | None:
        """The operator that makes a tensor, with its inputs; None for what comes from outside."""
        content = self._content
        for at in _tables(content, self.table, _GRAPH_OPERATORS):
            if tensor in _ints(content, at, _OPERATOR_OUTPUTS):
                code = self._codes[_scalar(content, at, _OPERATOR_CODE, "<I")]
                return _Operator(code, _ints(content, at, _OPERATOR_INPUTS))
        return None

    def is_vector(self, tensor: int) -> bool:
        """Whether a tensor is one vector, (n,) or (1, …, n), of a bearable length."""
        if tensor < 0:
            return False
        shape = _ints(self._content, self._tensors[tensor], _TENSOR_SHAPE)
        return bool(shape) and set(shape[:-1]) <= {1} and 1 <= shape[-1] <= MAX_VECTOR


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


def _follow(content: bytes, at: int) -> int:
    """Where a reference points: it counts from where it stands."""
    return at + _number(content, at)


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", content, at)[0])
