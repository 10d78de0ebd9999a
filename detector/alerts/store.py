"""The outbox's database: what was decided, and whom it has reached. Also the history.

Two tables: ``events`` has one row for every (id, phase), in the order of decision, with the wire
body; ``deliveries`` says for every row and sink how far it is.  Rows that nobody waits for go
first when there are too many.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from detector.alerts.stored import body_of
from detector.core.events import Event, EventKind, Phase

MAX_EVENTS = 20_000
MAX_BYTES = 32 * 1024 * 1024
"""What the file may hold; SQLite uses the room of deleted rows again."""
_WAL_BYTES = 800 * 1024
_PRUNE_STEP = 500
_VERSION = 1
_BUSY_S = 5.0

_SCHEMA = f"""
BEGIN;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  phase TEXT NOT NULL,
  kind TEXT NOT NULL,
  sound TEXT,
  onset_unix_s REAL NOT NULL,
  decided_unix_s REAL NOT NULL,
  decided_monotonic_s REAL NOT NULL,
  boot_id TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (id, phase)
);
CREATE INDEX events_by_onset ON events (onset_unix_s);
CREATE TABLE deliveries (
  seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
  sink TEXT NOT NULL,
  state TEXT NOT NULL,
  settled_unix_s REAL,
  PRIMARY KEY (seq, sink)
) WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (sink, seq) WHERE state = 'waiting';
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class DeliveryState(StrEnum):
    """How far an event is on its way to one sink."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    """The other side has acknowledged it."""
    REFUSED = "refused"
    """The sink will never take it."""
    DROPPED = "dropped"
    """The sink was away for too many events."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was decided, on every clock there is."""

    unix_s: float
    monotonic_s: float
    boot_id: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of ``events``."""

    body: str
    decided: Moment


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a delivery."""

    event_id: str
    phase: Phase
    sink: str
    state: DeliveryState
    unix_s: float


