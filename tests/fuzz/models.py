"""Target: damaged models, through the interpreter, in the bounds that the product's trial sets."""

import os
import random
import signal
import struct
import time
from pathlib import Path

import numpy as np

from detector.core.audio import Samples
from detector.core.errors import ModelError
from detector.model.interpreter import Classifier
from detector.model.trial import MEMORY_BYTES, TRIAL_S, confine, exercise
from tests.fuzz.mutations import damaged_bytes, overwritten
from tests.fuzz.target import Target, require

_PASSED = b"p"
_REFUSED = b"r"
_NOT_FINITE = b"n"
_FAILED_LATER = b"f"
_DONE = b"d"


class Models(Target):
    """The trial passes a model or it does not; what it passes does no harm later.

    What a child came to is counted: refused by the interpreter, or crashed, hung and out of
    memory on trial, which the product tells as a refusal.  A crash after the trial is a failure,
    for it would have been the daemon's.
    """

    name = "models"
    usual_count = 2000
    patience_s = 3 * TRIAL_S
    address_space_mb = 8192

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "m.tflite"
        self._base = Path(os.environ["DETECTOR_MODEL"]).read_bytes()
        self._structure = structure_of(self._base)
        self._meanings = meanings_of(self._base)
        self._windows = _windows()
        Classifier(Path(os.environ["DETECTOR_MODEL"]))  # so that no child imports the runtime

    def make(self, rng: random.Random) -> bytes:
        """A model file, damaged where it is structure rather than weights, most of the time."""
        kind = rng.random()
        if kind < 0.4:
            return misunderstood(self._base, rng, self._meanings)
        if kind < 0.65:
            return overwritten(
                self._base, rng, rng.choice(self._structure), most=rng.choice((1, 2, 8))
            )
        if kind < 0.8:
            return overwritten(self._base, rng, range(8, len(self._base)), most=200)
        if kind < 0.9:  # shifts everything behind it; the labels at the end stay readable
            return damaged_bytes(self._base[: 1 << 21], rng, most=3) + self._base[1 << 21 :]
        return self._base[:8] + damaged_bytes(self._base[8:2000], rng) + self._base[2000:]

    def feed(self, made: bytes) -> bool:
        """Try it in a child, and then use it there for a while."""
        self._path.write_bytes(made)
        said, status = self._in_a_child()
        passed = said.startswith(_PASSED)
        how = "took too long" if status is None else _end(status)
        self.notes[_note(said, how, passed=passed)] += 1
        harmed = passed and not said.endswith((_DONE, _FAILED_LATER))
        require(not harmed, f"passed the trial, and then {how}")
        return passed

    def _in_a_child(self) -> tuple[bytes, int | None]:
        """What the child said, and how it ended; None: it was killed."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._live(writing)
        os.close(writing)
        status = _wait(child, 2 * TRIAL_S)
        with os.fdopen(reading, "rb") as pipe:
            return pipe.read(), status

    def _live(self, writing: int) -> None:
        """The child: never returns."""
        try:
            _be_quiet()
            confine(MEMORY_BYTES + 4 * len(self._base))
            os.write(writing, self._use(writing))
        except (ModelError, MemoryError):
            os.write(writing, _REFUSED)
        except BaseException as error:  # noqa: BLE001 - the parent tells
            os.write(writing, f"!{error!r}".encode())
        os._exit(0)

    def _use(self, writing: int) -> bytes:
        classifier = Classifier(self._path)
        exercise(classifier)
        os.write(writing, _PASSED)
        try:
            for window in self._windows:
                if not np.isfinite(classifier.scores(window[: classifier.window_samples])).all():
                    os.write(writing, _NOT_FINITE)
        except (ModelError, ValueError):
            return _FAILED_LATER
        return _DONE


def _note(said: bytes, how: str, *, passed: bool) -> str:
    if said.startswith(b"!"):
        raise RuntimeError(said.decode(errors="replace"))
    if said == _REFUSED:
        return "refused by the interpreter or by us"
    if not passed:
        return f"{how} on trial"
    if _NOT_FINITE in said:
        return "passed, and later gave scores that are no numbers"
    return "passed, and then failed in one line" if said.endswith(_FAILED_LATER) else "passed"


def _end(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"died of {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with code {os.WEXITSTATUS(status)}"


def _wait(child: int, patience_s: float) -> int | None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


def _windows() -> list[Samples]:
    """What a room may sound like, and what it may not."""
    rng = np.random.default_rng(1)
    time_s = np.arange(15_600) / 16_000
    sounds = [rng.normal(0.0, level, 15_600) for level in (1e-4, 0.01, 0.1, 1.0)]
    sounds += [np.sin(2 * np.pi * hz * time_s) for hz in (50, 440, 3100, 7900)]
    sounds += [np.zeros(15_600), np.ones(15_600), -np.ones(15_600), np.sign(np.sin(time_s * 3000))]
    return [np.clip(sound, -1.0, 1.0).astype(np.float32) for sound in sounds]


def structure_of(content: bytes) -> list[range]:
    """Where a TFLite file holds structure: all of it but the contents of its large buffers."""
    large = (place for place in _buffers(content) if len(place) > 256)
    holes = sorted(large, key=lambda place: place.start)
    parts, at = [], 8
    for hole in holes:
        if hole.start > at:
            parts.append(range(at, hole.start))
        at = max(at, hole.stop)
    return [*parts, range(at, len(content))]


def meanings_of(content: bytes) -> list[tuple[int, int]]:
    """Place and width of what a verifier of the structure alone cannot judge.

    Shapes, types, buffers, operators and which tensors they take and give (tables ``SubGraph``,
    ``Tensor`` and ``Operator``).
    """
    places: list[tuple[int, int]] = []
    for graph in _tables(content, _reference(content, 0), 2):
        places += _ints(content, graph, 1) + _ints(content, graph, 2)
        for tensor in _tables(content, graph, 0):
            places += _ints(content, tensor, 0) + _inline(content, tensor, (1, 1), (2, 4))
        for operator in _tables(content, graph, 3):
            places += _ints(content, operator, 1) + _ints(content, operator, 2)
            places += _inline(content, operator, (0, 4), (3, 1))
            if (at := _field(content, operator, 4)) is not None:
                options = _reference(content, at)
                places += _inline(content, options, *((i, 1) for i in range(6)))
    return places


def misunderstood(content: bytes, rng: random.Random, places: list[tuple[int, int]]) -> bytes:
    """The content with one to four of these changed to what could stand there as well."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, width = rng.choice(places)
        small = (
            rng.randint(-2, 130)
            if rng.random() < 0.8
            else rng.choice((1 << 20, -(1 << 31), 1 << 30))
        )
        data[at : at + width] = struct.pack("<q", small)[:width]
    return bytes(data)


