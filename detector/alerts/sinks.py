"""What every outlet of events promises, and what the outbox hands it."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from detector.core.errors import DetectorError, MqttError
from detector.core.events import Event

Receipt = Future[None]
"""Done when the other side has acknowledged; fails with a DetectorError.

It may be settled on a foreign thread, so whatever is hung on it must be short and lock nothing
that is held while something is delivered.
"""


class UndeliverableError(DetectorError):
    """Trying again will not help."""


class DeniedError(MqttError, UndeliverableError):
    """The broker's access rules do not let us publish on a topic."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way out. What stands here beside the event is of this attempt only."""

    event: Event
    age_s: float = 0.0
    """Seconds since it was decided."""
    late: bool = False
    """Whether it is old enough that the receiver should know."""
    backlog: bool = False
    """Whether it is too old to alert anybody: for the record only."""


class Sink(Protocol):
    """An outlet of events. Safe from any thread."""

    name: str
    """For log lines."""

    @property
    def ready(self) -> bool:
        """Whether a delivery has a chance now."""

    def start(self) -> None:
        """Begin to reach the other side; idempotent, returns at once."""

    def stop(self) -> None:
        """Take leave and cease; idempotent."""

    def observe(self, event: Event) -> None:
        """Hear at once what was decided, long before a delivery may succeed; never blocks."""

    def deliver(self, delivery: Delivery) -> Receipt:
        """Hand over one event; failures are in the receipt.

        UndeliverableError is final, any other DetectorError may be tried again.
        """


def delivered() -> Receipt:
    """A receipt for what is done already."""
    receipt: Receipt = Future()
    receipt.set_result(None)
    return receipt


def failed(error: DetectorError) -> Receipt:
    """A receipt for what has failed already."""
    receipt: Receipt = Future()
    receipt.set_exception(error)
    return receipt


def all_of(receipts: Sequence[Receipt], *, beside: Sequence[Receipt] = ()) -> Receipt:
    """Done when all are, and at once where there is none.

    It fails with the first failure, final ones last.  Those ``beside`` may be denied without harm:
    an event that did get through is not told twice because the access rules forbid its state.
    """
    every = [*beside, *receipts]
    if not every:
        return delivered()
    together: Receipt = Future()
    open_receipts = len(every)
    lock = threading.Lock()

    def settled(_: Receipt) -> None:
        nonlocal open_receipts
        with lock:
            open_receipts -= 1
            if open_receipts:
                return
        errors = [error for r in every if (error := r.exception()) is not None]
        forgiven = {id(e) for r in beside if isinstance(e := r.exception(), DeniedError)}
        errors = [error for error in errors if id(error) not in forgiven]
        errors.sort(key=lambda error: isinstance(error, UndeliverableError))
        if errors:
            together.set_exception(errors[0])
        else:
            together.set_result(None)

    for receipt in every:
        receipt.add_done_callback(settled)
    return together
