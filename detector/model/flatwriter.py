"""Small TFLite files, written byte by byte."""

import struct
from collections.abc import Sequence

from detector.core.recognition import Array
from detector.model.graph import FULLY_CONNECTED


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


def product_model(shares: Array, offset: Array) -> bytes:
    """A model of one layer: a float32 row, (1, n), times shares, (m, n), and the offset, (m,).

    More rows may be given at once: whoever loads it resizes its input.
    """
    writer = FlatWriter()
    bands, bins = shares.shape
    constants = [one.astype("<f4").tobytes() for one in (shares, offset)]
    buffers = [writer.table({})]
    buffers += [writer.table({0: writer.vector(raw, len(raw), 16)}) for raw in constants]
    shapes = (((1, bins), 0), ((bands, bins), 1), ((bands,), 2), ((1, bands), 0))
    tensors = [
        writer.table({0: writer.ints(shape), 2: struct.pack("<I", buffer)})
        for shape, buffer in shapes
    ]
    layer = writer.table({1: writer.ints([0, 1, 2]), 2: writer.ints([3])})
    graph: dict[int, bytes | int] = {
        0: writer.offsets(tensors),
        1: writer.ints([0]),
        2: writer.ints([3]),
        3: writer.offsets([layer]),
    }
    code = {0: struct.pack("<b", FULLY_CONNECTED), 3: struct.pack("<i", FULLY_CONNECTED)}
    root: dict[int, bytes | int] = {
        0: struct.pack("<I", 3),
        1: writer.offsets([writer.table({**code})]),
        2: writer.offsets([writer.table(graph)]),
        4: writer.offsets(buffers),
    }
    return writer.finish(writer.table(root), b"TFL3")
