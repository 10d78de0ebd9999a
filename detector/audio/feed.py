"""From captured blocks to the ring buffer: on one index, with what was lost marked as lost."""

from detector.audio.arrival import ArrivalClock
from detector.audio.capture import Captured
from detector.audio.intake import Intake
from detector.audio.mixing import Channel
from detector.audio.ring import RingBuffer
from detector.core.audio import SAMPLE_RATE_HZ, GapCause


class Feed:
    """Mixes, resamples and writes a device's audio, session after session.

    A session lasts from the opening of the device to its loss.  Owned by the source's thread;
    the counts may be read from any.
    """

    def __init__(self, ring: RingBuffer, channel: Channel) -> None:
        self._ring = ring
        self._channel = channel
        self._intake = Intake(rate_hz=SAMPLE_RATE_HZ, channel=channel, name="")
        self._arrivals = ArrivalClock(SAMPLE_RATE_HZ)
        self._ends_s: float | None = None  # capture time of the last sample taken in
        self._first = True
        self.overflows = 0
        """Times that audio was lost on the way in."""

    def begin(self, *, rate_hz: int, name: str) -> None:
        """A session begins: the device was opened."""
        self._intake = Intake(rate_hz=rate_hz, channel=self._channel, name=name)
        self._arrivals = ArrivalClock(rate_hz)
        self._first = True

    def take(self, captured: Captured) -> None:
        """Take the next block of the session."""
        count, rate_hz = len(captured.frames), self._intake.rate_hz
        lost = self._lost(captured)
        if lost:
            self._drain()
            self._arrivals.lose(lost)
            self._lose(lost / rate_hz)
        captured_s = self._arrivals.arrived(count, captured.arrived_s)
        if self._first:
            self._mark_absence(captured_s - count / rate_hz)
        samples = self._intake.take(captured.frames)
        self._ring.write(samples, captured_s - self._intake.pending_seconds)
        self._ends_s = captured_s

    def end(self) -> None:
        """The session is over: hand on what is still in the resampler."""
        self._drain()

    def _lost(self, captured: Captured) -> int:
        """Frames lost just before a block.

        Dropped ones were counted, and what the sound system lost is told by the clock, which
        sees both.
        """
        if not captured.overflowed:
            return captured.dropped
        estimate = self._arrivals.lost_before(len(captured.frames), captured.arrived_s)
        return max(captured.dropped, estimate)

    def _lose(self, seconds: float) -> None:
        self.overflows += 1
        self._ring.lose(max(1, round(seconds * SAMPLE_RATE_HZ)), GapCause.OVERFLOW)

    def _mark_absence(self, begins_s: float) -> None:
        self._first = False
        if self._ends_s is not None:
            away = round((begins_s - self._ends_s) * SAMPLE_RATE_HZ)
            self._ring.lose(max(1, away), GapCause.SOURCE_LOST)

    def _drain(self) -> None:
        if self._ends_s is not None:
            self._ring.write(self._intake.drain(), self._ends_s)
