"""Tiny models, and files that are nothing but their labels, for the tests of recognising."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.model.tools import append_labels, slicing_model


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny model: ``labels`` as text entries, the rest as ``slicing_model`` takes it."""

    def make(*, labels: dict[str, str] | None = None, **shape: int | Sequence[int]) -> Path:
        path = tmp_path / f"tiny{len(list(tmp_path.iterdir()))}.tflite"
        path.write_bytes(slicing_model(**shape))  # type: ignore[arg-type] # passed through
        append_labels(path, {"labels.txt": "knock\nring\ncry\n"} if labels is None else labels)
        return path

    return make


@pytest.fixture
def with_labels(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Write a file that is nothing but its appended label lists."""

    def make(lists: dict[str, str]) -> Path:
        path = tmp_path / "model.tflite"
        path.write_bytes(b"\x1c\0\0\0TFL3, and then what an interpreter would read")
        append_labels(path, lists)
        return path

    return make
