"""The table of events, in both formats."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.core.errors import DetectorError
from detector.scan.result import FileResult
from detector.scan.table import COLUMNS, write_table
from tests.scan.test_journal import SOUND

POSSIBLE = replace(SOUND, sound="alarm", confirmed=False, offset_s=None, reason=None)
DATED = FileResult(Path("a/20261121_235959.wav"), 4.0, (SOUND,))
UNDATED = FileResult(Path('a/odd "name",\udcff\n.wav'), 4.0, (SOUND, POSSIBLE))


def read_csv(path: Path) -> list[dict[str, str]]:
    """As anybody would."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_there_is_a_row_for_each_sound(tmp_path: Path) -> None:
    """With times of day where the name of the file tells them."""
    path = tmp_path / "a.csv"
    assert write_table(path, "csv", [DATED, UNDATED]) == 3
    first, second, third = read_csv(path)
    assert list(first) == list(COLUMNS)
    assert (first["file"], first["sound"]) == ("a/20261121_235959.wav", "knock")
    assert (first["onset_s"], first["offset_s"], first["duration_s"]) == ("1.0", "2.0", "1.0")
    assert first["onset"] == "2026-11-22T00:00:00.000"
    assert first["offset"] == "2026-11-22T00:00:01.000"
    assert (first["confirmed"], first["calibrated"]) == ("true", "false")
    assert first["classes"] == "knock 0.90; ring 0.10"
    assert (second["onset"], second["offset"]) == ("", "")
    assert second["file"] == 'a/odd "name",\\udcff\n.wav'
    assert [third[name] for name in ("confirmed", "offset_s", "duration_s", "reason")] == [
        "false",
        "",
        "",
        "",
    ]


def test_parquet_has_the_same(tmp_path: Path) -> None:
    """With numbers as numbers, and nothing as nothing."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    assert write_table(path, "parquet", [DATED, UNDATED]) == 3
    found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    assert list(found[0]) == list(COLUMNS)
    assert (found[0]["onset_s"], found[0]["confirmed"]) == (1.0, True)
    assert (found[2]["offset_s"], found[2]["reason"], found[2]["confirmed"]) == (None, None, False)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_a_row_has_its_columns(tmp_path: Path, form: str) -> None:
    """So that whatever reads it need not ask."""
    path = tmp_path / "a"
    assert write_table(path, form, []) == 0
    if form == "csv":
        assert path.read_text() == ",".join(COLUMNS) + "\n"
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        assert parquet.read_table(path).column_names == list(COLUMNS)


def test_a_table_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    """Whatever happens while it is written."""
    path = tmp_path / "a.csv"
    write_table(path, "csv", [DATED])
    before = path.read_bytes()

    def broken() -> Iterator[FileResult]:
        yield UNDATED
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, "csv", broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(DetectorError, match=r"a\.csv cannot be written: No such file"):
        write_table(tmp_path / "absent" / "a.csv", "csv", [])
