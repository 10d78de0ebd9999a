"""When samples were captured, told from when their blocks arrived."""

import math


class ArrivalClock:
    """Places a device's samples in monotonic time. Owned by one thread.

    Blocks arrive late by a varying amount: some sound systems hand them over in bursts.  A device
    captures steadily, so the block that came with the least delay tells the time of them all.
    The least of the last 10 to 20 s counts, since a device's own clock drifts.
    """

    SPAN_SECONDS = 10.0

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._frames = 0
        self._least_before_s = math.inf
        self._least_s = math.inf
        self._span_began_s = -math.inf

    def lost_before(self, frames: int, arrived_s: float) -> int:
        """Estimate the frames lost just before a block of ``frames`` that arrived now.

        At least 1, since this is only asked when some were; 0 before the first block, when there
        was nothing to lose.
        """
        if self._frames == 0:
            return 0
        due = (arrived_s - self._anchor_s) * self._rate_hz
        return max(1, round(due) - self._frames - frames)

    def lose(self, frames: int) -> None:
        """Frames went by that never arrived."""
        self._frames += frames

    def arrived(self, frames: int, arrived_s: float) -> float:
        """Take note of a block; the monotonic time at which its last frame was captured."""
        self._frames += frames
        if arrived_s - self._span_began_s >= self.SPAN_SECONDS:
            self._least_before_s, self._least_s = self._least_s, math.inf
            self._span_began_s = arrived_s
        self._least_s = min(self._least_s, arrived_s - self._frames / self._rate_hz)
        return self._anchor_s + self._frames / self._rate_hz

    @property
    def _anchor_s(self) -> float:
        """Time at which the first frame would have been captured."""
        return min(self._least_before_s, self._least_s)
