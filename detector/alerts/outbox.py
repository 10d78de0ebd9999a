"""From decided to told: every event reaches every sink once it can, in order.

An event is written down by the journal before it goes out, and what an earlier run could not
deliver goes out first.  A disk that is slow or full delays nothing for longer than WRITTEN_S.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from detector.alerts.lanes import Item, Lane
from detector.alerts.left import Left
from detector.alerts.sinks import (
    Delivery,
    DeniedError,
    Receipt,
    Sink,
    UndeliverableError,
    delivered,
    failed,
)
from detector.alerts.store import DeliveryState
from detector.core.clock import Clock
from detector.core.errors import DetectorError
from detector.core.events import Event

_log = logging.getLogger(__name__)

LATE_S = 5.0
"""An event older than this says so."""
CAPACITY = 5000
"""Events kept for one sink; beyond it the oldest goes, so that the last word on a sound stays."""
WRITTEN_S = 0.5
"""An alert waits no longer for the disk."""
DENIED_S = 30.0
"""Between attempts to tell what the broker's access rules forbade."""
RETRY_S = 0.2
IDLE_S = 1.0
STOP_S = 0.5
"""How long a stop waits for a sink that does not return."""


class Recorder(Protocol):
    """What the outbox needs of the journal."""

    def record(self, event: Event) -> "Future[None]":
        """Have an event written; done when it is, failed when it cannot be."""

    def settle(self, event: Event, sink: str, state: DeliveryState) -> None:
        """Have it written what became of a delivery."""


