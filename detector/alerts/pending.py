"""Which message an acknowledgement belongs to."""

import threading
from collections.abc import Callable

from detector.alerts import broker_errors
from detector.alerts.sinks import DeniedError, Receipt
from detector.core.errors import MqttError


class NotConnectedError(MqttError):
    """There is no connection, or it broke before the broker acknowledged."""


class PendingReceipts:
    """The receipts of one connection, by message id. Safe from any thread.

    Its lock is never held while anything else is called: paho calls us with locks of its own.

    Args:
        on_denied: Told the topic of every message that the broker's access rules refuse.
    """

    def __init__(self, on_denied: Callable[[str], None]) -> None:
        self._on_denied = on_denied
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[str, Receipt]] = {}
        self._early: dict[int, int] = {}
        self._closed = False

    def expect(self, message_id: int, topic: str) -> Receipt:
        """A receipt for a message that was just sent; its acknowledgement may have come first."""
        receipt: Receipt = Receipt()
        with self._lock:
            early = self._early.pop(message_id, None)
            waits = early is None and not self._closed
            if waits:
                self._pending[message_id] = (topic, receipt)
        if early is not None:
            self._settle(topic, receipt, early)
        elif not waits:
            self._lose(topic, receipt)
        return receipt

    def acknowledge(self, message_id: int, reason_code: int) -> None:
        """The broker has spoken."""
        with self._lock:
            found = self._pending.pop(message_id, None)
            if found is None:
                self._early[message_id] = reason_code
        if found is not None:
            self._settle(*found, reason_code)

    def close(self) -> None:
        """The connection is over: what waits has failed, and so has all that is yet to come."""
        with self._lock:
            self._closed = True
            lost = list(self._pending.values())
            self._pending.clear()
        for topic, receipt in lost:
            self._lose(topic, receipt)

    def _settle(self, topic: str, receipt: Receipt, reason_code: int) -> None:
        if reason_code < broker_errors.REFUSED:
            receipt.set_result(None)
            return
        self._on_denied(topic)
        receipt.set_exception(DeniedError(broker_errors.denial(topic)))

    def _lose(self, topic: str, receipt: Receipt) -> None:
        receipt.set_exception(NotConnectedError(f"the connection broke before {topic} got through"))
