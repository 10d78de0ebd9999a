"""PortAudio's callback: it copies and counts, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from detector.core.audio import Samples

_WAKE = -1

Now = Callable[[], float]
"""Gives the monotonic time in seconds."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What one callback brought."""

    frames: Samples
    """Shape (n, channels), the reader's own."""
    arrived_s: float
    overflowed: bool
    """The sound system lost audio just before this."""
    dropped: int
    """Frames just before this for which no slot was free."""


@dataclass(slots=True)
class _Slot:
    frames: Samples
    count: int = 0
    arrived_s: float = 0.0
    overflowed: bool = False
    dropped: int = 0


class Capture:
    """Hands blocks from PortAudio's thread to ours through slots that were made beforehand.

    The callback takes no lock of ours and logs nothing; an exception in it would end the stream
    with no word to anyone, so it is noted instead.  One thread of ours calls ``next``.
    """

    def __init__(self, *, slots: int, block_frames: int, channels: int, now: Now) -> None:
        self._now = now
        self._slots = [_Slot(np.zeros((block_frames, channels), np.float32)) for _ in range(slots)]
        self._free: SimpleQueue[int] = SimpleQueue()
        self._filled: SimpleQueue[int] = SimpleQueue()
        self._overflowed = False
        self._dropped = 0
        self.error = ""
        """The last exception in the callback, in a few words; its audio counts as dropped."""
        self.last_s = now()
        """When the last block was taken, or this was made."""
        for number in range(slots):
            self._free.put(number)

    def __call__(self, indata: Samples, frames: int, time: Any, status: Any) -> None:
        """Take a block from PortAudio; ``indata`` has shape (frames, channels)."""
        del time  # PortAudio's clock; ours is told below
        try:
            if status and status.input_overflow:
                self._overflowed = True
            self._fill(self._free.get_nowait(), indata, frames)
        except Empty:
            self._dropped += frames
        except Exception as error:  # noqa: BLE001 - PortAudio would end the stream in silence
            self.error = repr(error)
            self._dropped += frames

    def next(self, timeout_s: float) -> Captured | None:
        """The next block, oldest first; None when none came within ``timeout_s``, or on a wake."""
        try:
            number = self._filled.get(timeout=timeout_s)
        except Empty:
            return None
        if number == _WAKE:
            return None
        slot = self._slots[number]
        frames = slot.frames[: slot.count].copy()
        captured = Captured(frames, slot.arrived_s, slot.overflowed, slot.dropped)
        self._free.put(number)
        return captured

    def wake(self) -> None:
        """Let ``next`` return. From any thread."""
        self._filled.put(_WAKE)

    def _fill(self, number: int, indata: Samples, frames: int) -> None:
        slot = self._slots[number]
        try:
            slot.frames[:frames] = indata
        except ValueError:
            self._free.put(number)
            raise
        self.last_s = self._now()
        slot.count, slot.arrived_s = frames, self.last_s
        slot.overflowed, slot.dropped = self._overflowed, self._dropped
        self._overflowed, self._dropped = False, 0
        self._filled.put(number)
