"""What a model makes of a sound before it scores it: further outputs of the same file.

What a graph gives out is a vector of tensor numbers.  A longer vector is appended to the bytes and
the graph is pointed at it; nothing else moves.  The tensors are found by the graph's shape: what
the last sigmoid is of are the logits, and what the last fully connected layer looks at is the
embedding.
"""

import struct
from dataclasses import dataclass

from detector.core.recognition import EMBEDDING, LOGITS
from detector.model.graph import DEQUANTIZE, FULLY_CONNECTED, LOGISTIC, Graph

MAX_VECTOR = 8192
"""A longer embedding would fill the memory that keeps 90 s of them."""


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
    graph = Graph(content)
    (own,) = graph.outputs
    scored = graph.maker(own)
    if scored and scored.code == DEQUANTIZE:
        scored = graph.maker(scored.inputs[0])
    if not scored or scored.code != LOGISTIC:
        return {}
    found = {LOGITS: scored.inputs[0]}
    named = graph.maker(found[LOGITS])
    if named and named.code == FULLY_CONNECTED:
        found[EMBEDDING] = named.inputs[0]
    return {name: tensor for name, tensor in found.items() if _is_vector(graph, tensor)}


def with_outputs(content: bytes, tensors: tuple[int, ...]) -> bytes:
    """The same model with further tensors among the outputs of its first graph, after its own.

    Raises struct.error, IndexError or ValueError for a file that is damaged.
    """
    return Graph(content).with_outputs(tensors)


def _is_vector(graph: Graph, tensor: int) -> bool:
    """Whether a tensor is one vector, (n,) or (1, …, n), of a bearable length."""
    if tensor < 0:
        return False
    shape = graph.shape(tensor)
    return bool(shape) and set(shape[:-1]) <= {1} and 1 <= shape[-1] <= MAX_VECTOR
