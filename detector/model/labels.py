"""Class names, from the zip archive that is appended to a TFLite model file."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import ModelError
from detector.model.modelfile import read_model_file

MAX_LABEL_BYTES = 1024 * 1024
"""Of all label lists of a file together, unpacked: a zip bomb is not unpacked."""

_ENCRYPTED = 0x1
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others are unpacked whole, whatever the archive says of their size."""


@dataclass(frozen=True, slots=True)
class LabelList:
    """One text entry of the archive."""

    name: str
    """Of the entry, ``yamnet_label_list.txt``."""
    labels: tuple[str, ...]
    """Its lines in order."""


def read_model_labels(path: Path) -> tuple[str, ...]:
    """Class names of a model that has one label list, as nearly all have; no interpreter needed.

    Raises ModelError where it has none, or several: only its interpreter knows which fits.
    """
    lists = label_lists(path, read_model_file(path).content)
    if len(lists) > 1:
        raise ModelError(f"{path}: has {len(lists)} label lists: {_counts(lists)}")
    return lists[0].labels


def label_lists(path: Path, content: bytes) -> tuple[LabelList, ...]:
    """Read all label lists in the content of the model file ``path``, in archive order.

    Raises ModelError where there is none: the file has no archive at its end, as when it was
    cut short, or the archive is damaged or holds no text.
    """
    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        raise ModelError(
            f"{path}: label list missing: no zip archive at the end of the file; it is not a "
            f"complete classifier"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            return tuple(_read_entry(archive, entry) for entry in _text_entries(path, archive))
    except ModelError:
        raise
    except Exception as error:  # zipfile lets through what any decoder raises
        reason = str(error)[:200] or type(error).__name__  # it may quote the whole file
        raise ModelError(f"{path}: label list damaged: {reason}") from error


def choose_labels(path: Path, lists: Sequence[LabelList], classes: int) -> tuple[str, ...]:
    """Take the first list with one label for each of ``classes``. Raises ModelError."""
    for candidate in lists:
        if len(candidate.labels) == classes:
            return candidate.labels
    raise ModelError(f"{path}: no label list fits its {classes} classes: {_counts(lists)}")


def _counts(lists: Sequence[LabelList]) -> str:
    return ", ".join(f"{each.name} has {len(each.labels)}" for each in lists)


def _text_entries(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if entry.filename.endswith(".txt")]
    if not entries:
        raise ModelError(f"{path}: label list missing: no .txt in the archive at its end")
    size = sum(entry.file_size for entry in entries)
    if size > MAX_LABEL_BYTES:
        raise ModelError(
            f"{path}: label list of {size} bytes, more than the {MAX_LABEL_BYTES} that are read"
        )
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise ModelError(f"{path}: label list is encrypted")
    if any(entry.compress_type not in _PACKINGS for entry in entries):
        raise ModelError(f"{path}: label list is packed in a way that is not read; deflate it")
    return entries


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> LabelList:
    with archive.open(entry) as packed:  # never more than it says: it may be a bomb that lies
        text = packed.read(entry.file_size + 1).decode("utf-8")
    return LabelList(entry.filename, tuple(line.strip() for line in text.splitlines()))
