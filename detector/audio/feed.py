"""From captured blocks to the ring buffer: on one index, with what was lost marked as lost."""

import numpy as np

from detector.audio.arrival import ArrivalClock
from detector.audio.capture import Captured
from detector.audio.format import Channel, Format
from detector.audio.intake import Intake
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
        self._channels = 1
        self._first = True
        self.overflows = 0
        """Times that audio was lost on the way in."""

    def begin(self, form: Format, name: str) -> None:
        """A session begins: the device was opened."""
        self._intake = Intake(rate_hz=form.rate_hz, channel=self._channel, name=name)
        self._arrivals = ArrivalClock(form.rate_hz)
        self._channels = form.channels
        self._first = True

    def take(self, captured: Captured) -> None:
        """Take the next block of the session."""
        frames = np.frombuffer(captured.data, np.float32).reshape(-1, self._channels)
        count, rate_hz = len(frames), self._intake.rate_hz
        lost = self._lost(captured, count)
        if lost:
            self._drain()
            self._arrivals.lose(lost)
            self._lose(lost / rate_hz)
        captured_s = self._arrivals.arrived(count, captured.arrived_s)
        if self._first:
            self._mark_absence(captured_s - count / rate_hz)
        samples = self._intake.take(frames)
        self._ring.write(samples, captured_s - self._intake.pending_seconds)
        self._ends_s = captured_s

    def end(self) -> None:
        """The session is over: hand on what is still in the resampler."""
        self._drain()

    def _lost(self, captured: Captured, count: int) -> int:
        """Frames lost just before a block.

        Dropped ones were counted, and what the sound system lost is told by the clock, which
        sees both.
        """
        if not captured.overflowed:
            return captured.dropped
        estimate = self._arrivals.lost_before(count, captured.arrived_s)
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