class Outbox:
    """Delivers events to sinks from a thread of its own. ``put`` is safe from any thread.

    Args:
        sinks: Where every event goes; a sink that is not ready delays no other.
        clock: For ages.
        late_after_s: An event older than this goes to a sink's backlog.
        journal: Writes down what is put and what became of it.
        capacity: Most events kept for one sink.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        clock: Clock,
        late_after_s: float,
        *,
        journal: Recorder,
        capacity: int = CAPACITY,
    ) -> None:
        self._lanes = [Lane(sink) for sink in sinks]
        self._clock = clock
        self._late_after_s = late_after_s
        self._journal = journal
        self._capacity = capacity
        self._lock = threading.Condition()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        """Each thread's own: one that a stop left behind must not go on at the next start."""
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._last_turn_s = clock.monotonic()

    @property
    def undelivered(self) -> int:
        """Events that wait for a sink or its acknowledgement, counted per sink."""
        with self._lock:
            return sum(lane.undelivered for lane in self._lanes)

    @property
    def dropped(self) -> int:
        """Events lost because a sink was away for too many."""
        return self._dropped

    @property
    def last_turn_s(self) -> float:
        """Monotonic time of the loop's last turn, at most about a second ago; for the watchdog."""
        return self._last_turn_s

    def is_delivered(self, event_id: str) -> bool:
        """Whether every sink has acknowledged, or refused, all that was put under this id."""
        with self._lock:
            return not any(lane.holds(event_id) for lane in self._lanes)

    def start(self) -> None:
        """Begin to deliver; idempotent."""
        if self._thread is None:
            self._stopping = stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(stopping,), name="detector-outbox", daemon=True
            )
            self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Cease to deliver; what waits stays undelivered. Idempotent. ``flush`` first.

        A sink that does not return, such as a pipe that nobody reads, is left behind.
        """
        if self._thread is None:
            return
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            busy = [lane.sink.name for lane in self._lanes if lane.in_flight is not None]
            _log.warning(
                "thread %s did not end in %g s: no answer from %s; going on, %d undelivered",
                self._thread.name,
                timeout_s,
                " or ".join(busy) or "the log",
                self.undelivered,
            )
        self._thread = None

    def resume(self, left: Left) -> None:
        """Take what an earlier run could not deliver, before all that was decided since."""
        with self._lock:
            for lane in self._lanes:
                earlier = left.waiting.get(lane.sink.name, ())
                lane.waiting.extendleft(Item(e, 0.0, delivered()) for e in reversed(earlier))
                self._bound(lane)
        self._wake.set()

    def put(self, event: Event) -> None:
        """Take an event; returns at once, whatever the sinks and the disk do."""
        for lane in self._lanes:
            lane.sink.observe(event)
        written = self._journal.record(event)
        now_s = self._clock.monotonic()
        with self._lock:
            for lane in self._lanes:
                lane.waiting.append(Item(event, now_s, written))
                self._bound(lane)
        self._wake.set()  # so that the wait for a disk that does not answer begins now
        written.add_done_callback(lambda _: self._wake.set())

    def flush(self, timeout_s: float) -> bool:
        """Wait until every sink that is ready has everything; tells whether nothing is left."""
        with self._lock:
            self._lock.wait_for(lambda: not self._owed(), timeout_s)
            return not any(lane.undelivered for lane in self._lanes)

    def _owed(self) -> bool:
        return any(lane.pending and lane.sink.ready for lane in self._lanes)

    def _bound(self, lane: Lane) -> None:
        while len(lane.waiting) + len(lane.denied) > self._capacity:
            lost = (lane.denied or lane.waiting).popleft().event
            self._dropped += 1
            self._journal.settle(lost, lane.sink.name, DeliveryState.DROPPED)
            _log.error(
                "%s was away for more than %d events; the oldest (%s) is lost, %d so far",
                lane.sink.name,
                self._capacity,
                lost.id,
                self._dropped,
            )

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._last_turn_s = self._clock.monotonic()
            for lane in self._lanes:
                self._turn(lane)
                if stopping.is_set():
                    return
            with self._lock:
                self._lock.notify_all()
                waiting = any(lane.waiting for lane in self._lanes)
            self._wake.wait(RETRY_S if waiting else IDLE_S)
            self._wake.clear()

    def _turn(self, lane: Lane) -> None:
        """Settle what was in flight; where that went well, send the next."""
        if lane.in_flight is not None and not self._settle(lane, *lane.in_flight):
            return
        ready = lane.sink.ready
        if ready and not lane.was_ready:
            lane.denied_due_s = 0.0  # another connection may have other rights
        lane.was_ready = ready
        if not ready:
            return
        with self._lock:
            item = self._next(lane)
            if item is None:
                return
            lane.in_flight = (item, Receipt())
        self._send(lane, item)

    def _next(self, lane: Lane) -> Item | None:
        """What may go now: one that is written down, or has waited for that for long enough."""
        now_s = self._clock.monotonic()
        if lane.waiting:
            first = lane.waiting[0]
            may_go = first.written.done() or now_s - first.put_s > WRITTEN_S
            return lane.waiting.popleft() if may_go else None
        if lane.denied and now_s >= lane.denied_due_s:
            return lane.denied.popleft()
        return None

    def _send(self, lane: Lane, item: Item) -> None:
        event = item.event
        age_s = max(0.0, self._clock.monotonic() - event.decided_monotonic_s)
        late, backlog = age_s > LATE_S, age_s > self._late_after_s
        delivery = Delivery(event, age_s, late or item.denied, backlog or item.denied)
        try:
            receipt = lane.sink.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - a sink's defect must not end the thread for the others
            _log.exception("bug: %s failed to deliver %s", lane.sink.name, event.id)
            receipt = failed(UndeliverableError(str(error)))
        lane.in_flight = (item, receipt)
        receipt.add_done_callback(self._on_settled)

    def _on_settled(self, receipt: Receipt) -> None:
        """On whatever thread settles: wake the loop, but let a failure wait its turn."""
        if receipt.exception() is None or isinstance(receipt.exception(), UndeliverableError):
            self._wake.set()

    def _settle(self, lane: Lane, item: Item, receipt: Receipt) -> bool:
        """Take note of a receipt; tells whether the next event may go."""
        if not receipt.done():
            return False
        error, name = receipt.exception(), lane.sink.name
        if error is None:
            return self._close(lane, item, DeliveryState.DELIVERED)
        if isinstance(error, DeniedError):
            lane.denied_due_s = self._clock.monotonic() + DENIED_S
            with self._lock:
                lane.set_aside(item)
            _log.debug("%s: %s; kept for later", item.event.id, error)
            return True
        if isinstance(error, UndeliverableError) or not isinstance(error, DetectorError):
            _log.debug("%s will not take %s: %s", name, item.event.id, error)
            return self._close(lane, item, DeliveryState.REFUSED)
        with self._lock:
            lane.in_flight = None
            lane.waiting.appendleft(item)
        _log.info("%s will be given %s again: %s", name, item.event.id, error)
        return False

    def _close(self, lane: Lane, item: Item, state: DeliveryState) -> bool:
        self._journal.settle(item.event, lane.sink.name, state)
        with self._lock:
            lane.in_flight = None
        return True
