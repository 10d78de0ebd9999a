"""A model file's bytes, checked as far as can be without an interpreter.

``ai-edge-litert`` verifies a model before it runs it; ``tflite-runtime`` does not, and dies of a
segmentation fault on most damaged files.  So whatever can be seen from outside is looked at here,
and the bytes that were checked are the bytes that are run: the file is read once, and may be
replaced or overwritten under a running service without harm.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import ModelError

MAX_MODEL_BYTES = 256 * 1024 * 1024
"""Larger than any classifier for a small machine; keeps a wrong path from filling memory."""

_IDENTIFIER = b"TFL3"
_IDENTIFIER_AT = 4


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The checked content of a model file. Immutable."""

    path: Path
    content: bytes
    sha256: str
    """Of the content, hexadecimal."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_model_file(path: Path, *, sha256: str | None = None) -> ModelFile:
    """Read a TFLite file whole.

    ``sha256``, where given, is the only content that is accepted.
    Raises ModelError where the file is absent, unreadable, another content or no TFLite model.
    """
    content = _read(path)
    if content[_IDENTIFIER_AT : _IDENTIFIER_AT + len(_IDENTIFIER)] != _IDENTIFIER:
        raise ModelError(f"{path}: not a TFLite model (no TFL3 mark at byte 4)")
    actual = hashlib.sha256(content).hexdigest()
    if sha256 is not None and actual != sha256:
        raise ModelError(f"{path}: its SHA-256 is {actual}, but model.sha256 asks for {sha256}")
    return ModelFile(path, content, actual)


def _read(path: Path) -> bytes:
    try:
        _require_file(path)
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror or error}") from error


def _require_file(path: Path) -> None:
    """Raise ModelError for what cannot be a model file, OSError where it cannot be looked at."""
    if path.is_dir():
        raise ModelError(f"{path}: is a folder, not a model file")
    size = path.stat().st_size
    if not path.is_file():
        raise ModelError(f"{path}: is not a regular file")
    if size == 0:
        raise ModelError(f"{path}: is empty, not a model file")
    if size > MAX_MODEL_BYTES:
        raise ModelError(f"{path}: {size} bytes, more than the {MAX_MODEL_BYTES} of any model")
