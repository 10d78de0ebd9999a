"""What passes between the thread that hears and the one that shows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any

Line = dict[str, Any]
"""A window (``snapshot``), an ``event``, or a ``status``."""

CAPACITY = 1000
"""So many lines wait to be shown; then whoever hears waits for whoever shows."""
_POLL_S = 0.25
_STATUS_EVERY = 4
"""Polls without a line after which a status is shown."""


class LineQueue:
    """Lines on their way from the thread that hears to the one that shows.

    Either waits for the other. ``put`` is for one thread, the rest for another.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        """Set when no more lines will be put."""
        self.failure: Exception | None = None
        """Why there will be no more; to be set before ``ended``."""
        self._queue: Queue[Line] = Queue(CAPACITY)
        self._closed = threading.Event()

    def put(self, line: Line) -> None:
        """Add a line, waiting for room; once closed, lines go nowhere."""
        while not self._closed.is_set():
            with suppress(Full):
                self._queue.put(line, timeout=_POLL_S)
                return

    def lines(self, status: Callable[[], str]) -> Iterator[Line]:
        """Lines as they come; a status line whenever none has come for a while."""
        quiet = 0
        while not (self.ended.is_set() and self._queue.empty()):
            try:
                line = self._queue.get(timeout=_POLL_S)
            except Empty:
                quiet += 1
                if quiet % _STATUS_EVERY == 0:
                    yield {"status": status()}
            else:
                quiet = 0
                yield line
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Nobody reads any more."""
        self._closed.set()
