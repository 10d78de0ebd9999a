"""Writes down what was decided, and whom it has reached, from a thread of its own.

A commit takes 100 ms and more on an SD card, and for ever on a broken one: nobody waits for it
here.  What cannot be written is kept in memory, tried again, and said.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from detector.alerts.left import Left, decided, read_left
from detector.alerts.store import (
    DeliveryState,
    EventStore,
    Moment,
    Settled,
    is_damage,
    set_aside,
)
from detector.core.clock import Clock
from detector.core.events import Event

_log = logging.getLogger(__name__)

RETRY_S = 15.0
"""Between attempts to write to a disk that did not take it."""
AFRESH_S = 1.0
"""Before the first attempt on a fresh database."""
VERIFY_S = 3600.0
"""How often an open database is looked at anew: SQLite seldom notices damage by itself."""
CAPACITY = 5000
"""Entries kept in memory while the disk takes nothing; older ones miss in the history."""
LOAD_S = 5.0
"""How long a start waits for what an earlier run left."""
STOP_S = 1.0


@dataclass(slots=True, eq=False)
class _Entry:
    event: Event
    decided: Moment
    had_by: set[str] = field(default_factory=set)
    """Sinks that need it no more."""
    written: "Future[None]" = field(default_factory=Future)

    @property
    def key(self) -> tuple[str, str]:
        return self.event.id, self.event.phase


class Journal:
    """The outbox's memory on the disk. Safe from any thread, but for ``start`` and ``stop``.

    Args:
        path: The database.
        sinks: Names of the outlets; every event waits for each.
        clock: For the moments of decisions.
        on_left: Told once, on the journal's thread, what an earlier run left; during ``start``
            unless the disk takes longer than LOAD_S.
        retry_s: See RETRY_S.
        verify_s: See VERIFY_S.
    """

    def __init__(
        self,
        path: Path,
        sinks: Sequence[str],
        clock: Clock,
        on_left: Callable[[Left], None],
        *,
        retry_s: float = RETRY_S,
        verify_s: float = VERIFY_S,
    ) -> None:
        self._path = path
        self._sinks = tuple(sinks)
        self._clock = clock
        self._on_left = on_left
        self._retry_s = retry_s
        self._verify_s = verify_s
        self._lock = threading.Lock()
        self._to_do: deque[_Entry | Settled] = deque()
        self._undelivered: dict[tuple[str, str], _Entry] = {}
        """What a fresh database must be told again."""
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._tried = threading.Event()
        self._loaded = False
        self._thread: threading.Thread | None = None
        self._store: EventStore | None = None
        self.error: str | None = None
        """Why nothing can be written now, if so."""
        self.dropped = 0
        """Events that had to go before every sink had them."""

    @property
    def path(self) -> Path:
        """The database."""
        return self._path

    def start(self) -> None:
        """Open the database and hand over what was left; idempotent, waits LOAD_S at most."""
        if self._thread is None:
            self._stopping = stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(stopping,), name="detector-journal", daemon=True
            )
            self._thread.start()
        if not self._tried.wait(LOAD_S):
            _log.warning("%s: the disk takes its time; going on meanwhile", self._path)

    def stop(self) -> None:
        """Write what is left to write, as far as the disk takes it, and close; idempotent."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            _log.warning("%s: the disk does not answer; %d unwritten", self._path, self.unwritten)
        self._thread = None

    @property
    def unwritten(self) -> int:
        """Entries that are only in memory."""
        with self._lock:
            return len(self._to_do)

    @property
    def only_in_memory(self) -> list[Event]:
        """Events that some sink has not had, and that the disk has not taken."""
        with self._lock:
            entries = [one for one in self._to_do if isinstance(one, _Entry)]
            return [one.event for one in entries if one.key in self._undelivered]

    def record(self, event: Event) -> "Future[None]":
        """Have an event written, for all sinks; done when it is, failed when it cannot be now.

        One that fails is written later, if it can be.
        """
        wall_s = self._clock.wall().timestamp()
        moment = Moment(wall_s, event.decided_monotonic_s, self._clock.boot_id)
        entry = _Entry(event, moment)
        with self._lock:
            self._undelivered[entry.key] = entry
            self._append(entry)
        if self.error is not None:
            _settle_all([entry], OSError(self.error))  # the next attempt may be far off
        self._wake.set()
        return entry.written

    def settle(self, event: Event, sink: str, state: DeliveryState) -> None:
        """Have it written what became of a delivery."""
        unix_s = self._clock.wall().timestamp()
        with self._lock:
            entry = self._undelivered.get((event.id, event.phase))
            if entry is not None:
                entry.had_by.add(sink)
                if entry.had_by.issuperset(self._sinks):
                    del self._undelivered[entry.key]
            self._append(Settled(event.id, event.phase, sink, state, unix_s))
        self._wake.set()

    def _append(self, item: "_Entry | Settled") -> None:
        self._to_do.append(item)
        while len(self._to_do) > CAPACITY:
            self._to_do.popleft()

    def _run(self, stopping: threading.Event) -> None:
        while True:
            self._wake.clear()
            wait_s = self._attempt()
            self._tried.set()
            if stopping.is_set() and (wait_s or not self.unwritten):
                break
            if wait_s:
                stopping.wait(wait_s)
            elif not self.unwritten and not self._wake.wait(self._verify_s):
                self._close()  # opening it verifies it
        self._close()
        if self._undelivered and not wait_s:
            self._attempt()  # the last chance to notice that the next run would find nothing
            self._attempt()
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _attempt(self) -> float:
        """Write what there is to write; seconds to wait before more, none if it went well."""
        try:
            store = self._open()
            to_do = self._all_to_do()  # only now: a fresh file must be told what is older first
            self._write(store, to_do)
        except (sqlite3.Error, OSError) as error:
            _settle_all(self._all_to_do(), error)
            return self._cope(error)
        except Exception as error:  # noqa: BLE001 - a defect here must not keep alerts waiting
            _log.exception("bug: the journal failed")
            self.error = f"a defect of ours: {error!r}; see the log"
            _settle_all(self._all_to_do(), error)
            return self._retry_s
        with self._lock:
            for done in to_do:
                if self._to_do and self._to_do[0] is done:
                    self._to_do.popleft()
        return 0.0

    def _all_to_do(self) -> "list[_Entry | Settled]":
        with self._lock:
            return list(self._to_do)

    def _write(self, store: EventStore, to_do: Sequence["_Entry | Settled"]) -> None:
        entries = [one for one in to_do if isinstance(one, _Entry)]
        settled = [one for one in to_do if isinstance(one, Settled)]
        if entries:
            lost = store.add([(one.event, one.decided) for one in entries], self._sinks)
            self._count_lost(lost)
            _settle_all(entries, None)
        if settled:
            store.settle(settled)
        if self.error is not None:
            _log.info("%s: events are written down again", self._path)
            self.error = None

    def _count_lost(self, lost: int) -> None:
        if lost:
            self.dropped += lost
            _log.error("%s is full: the %d oldest events that waited are lost", self._path, lost)

    def _open(self) -> EventStore:
        if self._store is None:
            self._store = self._open_or_begin_afresh()
        if not self._loaded:
            left = self._left_in(self._store)
            self._loaded = True  # whatever comes of it: handed over twice, it would be told twice
            self._on_left(left)
        return self._store

    def _open_or_begin_afresh(self) -> EventStore:
        try:
            return EventStore(self._path)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._begin_afresh(error)
        return EventStore(self._path)

    def _begin_afresh(self, error: Exception) -> None:
        """Set a damaged file aside; what is still to be delivered is written down anew."""
        aside = set_aside(self._path)
        _log.error("%s: damaged (%s); set aside as %s, begun afresh", self._path, error, aside.name)
        again: list[_Entry | Settled] = []
        with self._lock:
            for entry in self._undelivered.values():
                if not any(one is entry for one in self._to_do):
                    again += [entry, *(_had(entry, sink) for sink in entry.had_by)]
            self._to_do.extendleft(reversed(again))

    def _cope(self, error: Exception) -> float:
        """Make another attempt possible, and say once what is wrong; seconds to wait for it."""
        self._close()
        if is_damage(error):
            try:
                self._begin_afresh(error)
            except OSError as failure:
                error = failure
            else:
                return AFRESH_S
        reason = f"{self._path}: events cannot be written down: {_short(error)}"
        if reason != self.error:
            _log.error("%s; they are told all the same, from memory", reason)
        self.error = reason
        return self._retry_s

    def _left_in(self, store: EventStore) -> Left:
        left = read_left(store, self._sinks, self._clock)
        for sink, events in left.waiting.items():
            if events:
                _log.info("%d events wait for %s since an earlier run", len(events), sink)
            with self._lock:
                self._remember(sink, events)
        return left

    def _remember(self, sink: str, events: Sequence[Event]) -> None:
        for event in events:
            entry = _Entry(event, decided(event, self._clock), had_by=set(self._sinks))
            self._undelivered.setdefault(entry.key, entry).had_by.discard(sink)


def _had(entry: _Entry, sink: str) -> Settled:
    event = entry.event
    return Settled(event.id, event.phase, sink, DeliveryState.DELIVERED, entry.decided.unix_s)


def _settle_all(entries: Sequence["_Entry | Settled"], error: Exception | None) -> None:
    """Let nobody wait any longer."""
    for one in entries:
        if not isinstance(one, _Entry):
            continue
        with suppress(InvalidStateError):  # it was settled already
            if error is None:
                one.written.set_result(None)
            else:
                one.written.set_exception(error)


def _short(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip()
