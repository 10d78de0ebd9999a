"""The table of events: CSV, or Parquet with the extra ``parquet``."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from detector.core.errors import DetectorError
from detector.scan.result import FileResult, HeardSound
from detector.scan.walltime import wall_time
from detector.scan.whole import written_whole

TEXT, NUMBER, TRUTH = "string", "float64", "bool"
COLUMNS: Mapping[str, str] = {
    "file": TEXT,
    "sound": TEXT,
    "onset_s": NUMBER,
    "offset_s": NUMBER,
    "duration_s": NUMBER,
    "onset": TEXT,
    "offset": TEXT,
    "confirmed": TRUTH,
    "probability": NUMBER,
    "peak_probability": NUMBER,
    "threshold": NUMBER,
    "calibrated": TRUTH,
    "level_dbfs": NUMBER,
    "urgency": TEXT,
    "reason": TEXT,
    "why": TEXT,
    "classes": TEXT,
}
"""Names and kinds; a value that is not known is empty."""
SUFFIXES = {"csv": ".csv", "parquet": ".parquet"}
"""By format."""
_BATCH = 10_000

Row = dict[str, Any]


def rows(result: FileResult) -> Iterator[Row]:
    """A row for each sound; times of day where the name of the file says when it began."""
    began = wall_time(result.path.stem)
    file = printable(result.path)
    for sound in result.sounds:
        yield {"file": file, **_row(sound)} | {
            name: None
            if began is None or seconds is None
            else (began + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
            for name, seconds in (("onset", sound.onset_s), ("offset", sound.offset_s))
        }


def printable(path: Path) -> str:
    """Its name, with what is no text in it escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def check_format(name: str) -> None:
    """Raise DetectorError where a format needs what is not installed."""
    if name == "parquet":
        _pyarrow()


def write_table(path: Path, name: str, results: Iterable[FileResult]) -> int:
    """Write all their sounds in a format, whole or not at all; returns how many there are.

    Raises DetectorError where it cannot be written.
    """
    write = _write_parquet if name == "parquet" else _write_csv
    with written_whole(path) as draft:
        return write(draft, chain.from_iterable(map(rows, results)))


def _row(sound: HeardSound) -> Row:
    row: Row = {name: getattr(sound, name, None) for name in COLUMNS if name != "file"}
    if sound.offset_s is not None:
        row["duration_s"] = round(sound.offset_s - sound.onset_s, 3)
    row["classes"] = "; ".join(f"{name} {score:.2f}" for name, score in sound.classes)
    return row


def _write_csv(path: Path, every: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for count, row in enumerate(every, 1):  # noqa: B007 - their number is the result
            writer.writerow([_cell(row[name]) for name in COLUMNS])
    return count


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _write_parquet(path: Path, every: Iterable[Row]) -> int:
    pyarrow, parquet = _pyarrow()
    schema = pyarrow.schema(list(COLUMNS.items()))
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        rest = iter(every)
        while batch := list(islice(rest, _BATCH)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DetectorError(
            "Parquet needs the extra `parquet`: pip install 'sound-event-detector[parquet]'"
        ) from error
    return pa, parquet
