"""The reading end of a capture process's pipes."""

import os
import select

from detector.audio.wire import Decoder, Message

_READ_BYTES = 2**16
_SAID_BYTES = 4096
"""What is kept of what it says on standard error: ALSA can be talkative."""


class Inbox:
    """Messages as they come, and the last words on standard error. Owned by one thread.

    Args:
        messages: A descriptor to read messages from.
        errors: One to read standard error from, so that its pipe never fills.

    Both stay their owner's, who closes them.
    """

    def __init__(self, messages: int, errors: int | None = None) -> None:
        self._messages = messages
        self._errors = errors
        self._decoder = Decoder()
        self._said = b""
        self._poll = select.poll()
        for descriptor in (messages, errors):
            if descriptor is not None:
                os.set_blocking(descriptor, False)
                self._poll.register(descriptor, select.POLLIN)

    def next(self, timeout_s: float) -> Message | None:
        """The next message; None when no whole one came within ``timeout_s``, or a little before.

        Raises EOFError when the other end is closed, and AudioError where it tells nonsense.
        """
        message = self._decoder.next()
        if message is None:
            self._read(timeout_s)
            message = self._decoder.next()
        return message

    def last_words(self) -> str:
        """What was said last on standard error; to be asked when the process has ended."""
        while self._errors is not None and self._hear_errors(self._errors):
            pass
        return self._said.decode(errors="replace").strip()

    def _read(self, timeout_s: float) -> None:
        ready = [descriptor for descriptor, _ in self._poll.poll(1000 * timeout_s)]
        if self._errors is not None and self._errors in ready:
            self._hear_errors(self._errors)
        if self._messages in ready:
            data = os.read(self._messages, _READ_BYTES)
            if not data:
                raise EOFError
            self._decoder.feed(data)

    def _hear_errors(self, descriptor: int) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        self._said = (self._said + data)[-_SAID_BYTES:]
        if not data:
            self._poll.unregister(descriptor)
            self._errors = None
        return bool(data)