class EventStore:
    """The open database, to be used on one thread. Everything raises sqlite3.Error or OSError.

    Args:
        path: The file; it and its folder are made, for their owner only.
        max_events: Rows of ``events`` to keep.
        max_bytes: What the file may hold.
    """

    def __init__(
        self, path: Path, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(path)
        try:
            # SQLite gives its other files the mode of the first.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
            self._db.text_factory = lenient_text
        except BaseException:
            os.close(self._lock)
            raise
        try:
            self._prepare()
        except UnicodeDecodeError as error:  # what should have said what is wrong is no text
            self.close()
            raise sqlite3.DatabaseError(f"malformed beyond words: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it; what was committed stays."""
        self._db.close()
        os.close(self._lock)

    def add(self, events: Iterable[tuple[Event, Moment]], sinks: Sequence[str]) -> int:
        """Have events on the disk, waiting for these sinks; those that are there stay as they are.

        Returns how many had to go, to make room, before every sink had them.
        """
        self._db.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            for event, decided in events:
                self._insert(event, decided, sinks)
            return self._make_room()

    def settle(self, settled: Iterable[Settled]) -> None:
        """Note what became of deliveries.

        This outlives the process at once, and a loss of power only somewhat later: then an event
        is told twice, which it may be.
        """
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            self._db.executemany(
                "UPDATE deliveries SET state = ?, settled_unix_s = ? WHERE sink = ?"
                " AND seq = (SELECT seq FROM events WHERE id = ? AND phase = ?)",
                [(s.state, s.unix_s, s.sink, s.event_id, s.phase) for s in settled],
            )

    def waiting(self, sink: str) -> list[StoredEvent]:
        """What a sink has not had yet, in the order of decision."""
        return self._select(
            "JOIN deliveries USING (seq) WHERE sink = ? AND state = ? ORDER BY seq",
            (sink, DeliveryState.WAITING),
        )

    def left_on(self) -> list[StoredEvent]:
        """Beginnings, of sounds and test alerts, that have no end."""
        return self._select(
            "WHERE phase = ? AND kind IN (?, ?) AND NOT EXISTS (SELECT 1 FROM events AS e"
            " WHERE e.id = events.id AND e.phase = ?) ORDER BY seq",
            (Phase.ONSET, EventKind.SOUND, EventKind.TEST_ALERT, Phase.OFFSET),
        )

    def last_sign_of_life_unix_s(self) -> float | None:
        """When the newest event was decided, or settled last.

        The newest by its place: by its time it may be one of a day on which the clock was wrong.
        """
        [(last,)] = self._db.execute(
            "SELECT max(decided_unix_s, coalesce(max(settled_unix_s), decided_unix_s)) FROM events"
            " LEFT JOIN deliveries USING (seq) WHERE seq = (SELECT max(seq) FROM events)"
        ).fetchall()
        return float(last) if isinstance(last, int | float) else None

    def _select(self, condition: str, values: tuple[object, ...]) -> list[StoredEvent]:
        rows = self._db.execute(
            "SELECT body, decided_unix_s, decided_monotonic_s, boot_id"  # noqa: S608 - our own text
            f" FROM events {condition}",
            values,
        )
        return [StoredEvent(body, Moment(*moment)) for body, *moment in rows]

    def _prepare(self) -> None:
        for pragma in (
            "page_size = 1024",  # of a new file: an event touches ten, each written twice
            "journal_mode = WAL",
            "foreign_keys = ON",
            "cache_size = -128",  # KiB: what is read again is little, and memory stays as it is
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        [(page_bytes,)] = self._db.execute("PRAGMA page_size").fetchall()
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_BYTES // page_bytes}").fetchall()
        [(verdict,)] = self._db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        [(version,)] = self._db.execute("PRAGMA user_version").fetchall()
        if version == 0:
            self._db.executescript(_SCHEMA)
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"version {version} of the outbox, not {_VERSION}")
        numbers = self._db.execute("SELECT max(seq) >= 1 << 60 FROM sqlite_sequence")
        [(used_up,)] = numbers.fetchall()
        if used_up:
            raise sqlite3.DatabaseError("it has no numbers left")

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def _insert(self, event: Event, decided: Moment, sinks: Sequence[str]) -> None:
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO events (id, phase, kind, sound, onset_unix_s, decided_unix_s,"
            " decided_monotonic_s, boot_id, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.id,
                event.phase,
                event.kind,
                event.sound,
                event.onset_utc.timestamp(),
                decided.unix_s,
                decided.monotonic_s,
                decided.boot_id,
                body_of(event),
            ),
        )
        if inserted.rowcount:
            self._db.executemany(
                "INSERT OR REPLACE INTO deliveries (seq, sink, state) VALUES (?, ?, ?)",
                [(inserted.lastrowid, sink, DeliveryState.WAITING) for sink in sinks],
            )

    def _make_room(self) -> int:
        """Delete the oldest while there are too many: first those that nobody waits for."""
        lost = 0
        while excess := self._excess():
            idle = self._delete(
                "SELECT seq FROM events WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d"
                " WHERE d.seq = events.seq AND d.state = 'waiting') ORDER BY seq LIMIT ?",
                excess,
            )
            if not idle:
                lost += self._delete("SELECT seq FROM events ORDER BY seq LIMIT ?", excess)
        return lost

    def _excess(self) -> int:
        """Rows that should go now."""
        [(count, newest, oldest)] = self._db.execute(
            "SELECT count(*), max(seq), min(seq) FROM events"
        ).fetchall()
        if newest == oldest:
            return 0  # a single one always stays
        if count > self._max_events:
            return int(count - self._max_events)
        return min(_PRUNE_STEP, int(count) - 1) if self._bytes() > self._max_bytes else 0

    def _bytes(self) -> int:
        """What the rows take."""
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def _delete(self, chosen: str, limit: int) -> int:
        deleted = self._db.execute(f"DELETE FROM events WHERE seq IN ({chosen})", (limit,))  # noqa: S608 - our own text
        return deleted.rowcount


class _Transaction:
    """Commits at its end, or undoes it all."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def lenient_text(raw: bytes) -> str:
    """Text of the database; a byte that is none must not make all rows unreadable."""
    return raw.decode(errors="replace")


def is_damage(error: Exception) -> bool:
    """Whether the file is no good, rather than the disk full or not to be written."""
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return not isinstance(error, sqlite3.OperationalError)  # our own, from _prepare
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def set_aside(path: Path) -> Path:
    """Rename a damaged database, over an earlier one, so that a fresh one can be begun."""
    aside = path.with_name(path.name + ".damaged")
    for suffix in ("-shm", "-wal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(aside)
    return aside


def _lock(path: Path) -> int:
    """Keep another detector off; raises OSError where one is there.

    SQLite's own locks would let it in, and it would take our events for those of an earlier run.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            error = OSError(errno.EBUSY, "another detector of this name is running")
        raise error from None
    return descriptor
