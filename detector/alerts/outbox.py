"""From decided to told: every event reaches every sink once it can, in order.

It lives in memory and is bounded.  What a later, durable outbox replaces is ``_Lane``: the queue
of one sink; the rest stays.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from detector.alerts.sinks import Delivery, Receipt, Sink, UndeliverableError, failed
from detector.core.clock import Clock
from detector.core.errors import DetectorError
from detector.core.events import Event

_log = logging.getLogger(__name__)

LATE_S = 5.0
"""An event older than this says so."""
CAPACITY = 1000
"""Events kept for one sink; beyond it the oldest goes, so that the last word on a sound stays."""
RETRY_S = 0.2
IDLE_S = 1.0
STOP_S = 0.5
"""How long a stop waits for a sink that does not return."""


@dataclass(slots=True)
class _Lane:
    """The queue of one sink; at most one event is in flight, which keeps the order.

    Guarded by the outbox's lock, but for ``in_flight``, which is the outbox's thread's own.
    """

    sink: Sink
    waiting: deque[Event] = field(default_factory=deque)
    in_flight: tuple[Event, Receipt] | None = None

    @property
    def undelivered(self) -> int:
        return len(self.waiting) + (self.in_flight is not None)


class Outbox:
    """Delivers events to sinks from a thread of its own. ``put`` is safe from any thread.

    Args:
        sinks: Where every event goes; a sink that is not ready delays no other.
        clock: For ages.
        late_after_s: An event older than this goes to a sink's backlog.
        capacity: Most events kept for one sink.
    """

    def __init__(
        self, sinks: Sequence[Sink], clock: Clock, late_after_s: float, *, capacity: int = CAPACITY
    ) -> None:
        self._lanes = [_Lane(sink) for sink in sinks]
        self._clock = clock
        self._late_after_s = late_after_s
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

    def put(self, event: Event) -> None:
        """Take an event; returns at once, whatever the sinks do."""
        for lane in self._lanes:
            lane.sink.observe(event)
        with self._lock:
            for lane in self._lanes:
                lane.waiting.append(event)
                self._bound(lane)
        self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until every sink that is ready has everything; tells whether nothing is left."""
        with self._lock:
            self._lock.wait_for(lambda: not self._owed(), timeout_s)
            return not any(lane.undelivered for lane in self._lanes)

    def _owed(self) -> bool:
        return any(lane.undelivered and lane.sink.ready for lane in self._lanes)

    def _bound(self, lane: _Lane) -> None:
        while len(lane.waiting) > self._capacity:
            lost = lane.waiting.popleft()
            self._dropped += 1
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

    def _turn(self, lane: _Lane) -> None:
        """Settle what was in flight; where that went well, send the next."""
        if lane.in_flight is not None and not self._settle(lane, *lane.in_flight):
            return
        if not lane.sink.ready:
            return
        with self._lock:
            if not lane.waiting:
                return
            event = lane.waiting.popleft()
            receipt: Receipt = Receipt()
            lane.in_flight = (event, receipt)
        self._send(lane, event)

    def _send(self, lane: _Lane, event: Event) -> None:
        age_s = max(0.0, self._clock.monotonic() - event.decided_monotonic_s)
        delivery = Delivery(event, age_s, age_s > LATE_S, age_s > self._late_after_s)
        try:
            receipt = lane.sink.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - a sink's defect must not end the thread for the others
            _log.exception("bug: %s failed to deliver %s", lane.sink.name, event.id)
            receipt = failed(UndeliverableError(str(error)))
        lane.in_flight = (event, receipt)
        receipt.add_done_callback(self._on_settled)

    def _on_settled(self, receipt: Receipt) -> None:
        """On whatever thread settles: wake the loop, but let a failure wait its turn."""
        if receipt.exception() is None or isinstance(receipt.exception(), UndeliverableError):
            self._wake.set()

    def _settle(self, lane: _Lane, event: Event, receipt: Receipt) -> bool:
        """Take note of a receipt; tells whether the next event may go."""
        if not receipt.done():
            return False
        error = receipt.exception()
        again = isinstance(error, DetectorError) and not isinstance(error, UndeliverableError)
        with self._lock:
            lane.in_flight = None
            if again:
                lane.waiting.appendleft(event)
        if again:
            _log.info("%s will be given %s again: %s", lane.sink.name, event.id, error)
        elif error is not None:
            _log.debug("%s will not take %s: %s", lane.sink.name, event.id, error)
        return not again
