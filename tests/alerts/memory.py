"""An outbox that writes nothing down."""

from concurrent.futures import Future

from detector.alerts.sinks import delivered
from detector.alerts.store import DeliveryState
from detector.core.events import Event


class MemoryOnly:
    """Takes the journal's place."""

    def record(self, event: Event) -> "Future[None]":
        """Done."""
        del event
        return delivered()

    def settle(self, event: Event, sink: str, state: DeliveryState) -> None:
        """Done."""
