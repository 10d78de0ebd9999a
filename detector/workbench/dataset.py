"""Labelled recordings, in the ways that people keep them.

A folder per sound: ``DATA/<sound>/[<group>/]<file>``.  A manifest: a CSV with the columns ``path``
and ``label``, and where they are known ``group``, ``seconds``, ``licence`` and ``source``.  Strong
labels: a TSV with ``filename``, ``onset``, ``offset`` and ``event_label`` (DCASE), or a label track
beside each file, ``a.txt`` beside ``a.wav`` (Audacity).

A *group* is what recordings have in common that makes them alike: a baby, a dog, a device, a
session.  It never stands on both sides of a split.
"""

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from detector.core.errors import DataError
from detector.workbench.labels import Meaning, meaning

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_UNREAD_SUFFIXES = (".m4a", ".aac", ".mp4", ".3gp", ".amr", ".wma", ".opus", ".aiff", ".webm")
"""What telephones record: silently without them, a sound would lack half of its days."""
_MANIFESTS = ("MANIFEST.csv", "manifest.csv")
_MARK_PATTERN = r"sha256:[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class LabelledSound:
    """A sound whose beginning and end somebody has marked, in seconds of its recording."""

    onset_s: float
    offset_s: float
    sound: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, and what is known of it."""

    path: Path
    group: str
    label: str | None
    """What it holds somewhere in it; None where ``events`` tell exactly."""
    events: tuple[LabelledSound, ...] = ()
    licence: str = ""
    seconds: float | None = None
    """Its length, where that is known without decoding it."""
    source: str = ""
    """Where it comes from, for the sake of whoever made it."""

    @property
    def is_strong(self) -> bool:
        """Whether its labels have times; then it holds nothing else."""
        return self.label is None

    @property
    def meaning(self) -> Meaning:
        """What its label means; of a strong one, its background."""
        return meaning(self.label if self.label is not None else "strongly labelled")


def read_dataset(data: Path) -> tuple[Recording, ...]:
    """All recordings of a folder, a manifest or a TSV, in a fixed order.

    Raises DataError where nothing is there, a table lacks a column, or a file is not there.
    """
    recordings = _read(data)
    if not recordings:
        raise DataError(
            f"{data} holds no recordings: give a folder per sound, a manifest CSV with the columns "
            f"path and label, or a TSV with filename, onset, offset, event_label"
        )
    _check_files(recordings)
    return tuple(sorted(recordings, key=lambda recording: str(recording.path)))


def read_tags(data: Path, column: str) -> Mapping[Path, str]:
    """What a column of a manifest says of its recordings; those of which it says nothing are left.

    Raises DataError where there is no manifest, or it lacks the column.
    """
    table = next((data / name for name in _MANIFESTS if (data / name).is_file()), data)
    if not table.is_file() or table.suffix.lower() != ".csv":
        raise DataError(f"{data} has no column {column}: only a manifest (.csv) has columns")
    rows = _rows(table, ("path", column), ",")
    return {table.parent / row["path"]: row[column] for _, row in rows if row[column].strip()}


def by_sound(recordings: Iterable[Recording]) -> Mapping[str, tuple[Recording, ...]]:
    """Recordings by the sounds that are labelled in them."""
    found: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        for sound in sounds_of(recording):
            found[sound].append(recording)
    return {sound: tuple(of_sound) for sound, of_sound in found.items()}


def sounds_of(recording: Recording) -> tuple[str, ...]:
    """The sounds that are labelled in a recording."""
    if recording.is_strong:
        return tuple(sorted({event.sound for event in recording.events}))
    return (recording.meaning.sound,)


def groups_of(recordings: Iterable[Recording]) -> tuple[str, ...]:
    """The groups that they are of."""
    return tuple(sorted({recording.group for recording in recordings}))


def group_mark(group: str) -> str:
    """What a group is called where it is published: a short hash, since its name may be somebody's.

    The name of a dog, or the number of a telephone's installation.  Whoever has the recordings can
    still tell whether they were learnt from.  A mark's own mark is itself.
    """
    if re.fullmatch(_MARK_PATTERN, group):
        return group
    return f"sha256:{sha256(group.encode()).hexdigest()[:12]}"


def _read(data: Path) -> list[Recording]:
    if not data.exists():
        raise DataError(f"{data} is not there")
    if data.is_file():
        return _read_table(data)
    for name in _MANIFESTS:
        if (data / name).is_file():
            return _read_table(data / name)
    tables = sorted(data.glob("*.tsv"))
    if tables:
        return [recording for table in tables for recording in _read_table(table)]
    return _read_folder(data)


def _read_table(path: Path) -> list[Recording]:
    readers = {".csv": _read_manifest, ".tsv": _read_dcase}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is not a folder, a manifest (.csv) or strong labels (.tsv)")
    return reader(path)


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> list[tuple[int, dict[str, str]]]:
    """The table's rows with their line numbers. Raises DataError for a column that it lacks."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    lacking = [column for column in columns if column not in (reader.fieldnames or ())]
    if lacking:
        raise DataError(
            f"{path} lacks the column {lacking[0]}: its first line must name {', '.join(columns)}"
        )
    return [(reader.line_num, {k: v or "" for k, v in row.items() if k}) for row in reader]


