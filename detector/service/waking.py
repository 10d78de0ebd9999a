"""What the main thread waits on: it wakes for a signal, for whoever calls, or after a while."""

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_READ_BYTES = 4096


class Waker:
    """Wakes the main thread while it waits. ``wake`` is safe from any thread."""

    def __init__(self) -> None:
        self._waiting: socket.socket | None = None
        self._waking: socket.socket | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Meanwhile it can be waited, and each signal with a handler of Python's ends a wait."""
        waiting, waking = socket.socketpair()
        with waiting, waking:
            for end in (waiting, waking):
                end.settimeout(0.0)
            self._waiting, self._waking = waiting, waking
            before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                self._waiting = self._waking = None

    def wake(self) -> None:
        """End the wait that goes on, or the next one."""
        if (waking := self._waking) is not None:
            with suppress(OSError):  # full, so it will wake all the same; or just closed
                waking.send(b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; whether something woke it. Only while it is opened."""
        if self._waiting is None:
            return False
        poll = select.poll()  # select knows no descriptors above 1023
        poll.register(self._waiting, select.POLLIN)
        if not poll.poll(1000.0 * seconds):
            return False
        self._waiting.recv(_READ_BYTES)
        return True
