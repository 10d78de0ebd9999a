"""Tiny TFLite models, written byte by byte, so that any shape of model can be tested."""

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

FLOAT32, INT32, INT8 = 0, 2, 9  # TensorType of the TFLite schema
SLICE, FULLY_CONNECTED, LOGISTIC = 65, 9, 14  # BuiltinOperator


class FlatWriter:
    """A FlatBuffers file, built from its end to its beginning.

    Places are bytes from the end of the file, which is where they do not move any more.
    """

    def __init__(self) -> None:
        self._tail = b""

    def put(self, raw: bytes, align: int = 4) -> int:
        """Prepend bytes so that their first is aligned; its place."""
        padding = -(len(self._tail) + len(raw)) % align
        self._tail = raw + bytes(padding) + self._tail
        return len(self._tail)

    def vector(self, elements: bytes, count: int, align: int = 4) -> int:
        """Prepend a vector of scalars."""
        self.put(elements, align)
        return self.put(struct.pack("<I", count))

    def ints(self, values: Sequence[int]) -> int:
        """Prepend a vector of int32."""
        return self.vector(struct.pack(f"<{len(values)}i", *values), len(values))

    def offsets(self, places: Sequence[int]) -> int:
        """Prepend a vector of references."""
        raw = bytes(4 * len(places))
        at = self.put(raw)
        ahead = [at - 4 * i - place for i, place in enumerate(places)]
        self._tail = struct.pack(f"<{len(places)}I", *ahead) + self._tail[len(raw) :]
        return self.put(struct.pack("<I", len(places)))

    def table(self, fields: dict[int, bytes | int]) -> int:
        """Prepend a table; a field is an inline scalar (bytes) or the place it refers to (int)."""
        size = 4 + 4 * len(fields)
        at = self.put(bytes(size))
        slots = [0] * (max(fields, default=-1) + 1)
        inline = b""
        for slot, value in fields.items():
            offset = 4 + len(inline)
            slots[slot] = offset
            raw = value if isinstance(value, bytes) else struct.pack("<I", at - offset - value)
            inline += raw.ljust(4, b"\0")
        vtable = struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), size, *slots)
        vtable_at = self.put(vtable)
        rest = self._tail[vtable_at - at + 4 + len(inline) :]
        head = self._tail[: vtable_at - at]
        self._tail = head + struct.pack("<i", vtable_at - at) + inline + rest
        return at

    def finish(self, root: int, identifier: bytes) -> bytes:
        """Return the whole file."""
        total = len(self._tail) + 8
        total += -total % 16
        head = struct.pack("<I", total - root) + identifier
        return head + bytes(total - len(self._tail) - 8) + self._tail


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
