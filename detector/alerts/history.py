"""What was decided, read back: one entry for every event, from its beginning to its end."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.alerts.messages import Payload
from detector.alerts.store import DeliveryState
from detector.core.errors import DetectorError

MOST = 5000
"""Entries that one question may bring."""
_BUSY_S = 5.0

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

    An entry has the fields of the event, and ``delivery``: by sink, how it stands with the one of
    its messages that fared worst.

    Raises DetectorError where the file cannot be read.
    """
    try:
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as db:
            rows = db.execute(*_select(question)).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise DetectorError(f"{path}: the history cannot be read: {error}") from error
    return _entries(rows)


def _select(question: Question) -> tuple[str, list[Any]]:
    """Every (message, sink), in the order of the events' beginnings."""
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
        f" WHERE id IN ({chosen}) ORDER BY onset_unix_s, seq"
    )
    return text, [*given.values(), min(question.limit, MOST)]


def _entries(rows: Iterable[tuple[str, str, str | None, str | None]]) -> list[Payload]:
    entries: dict[str, Payload] = {}
    for event_id, text, sink, state in rows:
        body = json.loads(text)
        entry = entries.setdefault(event_id, _beginning(body))
        if body["phase"] == "offset":
            entry |= {name: body[name] for name in _ENDING}
        if sink is not None and state is not None:
            entry["delivery"][sink] = _worse(entry["delivery"].get(sink), state)
    return list(entries.values())


def _beginning(body: Mapping[str, Any]) -> Payload:
    kept = {name: value for name, value in body.items() if name not in _OF_A_MESSAGE}
    return kept | {"delivery": {}}


def _worse(one: str | None, other: str) -> str:
    return next(state for state in _WORST_FIRST if state in (one, other))
