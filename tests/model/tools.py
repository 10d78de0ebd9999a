"""Tiny TFLite models, written byte by byte, so that any shape of model can be tested."""

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

from detector.model.flatwriter import FlatWriter

FLOAT32, INT32, INT8 = 0, 2, 9  # TensorType of the TFLite schema
SLICE, FULLY_CONNECTED, LOGISTIC = 65, 9, 14  # BuiltinOperator


def _tensor(
    writer: FlatWriter, shape: Sequence[int], *, dtype: int, buffer: int = 0, open_shape: bool
) -> int:
    """Prepend a tensor; with ``open_shape`` its signature leaves all sizes open."""
    fields: dict[int, bytes | int] = {
        0: writer.ints(shape),
        1: struct.pack("<b", dtype),
        2: struct.pack("<I", buffer),
    }
    if open_shape:
        fields[7] = writer.ints([-1] * len(shape))
    return writer.table(fields)


def slicing_model(
    *,
    input_shape: Sequence[int] = (8000,),
    classes: int = 3,
    dtype: int = FLOAT32,
    outputs: int = 1,
    open_shape: bool = False,
) -> bytes:
    """Build a model whose scores are the first ``classes`` samples of its input."""
    writer = FlatWriter()
    rank = len(input_shape)
    output_shape = [*input_shape[:-1], classes]
    constants = [struct.pack(f"<{rank}i", *each) for each in ([0] * rank, output_shape)]
    buffers = [writer.table({})]
    buffers += [writer.table({0: writer.vector(raw, len(raw), 16)}) for raw in constants]
    tensors = [
        _tensor(writer, input_shape, dtype=dtype, open_shape=open_shape),
        _tensor(writer, [rank], dtype=INT32, buffer=1, open_shape=False),
        _tensor(writer, [rank], dtype=INT32, buffer=2, open_shape=False),
        *(_tensor(writer, output_shape, dtype=dtype, open_shape=False) for _ in range(outputs)),
    ]
    results = [3 + i for i in range(outputs)]
    operators = [
        writer.table({1: writer.ints([0, 1, 2]), 2: writer.ints([result])}) for result in results
    ]
    graph: dict[int, bytes | int] = {
        0: writer.offsets(tensors),
        1: writer.ints([0]),
        2: writer.ints(results),
        3: writer.offsets(operators),
    }
    code = writer.table({0: struct.pack("<b", SLICE), 3: struct.pack("<i", SLICE)})
    root: dict[int, bytes | int] = {
        0: struct.pack("<I", 3),
        1: writer.offsets([code]),
        2: writer.offsets([writer.table(graph)]),
        4: writer.offsets(buffers),
    }
    return writer.finish(writer.table(root), b"TFL3")


def layered_model(
    weights: Sequence[Sequence[Sequence[float]]], *, window: int = 8000, sigmoid: bool = True
) -> bytes:
    """Build a model of layers without bias, each (outputs, inputs), and a sigmoid at the end.

    The first layer sees the first samples of the window.
    """
    writer = FlatWriter()
    sizes = [len(weights[0][0]), *(len(layer) for layer in weights)]
    begins = [struct.pack("<2i", *each) for each in ([0, 0], [1, sizes[0]])]
    packed = [struct.pack(f"<{len(row)}f", *row) for layer in weights for row in layer]
    rows = iter(packed)
    constants = [*begins, *(b"".join(next(rows) for _ in layer) for layer in weights)]
    buffers = [writer.table({})]
    buffers += [writer.table({0: writer.vector(raw, len(raw), 16)}) for raw in constants]
    layers = range(len(weights))
    shapes = [
        ([1, window], FLOAT32, 0),
        ([2], INT32, 1),
        ([2], INT32, 2),
        *(([sizes[i + 1], sizes[i]], FLOAT32, 3 + i) for i in layers),
        *(([1, size], FLOAT32, 0) for size in [*sizes, sizes[-1]]),
    ]
    tensors = [
        _tensor(writer, shape, dtype=dtype, buffer=buffer, open_shape=False)
        for shape, dtype, buffer in shapes
    ]
    first = 3 + len(weights)  # what the slice gives; what each layer gives comes after it
    steps = [(0, [0, 1, 2], first), *((1, [first + i, 3 + i, -1], first + 1 + i) for i in layers)]
    if sigmoid:
        steps.append((2, [first + len(weights)], first + 1 + len(weights)))
    operators = [
        writer.table({0: struct.pack("<I", code), 1: writer.ints(takes), 2: writer.ints([gives])})
        for code, takes, gives in steps
    ]
    graph: dict[int, bytes | int] = {
        0: writer.offsets(tensors),
        1: writer.ints([0]),
        2: writer.ints([steps[-1][2]]),
        3: writer.offsets(operators),
    }
    codes = [
        writer.table({0: struct.pack("<b", code), 3: struct.pack("<i", code)})
        for code in (SLICE, FULLY_CONNECTED, LOGISTIC)
    ]
    root: dict[int, bytes | int] = {
        0: struct.pack("<I", 3),
        1: writer.offsets(codes),
        2: writer.offsets([writer.table(graph)]),
        4: writer.offsets(buffers),
    }
    return writer.finish(writer.table(root), b"TFL3")


def append_labels(path: Path, lists: dict[str, str]) -> None:
    """Append a zip archive with these text entries to a file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in lists.items():
            archive.writestr(name, text)