def _tables(content: bytes, table: int, index: int) -> list[int]:
    at = _field(content, table, index)
    if at is None:
        return []
    start = _reference(content, at)
    return [_reference(content, start + 4 + 4 * i) for i in range(_number(content, start))]


def _ints(content: bytes, table: int, index: int) -> list[tuple[int, int]]:
    at = _field(content, table, index)
    if at is None:
        return []
    start = _reference(content, at)
    return [(start + 4 + 4 * i, 4) for i in range(_number(content, start))]


def _inline(content: bytes, table: int, *fields: tuple[int, int]) -> list[tuple[int, int]]:
    found = ((_field(content, table, index), width) for index, width in fields)
    return [(at, width) for at, width in found if at is not None]


def _buffers(content: bytes) -> list[range]:
    """Where the contents of its buffers stand (table ``Model``, field 4; ``Buffer``, field 0)."""
    tables = _tables(content, _reference(content, 0), 4)
    data = [_reference(content, at) for t in tables if (at := _field(content, t, 0)) is not None]
    return [range(at + 4, at + 4 + _number(content, at)) for at in data]


def _field(content: bytes, table: int, index: int) -> int | None:
    """Where a table's field stands; None where it is left out."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    size = struct.unpack_from("<H", content, vtable)[0]
    if 4 + 2 * index >= size:
        return None
    offset = struct.unpack_from("<H", content, vtable + 4 + 2 * index)[0]
    return table + int(offset) if offset else None


def _reference(content: bytes, at: int) -> int:
    return at + _number(content, at)


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", content, at)[0])
