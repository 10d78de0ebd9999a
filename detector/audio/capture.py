"""PortAudio's callback: it copies and counts, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

_SAMPLE_BYTES = 4
"""Of a float32; numpy stays out of the capture process."""

Now = Callable[[], float]
"""Gives the monotonic time in seconds."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What one callback brought."""

    data: bytes
    """Interleaved float32 samples in the machine's own byte order, shape (frames, channels)."""
    arrived_s: float
    """Monotonic time; it means the same in every process of the machine."""
    overflowed: bool
    """The sound system lost audio just before this."""
    dropped: int
    """Frames just before this for which no slot was free."""


@dataclass(slots=True)
class _Slot:
    room: memoryview
    used: int = 0
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
        self._frame_bytes = channels * _SAMPLE_BYTES
        room = block_frames * self._frame_bytes
        self._slots = [_Slot(memoryview(bytearray(room))) for _ in range(slots)]
        self._free: SimpleQueue[int] = SimpleQueue()
        self._filled: SimpleQueue[int] = SimpleQueue()
        self._overflowed = False
        self._dropped = 0
        self.error = ""
        """The last exception in the callback, in a few words; its audio counts as dropped."""
        for number in range(slots):
            self._free.put(number)

    def __call__(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        """Take a block from PortAudio; ``indata`` is a buffer of float32, interleaved."""
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
        """The next block, oldest first; None when none came within ``timeout_s``."""
        try:
            number = self._filled.get(timeout=timeout_s)
        except Empty:
            return None
        slot = self._slots[number]
        data = bytes(slot.room[: slot.used])
        captured = Captured(data, slot.arrived_s, slot.overflowed, slot.dropped)
        self._free.put(number)
        return captured

    def _fill(self, number: int, indata: Any, frames: int) -> None:
        slot, used = self._slots[number], frames * self._frame_bytes
        try:
            slot.room[:used] = indata
        except ValueError:
            self._free.put(number)
            raise
        slot.used, slot.arrived_s = used, self._now()
        slot.overflowed, slot.dropped = self._overflowed, self._dropped
        self._overflowed, self._dropped = False, 0
        self._filled.put(number)