def _read_manifest(path: Path) -> list[Recording]:
    recordings = []
    for line, row in _rows(path, ("path", "label"), ","):
        if not row["path"] or not row["label"]:
            raise DataError(f"{path}:{line}: path and label must not be empty")
        file = path.parent / row["path"]
        seconds = _number(row["seconds"], f"{path}:{line}: seconds") if row.get("seconds") else None
        group = row.get("group") or _group_of(file)
        licence = row.get("licence") or row.get("license") or ""
        source = row.get("source") or ""
        recordings.append(Recording(file, group, row["label"], (), licence, seconds, source))
    return recordings


def _read_dcase(path: Path) -> list[Recording]:
    """A file with empty times and label holds nothing."""
    events: dict[str, list[LabelledSound]] = {}
    for line, row in _rows(path, ("filename", "onset", "offset", "event_label"), "\t"):
        of_file = events.setdefault(row["filename"], [])
        if row["event_label"]:
            span = (row["onset"], row["offset"])
            of_file.append(_labelled(span, row["event_label"], f"{path}:{line}"))
    return [
        Recording(path.parent / name, _group_of(path.parent / name), None, _in_order(of_file))
        for name, of_file in events.items()
    ]


def _read_folder(folder: Path) -> list[Recording]:
    return [_file_in_folder(path, folder) for path in audio_files(folder)]


def audio_files(folder: Path) -> list[Path]:
    """All recordings in a folder and below it; raises DataError for one of a kind not read."""
    paths = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    for path in paths:
        if path.suffix.lower() in _UNREAD_SUFFIXES:
            raise DataError(
                f"{path} is in a format that is not read: make WAV, FLAC, OGG or MP3 of it, as by "
                f"ffmpeg -i {path.name} {path.stem}.flac"
            )
    return [path for path in paths if path.suffix.lower() in AUDIO_SUFFIXES]


def _file_in_folder(path: Path, folder: Path) -> Recording:
    track = path.with_suffix(".txt")
    if track.is_file():
        return Recording(path, _group_of(path), None, _read_label_track(track))
    inside = path.relative_to(folder).parts[:-1]
    if not inside:
        raise DataError(
            f"{path} has no label: put it into a folder named as its sound, or a label track "
            f"{track.name} beside it"
        )
    alone = path.stem if "__" not in path.stem else None
    named = inside[1] if len(inside) > 1 else alone
    return Recording(path, _group_of(path) if named is None else f"{inside[0]}/{named}", inside[0])


def _group_of(path: Path) -> str:
    """Without better knowledge a file is a group of its own; ``rex__3.wav`` is of ``rex``."""
    return path.stem.split("__")[0] if "__" in path.stem else path.stem


def _read_label_track(path: Path) -> tuple[LabelledSound, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("\\"):  # the frequencies of a spectral selection
            continue
        onset, _, rest = line.partition("\t")
        offset, _, label = rest.partition("\t")
        if not label.strip():
            raise DataError(f"{path}:{number}: not a label of Audacity: begin, end and name")
        found.append(_labelled((onset, offset), label, f"{path}:{number}"))
    return _in_order(found)


def _labelled(span: tuple[str, str], label: str, where: str) -> LabelledSound:
    onset_s, offset_s = (_number(text, where) for text in span)
    if offset_s < onset_s:
        raise DataError(f"{where}: {label} ends at {offset_s:g} s, before it begins")
    return LabelledSound(onset_s, offset_s, meaning(label).sound)


def _in_order(events: Iterable[LabelledSound]) -> tuple[LabelledSound, ...]:
    return tuple(sorted(events, key=lambda event: (event.onset_s, event.offset_s, event.sound)))


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise DataError(f"{where}: {text!r} is not a number of seconds from 0")
    return value


def _check_files(recordings: Sequence[Recording]) -> None:
    gone = [recording.path for recording in recordings if not recording.path.is_file()]
    if gone:
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise DataError(
            f"{gone[0]} is not there{more}; paths in a table are relative to its own folder"
        )
