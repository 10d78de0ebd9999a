"""What was decided, read back: one entry for every event, from its beginning to its end."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.alerts.messages import Payload
from detector.alerts.store import DeliveryState, lenient_text
from detector.alerts.stored import event_of
from detector.core.errors import DetectorError
from detector.core.events import Phase

MOST = 5000
"""Entries that one question may bring."""
_BUSY_S = 5.0
_turn = threading.Lock()
"""One reader at a time: of one that closes a file that another connection of the process is in,
SQLite keeps the descriptor until the next one opens it, so that a crowd would leave one each."""

_ENDING = ("offset", "duration_s", "peak_probability", "reason")
"""What an end adds to the beginning."""
_OF_A_MESSAGE = ("schema_version", "event_type", "phase")
_WORST_FIRST = (
    DeliveryState.DROPPED,
    DeliveryState.REFUSED,
    DeliveryState.WAITING,
    DeliveryState.DELIVERED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which events."""

    sound: str | None = None
    since_unix_s: float | None = None
    """Those that began at this time or later."""
    until_unix_s: float | None = None
    """Those that began before."""
    limit: int = MOST
    """The newest ones, if there are more."""


def read_history(path: Path, question: Question) -> list[Payload]:
    """The events, oldest first; none where there is no such file.

    An entry has the fields of the event, ``confirmed``, which is false of a sound that was possible
    and no more, and ``delivery``: by sink, how it stands with the one of
    its messages that fared worst.

    Raises DetectorError where the file cannot be read.
    """
    try:
        if not path.exists():
            return []
        with _turn:
            rows = _rows(f"{path.absolute().as_uri()}?mode=ro", question)
    except (sqlite3.Error, OSError) as error:
        raise DetectorError(f"{path}: the history cannot be read: {error}") from error
    return _entries(rows)


def _rows(uri: str, question: Question) -> list[tuple[str, str, str | None, str | None]]:
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as db:
        db.text_factory = lenient_text
        return db.execute(*_select(question)).fetchall()


def _select(question: Question) -> tuple[str, list[Any]]:
    """Every (message, sink), in the order of decision."""
    conditions = {
        "sound = ?": question.sound,
        "onset_unix_s >= ?": question.since_unix_s,
        "onset_unix_s < ?": question.until_unix_s,
    }
    given = {text: value for text, value in conditions.items() if value is not None}
    where = " AND ".join(["1", *given])
    chosen = (
        f"SELECT id FROM events WHERE {where} GROUP BY id"  # noqa: S608 - our own text
        " ORDER BY max(onset_unix_s) DESC, max(seq) DESC LIMIT ?"
    )
    text = (
        "SELECT id, body, sink, state FROM events LEFT JOIN deliveries USING (seq)"  # noqa: S608
        f" WHERE id IN ({chosen}) ORDER BY seq"
    )
    return text, [*given.values(), min(question.limit, MOST)]


def _entries(rows: Iterable[tuple[str, str, str | None, str | None]]) -> list[Payload]:
    entries: dict[str, Payload] = {}
    for event_id, text, sink, state in rows:
        try:
            _add(entries, event_id, json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            continue  # a damaged row, which the journal names
        if sink is not None and state is not None:
            delivery = entries[event_id]["delivery"]
            delivery[sink] = _worse(delivery.get(sink), state)
    return sorted(entries.values(), key=lambda entry: str(entry.get("onset")))


def _add(entries: dict[str, Payload], event_id: str, body: Mapping[str, Any]) -> None:
    """What began replaces what was possible; what ended is added to it."""
    event_of(body, 0.0)  # raises where it is no event's
    entry = entries.setdefault(event_id, _beginning(body) | {"delivery": {}})
    if body["phase"] == Phase.OFFSET:
        entry.update({name: body[name] for name in _ENDING})
    elif body["phase"] == Phase.UPDATE:
        entry["second_stage"] = body["second_stage"]
    elif not entry["confirmed"]:
        entry.update(_beginning(body))


def _beginning(body: Mapping[str, Any]) -> Payload:
    kept = {name: value for name, value in body.items() if name not in _OF_A_MESSAGE}
    return kept | {"confirmed": body["phase"] != Phase.POSSIBLE}


def _worse(one: str | None, other: str) -> str:
    return next((state for state in _WORST_FIRST if state in (one, other)), other)
