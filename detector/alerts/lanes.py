"""The queue of one sink, and what lies in it."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from detector.alerts.sinks import Receipt, Sink
from detector.core.events import Event


@dataclass(slots=True, eq=False)
class Item:
    """An event on its way to one sink."""

    event: Event
    put_s: float
    """Monotonic time at which the outbox took it."""
    written: "Future[None]"
    """Done when the journal has it, or cannot have it."""
    denied: bool = False
    """The live topic is forbidden to us: only the record is left."""


@dataclass(slots=True)
class Lane:
    """The queue of one sink; at most one event is in flight, which keeps the order.

    Guarded by the outbox's lock, but for ``in_flight`` and what follows it, which are the
    outbox's thread's own.
    """

    sink: Sink
    waiting: deque[Item] = field(default_factory=deque)
    denied: deque[Item] = field(default_factory=deque)
    in_flight: tuple[Item, Receipt] | None = None
    denied_due_s: float = 0.0
    was_ready: bool = False

    @property
    def undelivered(self) -> int:
        """Events that the sink has not acknowledged."""
        return len(self.waiting) + len(self.denied) + (self.in_flight is not None)

    @property
    def pending(self) -> bool:
        """Whether there is anything that can be tried now."""
        return bool(self.waiting) or self.in_flight is not None

    def holds(self, event_id: str) -> bool:
        """Whether anything under this id is still on its way."""
        items = [*self.waiting, *self.denied, *([self.in_flight[0]] if self.in_flight else [])]
        return any(item.event.id == event_id for item in items)

    def set_aside(self, item: Item) -> None:
        """What was denied waits for its next turn: behind the others, if it was the first time."""
        self.in_flight = None
        if item.denied:
            self.denied.appendleft(item)
        else:
            item.denied = True
            self.denied.append(item)
