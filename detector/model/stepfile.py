"""The file of a model of steps: a TFLite graph with labels and what is to be known of it packed in.

The zip archive at the end of the file holds ``labels.txt``, a label a line, and ``crnn.json``::

    {"format": "detector-crnn", "version": 1,
     "steps": steps of 80 ms that a call tells, "window_steps": of an observation,
     "hop_seconds": the hop that the curves were fitted for,
     "sounds": {"baby_cry": {"slope": …, "offset": …, "threshold": …, "release_threshold": …}, …},
     "provenance": {"data": […], "groups": […], "split": …, "date": …, "figures": …}}

Labels are names of sounds.  What this version does not know is passed over.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from detector.core.errors import ModelError
from detector.core.recognition import STEP_S, Telling

ENTRY, LABELS_ENTRY = "crnn.json", "labels.txt"
FORMAT, VERSION = "detector-crnn", 1
_MOST_BYTES = 4 * 1024 * 1024
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What stands in ``crnn.json``."""

    steps: int
    """That a call of the graph tells."""
    window_steps: int
    """Of an observation."""
    hop_s: float
    """That the curves were fitted for."""
    tellings: Mapping[str, Telling]
    """By sound."""
    provenance: Mapping[str, Any]


def step_facts(path: Path, content: bytes) -> StepFacts | None:
    """What the file of a model of steps says of itself; None of any other model.

    Raises ModelError where it is one, but cannot be understood.
    """
    try:
        text = _entry(content)
        return None if text is None else _facts(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path}: {ENTRY} in it is damaged: {reason}") from error


def packed(
    graph: bytes, labels: tuple[str, ...], document: Mapping[str, Any], *, entry: str = ENTRY
) -> bytes:
    """A graph with its labels and what is to be known of it; the same for the same."""
    file = io.BytesIO()
    file.write(graph)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            (LABELS_ENTRY, "".join(f"{label}\n" for label in labels)),
            (entry, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return file.getvalue()


def _entry(content: bytes) -> str | None:
    """The document's text; None of a file that holds none. Raises ValueError for one unreadable."""
    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        return None
    try:
        archive = zipfile.ZipFile(file)
    except Exception:  # noqa: BLE001 # whoever reads the labels says what is wrong with the archive
        return None
    entry = archive.NameToInfo.get(ENTRY)
    if entry is None:
        return None
    if entry.file_size > _MOST_BYTES:
        raise ValueError(f"{entry.file_size} bytes, more than {_MOST_BYTES}")
    try:
        with archive.open(entry) as opened:
            return opened.read(entry.file_size + 1).decode("utf-8")
    except Exception as error:  # zipfile and zlib raise many kinds
        raise ValueError(f"it cannot be read: {error}") from error


def _facts(document: dict[str, Any]) -> StepFacts:
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"it is {document['format']} {document['version']}, not {FORMAT} {VERSION}"
        )
    facts = StepFacts(
        _count(document["steps"]),
        _count(document["window_steps"]),
        _number(document["hop_seconds"], 0.01, 3600.0),
        _tellings(document),
        MappingProxyType(dict(document.get("provenance", {}))),
    )
    if facts.window_steps % facts.steps or not _is_whole(facts.hop_s / STEP_S / facts.steps):
        raise ValueError("window and hop are not so many calls")
    if facts.hop_s > facts.window_steps * STEP_S + 1e-9:
        raise ValueError("the hop is longer than the window")
    return facts


def _tellings(document: dict[str, Any]) -> Mapping[str, Telling]:
    hop_s = _number(document["hop_seconds"], 0.01, 3600.0)
    sounds = document["sounds"].items()
    return MappingProxyType({str(name): _telling(one, hop_s) for name, one in sounds})


def _telling(document: dict[str, Any], hop_s: float) -> Telling:
    threshold = _number(document["threshold"], 0.0, 1.0)
    return Telling(
        _number(document["slope"], 1e-3, 1e3),
        _number(document["offset"], -1e3, 1e3),
        threshold,
        _number(document["release_threshold"], 0.0, threshold),
        hop_s,
    )


def _count(value: object) -> int:
    if not isinstance(value, int) or not 1 <= value <= _MOST_STEPS:
        raise ValueError(f"{value!r} steps")
    return value


def _number(value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    if not least <= value <= most:
        raise ValueError(f"{value!r} is not from {least:g} to {most:g}")
    return float(value)


def _is_whole(value: float) -> bool:
    return value > 0.5 and abs(value - round(value)) < 1e-6
