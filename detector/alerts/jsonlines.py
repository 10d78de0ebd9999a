"""Events as JSON lines: what is told while no broker is configured."""

import logging
import threading
from typing import TextIO

from detector.alerts.messages import delivery_payload, to_json
from detector.alerts.sinks import Delivery, Receipt, UndeliverableError, delivered, failed
from detector.core.events import Event

_log = logging.getLogger(__name__)


class JsonLinesSink:
    """Writes one event per line to a text stream. Safe from any thread.

    A stream that breaks is told of once; from then on every delivery fails for good.
    """

    name = "JSON lines"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._broken = False

    @property
    def ready(self) -> bool:
        """Always: there is nothing to wait for."""
        return True

    def start(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do: the stream belongs to the caller."""

    def observe(self, event: Event) -> None:
        """Nothing to do: a line has no state."""

    def deliver(self, delivery: Delivery) -> Receipt:
        """Write the line; done at once, or failed with UndeliverableError."""
        line = to_json(delivery_payload(delivery)) + "\n"
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError) as error:  # ValueError: the stream was closed
                return failed(self._break(error))
        return delivered()

    def _break(self, error: Exception) -> UndeliverableError:
        problem = UndeliverableError(f"events can no longer be written as JSON lines: {error}")
        if not self._broken:
            _log.warning("%s", problem)
        self._broken = True
        return problem
