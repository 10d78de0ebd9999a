"""Small models of steps, written byte by byte: no TensorFlow is needed to test how they are run.

The graph tells of every step the logistic of the mean of its eight rows' first bands less a floor,
plus what its state holds; the state after is the mean of the last rows.  So scores follow the
audio, and what came before shows.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.recognition import Array
from detector.model.flatwriter import FlatWriter
from detector.model.stepfile import packed

FULLY_CONNECTED, LOGISTIC, RESHAPE, ADD = 9, 14, 22, 0
FLOAT32, INT32 = 0, 2
ROWS, BANDS, STEPS = 54, 64, 3


def document(sounds: Sequence[str], /, **changed: Any) -> dict[str, Any]:
    """What stands in ``crnn.json``; as it is to be, but for ``changed``."""
    telling = {"slope": 1.0, "offset": 0.0, "threshold": 0.6, "release_threshold": 0.3}
    return {
        "format": "detector-crnn", "version": 1, "steps": STEPS, "window_steps": 12,
        "hop_seconds": 0.48, "sounds": dict.fromkeys(sounds, telling), "provenance": {},
    } | changed  # fmt: skip


def step_file(
    path: Path, labels: Sequence[str], /, *, weights: Array | None = None, **changed: Any
) -> Path:
    """A whole file that tells these sounds."""
    given = loudness_weights(len(labels)) if weights is None else weights
    path.write_bytes(packed(step_graph(given), tuple(labels), document(labels, **changed)))
    return path


def loudness_weights(sounds: int, band: int = 40) -> Array:
    """The first sound is a tone in a band; the others are never there. Shape (sounds, rows, 64)."""
    weights = np.zeros((STEPS, sounds, ROWS, BANDS), np.float32)
    for step in range(STEPS):
        weights[step, 0, 8 * step : 8 * step + 8, band - 1 : band + 2] = 1.0 / 8.0
    return weights


def step_graph(weights: Array, *, logistic: int = LOGISTIC) -> bytes:
    """A graph that weighs all rows of a call for each step's sounds, and adds its state's sum."""
    steps, sounds, rows, bands = weights.shape
    count = steps * sounds
    shares = weights.reshape(count, rows * bands)
    bias = np.full(count, 2.0, np.float32)
    state = np.zeros((2, rows * bands), np.float32)
    state[0, -1] = 1.0
    held = np.zeros((count, 2), np.float32)
    held[:, 0] = 0.001
    constants: Mapping[int, bytes] = {
        1: np.array([1, rows * bands], "<i4").tobytes(),
        2: shares.astype("<f4").tobytes(),
        3: bias.astype("<f4").tobytes(),
        4: state.astype("<f4").tobytes(),
        5: np.array([1, steps, sounds], "<i4").tobytes(),
        6: held.astype("<f4").tobytes(),
    }
    tensors = [  # shape, type, buffer
        ([1, rows, bands], FLOAT32, 0), ([1, 2], FLOAT32, 0),
        ([2], INT32, 1), ([count, rows * bands], FLOAT32, 2), ([count], FLOAT32, 3),
        ([2, rows * bands], FLOAT32, 4), ([3], INT32, 5), ([count, 2], FLOAT32, 6),
        ([1, rows * bands], FLOAT32, 0), ([1, count], FLOAT32, 0), ([1, count], FLOAT32, 0),
        ([1, count], FLOAT32, 0), ([1, count], FLOAT32, 0),
        ([1, steps, sounds], FLOAT32, 0), ([1, 2], FLOAT32, 0),
    ]  # fmt: skip
    operators = [
        (RESHAPE, [0, 2], 8), (FULLY_CONNECTED, [8, 3, 4], 9), (FULLY_CONNECTED, [1, 7, -1], 10),
        (ADD, [9, 10], 11), (logistic, [11], 12), (RESHAPE, [12, 6], 13),
        (FULLY_CONNECTED, [8, 5, -1], 14),
    ]  # fmt: skip
    return _graph(tensors, operators, constants, inputs=[0, 1], outputs=[13, 14])


def _graph(
    tensors: Sequence[tuple[Sequence[int], int, int]],
    operators: Sequence[tuple[int, Sequence[int], int]],
    constants: Mapping[int, bytes],
    *,
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    writer = FlatWriter()
    buffers = [writer.table({})]
    for _, raw in sorted(constants.items()):
        buffers.append(writer.table({0: writer.vector(raw, len(raw), 16)}))
    made = [
        writer.table(
            {0: writer.ints(shape), 1: struct.pack("<b", kind), 2: struct.pack("<I", buffer)}
        )
        for shape, kind, buffer in tensors
    ]
    codes = list(dict.fromkeys(code for code, _, _ in operators))
    steps = [
        writer.table(
            {
                0: struct.pack("<I", codes.index(code)),
                1: writer.ints(takes),
                2: writer.ints([gives]),
            }
        )
        for code, takes, gives in operators
    ]
    graph: dict[int, bytes | int] = {
        0: writer.offsets(made),
        1: writer.ints(inputs),
        2: writer.ints(outputs),
        3: writer.offsets(steps),
    }
    tables = [
        writer.table({0: struct.pack("<b", min(code, 127)), 3: struct.pack("<i", code)})
        for code in codes
    ]
    root: dict[int, bytes | int] = {
        0: struct.pack("<I", 3),
        1: writer.offsets(tables),
        2: writer.offsets([writer.table(graph)]),
        4: writer.offsets(buffers),
    }
    return writer.finish(writer.table(root), b"TFL3")


def as_json(sounds: Sequence[str], /, **changed: Any) -> str:
    """The document as text."""
    return json.dumps(document(sounds, **changed))
