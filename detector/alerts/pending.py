"""Which message an acknowledgement belongs to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from detector.alerts import broker_errors
from detector.alerts.sinks import DeniedError, Receipt
from detector.core.clock import Clock
from detector.core.errors import MqttError


class NotConnectedError(MqttError):
    """There is no connection, or it broke before the broker acknowledged."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What was sent and is not acknowledged."""

    denial: str
    since_s: float
    receipt: Receipt = field(default_factory=Receipt)


class PendingReceipts:
    """The receipts of one connection, by message id. Safe from any thread.

    Its lock is never held while anything else is called: paho calls us with locks of its own.

    Args:
        on_denied: Told a line for every message that the broker's access rules refuse.
        clock: For how long they wait.
    """

    def __init__(self, on_denied: Callable[[str], None], clock: Clock) -> None:
        self._on_denied = on_denied
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[int, _Waiting] = {}
        self._early: dict[int, int] = {}
        self._closed = False

    @property
    def oldest_s(self) -> float | None:
        """Monotonic time since which the oldest has waited; None where none waits."""
        with self._lock:
            # A dict keeps the order, and they are sent in order.
            return next((waiting.since_s for waiting in self._pending.values()), None)

    def expect(self, message_id: int, denial: str) -> Receipt:
        """A receipt for a message that was just sent; its acknowledgement may have come first.

        ``denial`` is the line for a person should the access rules refuse it.
        """
        waiting = _Waiting(denial, self._clock.monotonic())
        with self._lock:
            early = self._early.pop(message_id, None)
            waits = early is None and not self._closed
            if waits:
                self._pending[message_id] = waiting
        if early is not None:
            self._settle(waiting, early)
        elif not waits:
            _lose(waiting)
        return waiting.receipt

    def acknowledge(self, message_id: int, reason_code: int) -> None:
        """The broker has spoken."""
        with self._lock:
            found = self._pending.pop(message_id, None)
            if found is None:
                self._early[message_id] = reason_code
        if found is not None:
            self._settle(found, reason_code)

    def close(self) -> None:
        """The connection is over: what waits has failed, and so has all that is yet to come."""
        with self._lock:
            self._closed = True
            lost = list(self._pending.values())
            self._pending.clear()
        for waiting in lost:
            _lose(waiting)

    def _settle(self, waiting: _Waiting, reason_code: int) -> None:
        if reason_code < broker_errors.REFUSED:
            waiting.receipt.set_result(None)
            return
        self._on_denied(waiting.denial)
        waiting.receipt.set_exception(DeniedError(waiting.denial))


def _lose(waiting: _Waiting) -> None:
    error = NotConnectedError("the connection broke before the broker had acknowledged")
    waiting.receipt.set_exception(error)
