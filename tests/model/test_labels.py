"""Class names out of the archive at a model file's end."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.core.errors import ModelError
from detector.model.labels import (
    MAX_LABEL_BYTES,
    choose_labels,
    label_lists,
    read_model_labels,
)
from detector.model.modelfile import read_model_file

WithLabels = Callable[[dict[str, str]], Path]

HEAD = b"\x1c\0\0\0TFL3 and what an interpreter would read"


def read_labels(path: Path, classes: int) -> tuple[str, ...]:
    """The list that fits, as a classifier reads it."""
    return choose_labels(path, label_lists(path, read_model_file(path).content), classes)


def test_labels_are_the_lines_of_the_appended_list(with_labels: WithLabels) -> None:
    """Order is kept, Windows line ends and a missing last line end do no harm."""
    path = with_labels({"labels.txt": "Knock\r\nRing, doorbell\r\nCry"})
    assert read_labels(path, 3) == ("Knock", "Ring, doorbell", "Cry")


def test_labels_keep_letters_beyond_ascii(with_labels: WithLabels) -> None:
    """Lists are UTF-8."""
    assert read_labels(with_labels({"labels.txt": "Türglocke\nδ\n"}), 2) == ("Türglocke", "δ")


def test_of_several_lists_the_one_that_fits_is_taken(with_labels: WithLabels) -> None:
    """Other text in the archive is passed over."""
    lists = {"one.txt": "x\n", "notes.md": "x\ny\n", "three.txt": "x\ny\nz\n", "two.txt": "a\nb\n"}
    path = with_labels(lists)
    assert read_labels(path, 2) == ("a", "b")


def test_wrong_count_names_every_count(with_labels: WithLabels) -> None:
    """The message says how many labels there are and how many there should be."""
    path = with_labels({"labels.txt": "a\nb\n", "other.txt": "a\n"})
    with pytest.raises(ModelError, match=r"5 classes: labels\.txt has 2, other\.txt has 1"):
        read_labels(path, 5)


def test_file_without_archive_is_refused(tmp_path: Path) -> None:
    """So is a file that was cut short: its archive was at the end."""
    path = tmp_path / "model.tflite"
    path.write_bytes(HEAD)
    with pytest.raises(ModelError, match=r"model\.tflite: label list missing"):
        read_labels(path, 3)


def test_archive_without_text_is_refused(with_labels: WithLabels) -> None:
    """An archive of other things holds no labels."""
    with pytest.raises(ModelError, match=r"label list missing: no \.txt"):
        read_labels(with_labels({"labels.csv": "a\nb\n"}), 2)


def test_damaged_list_is_refused(with_labels: WithLabels) -> None:
    """The archive's checksum covers the list."""
    path = with_labels({"labels.txt": "knock\nring\n"})
    path.write_bytes(path.read_bytes().replace(b"knock\nring", b"knack\nring"))
    with pytest.raises(ModelError, match=r"label list damaged: Bad CRC"):
        read_labels(path, 2)


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_archive_damaged_anywhere_is_called_so_or_still_read(method: int, tmp_path: Path) -> None:
    """There are many exceptions in zipfile and its decoders; each becomes one line."""
    path = tmp_path / "model.tflite"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("labels.txt", "knock\nring\ncry\n" * 10)
    whole, said = path.read_bytes(), set()
    for position in range(len(whole)):
        for value in (0x00, 0x4B, 0xFF):
            content = bytearray(whole)
            content[position] = value
            try:
                label_lists(path, bytes(content))
            except ModelError as error:
                said.add(str(error).split("label list ")[1].split(":")[0].split()[0])
    assert {"damaged", "missing"} <= said <= {"damaged", "missing", "of", "is"}


def test_list_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Guessing an encoding would give wrong names."""
    path = tmp_path / "model.tflite"
    path.write_bytes(HEAD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", b"caf\xe9\n")
    with pytest.raises(ModelError, match="label list damaged: 'utf-8'"):
        read_labels(path, 1)


def test_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A list that unpacks to more than a megabyte is refused by its declared size."""
    path = tmp_path / "model.tflite"
    path.write_bytes(HEAD)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", b"\n" * (MAX_LABEL_BYTES + 1))
    assert path.stat().st_size < 10_000
    with pytest.raises(ModelError, match=f"label list of {MAX_LABEL_BYTES + 1} bytes"):
        read_labels(path, MAX_LABEL_BYTES + 1)


def test_encrypted_list_is_refused(with_labels: WithLabels) -> None:
    """Nobody is asked for a password."""
    path = with_labels({"labels.txt": "a\nb\n"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag in the archive's directory
    path.write_bytes(content)
    with pytest.raises(ModelError, match="label list is encrypted"):
        read_labels(path, 2)


def test_absent_file_is_one_line(tmp_path: Path) -> None:
    """The path and the reason."""
    with pytest.raises(ModelError, match=r"nowhere: cannot read the model: No such file"):
        read_labels(tmp_path / "nowhere", 3)


def test_single_list_is_read_without_knowing_the_classes(with_labels: WithLabels) -> None:
    """To list them, no interpreter is needed."""
    assert read_model_labels(with_labels({"labels.txt": "a\nb\n"})) == ("a", "b")


def test_several_lists_are_not_guessed_between(with_labels: WithLabels) -> None:
    """Only the interpreter knows how many classes there are."""
    path = with_labels({"en.txt": "a\nb\n", "notes.txt": "a\n"})
    with pytest.raises(ModelError, match=r"2 label lists: en\.txt has 2, notes\.txt has 1"):
        read_model_labels(path)
