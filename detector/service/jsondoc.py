"""A JSON document from outside, read value by value: what is wrong is told by file and key."""

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ConfigError, Problem
from detector.core.recognition import Array

LARGEST = 1e6
"""Numbers beyond are no weights; it keeps sums of them far from overflow."""
_DTYPES = {"float16": "<f2", "float32": "<f4"}


class Value:
    """A value of a document, which knows where it stands. Immutable.

    Every method raises ConfigError, with one problem, where the value is not what was asked for.
    """

    def __init__(self, where: str, key: str, raw: Any) -> None:
        self.where = where
        self.key = key
        self.raw = raw

    def fail(self, message: str) -> NoReturn:
        """Raise the ConfigError that says what is wrong with this value."""
        raise ConfigError([Problem(self.where, self.key, message)])

    def field(self, name: str) -> "Value":
        """What a mapping has under a name."""
        found = self.optional(name)
        if found is None:
            key = f"{self.key}.{name}" if self.key else name
            raise ConfigError([Problem(self.where, key, "is missing")])
        return found

    def optional(self, name: str) -> "Value | None":
        """The same; None for what is not there, or is null."""
        if not isinstance(self.raw, dict):
            self.fail(f"{_shown(self.raw)} is not a mapping")
        value = self.raw.get(name)
        key = f"{self.key}.{name}" if self.key else name
        return None if value is None else Value(self.where, key, value)

    def items(self) -> list["Value"]:
        """What a list holds; never nothing."""
        if not isinstance(self.raw, list) or not self.raw:
            self.fail(f"{_shown(self.raw)} is not a list with something in it")
        return [Value(self.where, f"{self.key}[{i}]", one) for i, one in enumerate(self.raw)]

    def text(self) -> str:
        """A text."""
        if not isinstance(self.raw, str):
            self.fail(f"{_shown(self.raw)} is not a text")
        return self.raw

    def matching(self, pattern: str, means: str) -> str:
        """A text, the whole of which matches a pattern; ``means`` says so to a person."""
        if not re.fullmatch(pattern, self.text()):
            self.fail(f"{_shown(self.raw)} is not {means}")
        return self.text()

    def one_of(self, choices: Sequence[str]) -> str:
        """One of these texts."""
        if self.raw not in choices:
            self.fail(f"{_shown(self.raw)} is none of {', '.join(choices)}")
        return str(self.raw)

    def number(self, least: float = -LARGEST) -> float:
        """A number that is neither below ``least`` nor beyond all use."""
        value = self.raw
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{_shown(value)} is not a number")
        if not least <= value <= LARGEST:
            self.fail(f"{_shown(value)} is not between {least:g} and {LARGEST:g}")
        return float(value)

    def whole(self, least: int = 0) -> int:
        """A whole number."""
        if self.number(least) != self.raw or isinstance(self.raw, float):
            self.fail(f"{_shown(self.raw)} is not a whole number")
        return int(self.raw)

    def numbers(self) -> NDArray[np.float64]:
        """A list of numbers, shape (n,)."""
        return np.array([one.number() for one in self.items()], np.float64)

    def array(self, dimensions: int) -> Array:
        """Numbers that are packed: ``shape``, ``dtype`` and, in base64, their bytes."""
        shape = tuple(one.whole(1) for one in self.field("shape").items())
        if len(shape) != dimensions:
            self.field("shape").fail(f"has {len(shape)} dimensions instead of {dimensions}")
        dtype = np.dtype(_DTYPES[self.field("dtype").one_of(list(_DTYPES))])
        packed = self.field("base64")
        raw = packed.unpacked()
        if len(raw) != math.prod(shape) * dtype.itemsize:
            packed.fail(f"holds {len(raw)} bytes, but {list(shape)} of {dtype} are not that many")
        numbers = np.frombuffer(raw, dtype).astype(np.float32).reshape(shape)
        if not (np.abs(numbers) <= LARGEST).all():
            packed.fail(f"holds numbers that are none, or beyond {LARGEST:g}")
        return numbers

    def unpacked(self) -> bytes:
        """The bytes of a text in base64."""
        try:
            return base64.b64decode(self.text(), validate=True)
        except (binascii.Error, ValueError):
            self.fail("is not base64")


def read_document(where: str, content: bytes) -> Value:
    """A whole JSON document; ``where`` names its file. Raises ConfigError for what is none."""
    try:
        value = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise ConfigError([Problem(where, "", f"is not JSON: {reason}")]) from None
    return Value(where, "", value)


def packed(numbers: NDArray[Any], dtype: str = "float16") -> dict[str, Any]:
    """What ``Value.array`` reads: numbers of any shape in ``float16`` or ``float32``."""
    raw = np.ascontiguousarray(numbers, _DTYPES[dtype])
    text = base64.b64encode(raw.tobytes()).decode("ascii")
    return {"shape": list(raw.shape), "dtype": dtype, "base64": text}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:40]}…"
