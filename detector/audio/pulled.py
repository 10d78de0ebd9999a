"""What sources that wait for their reader have in common: files, pipes and arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

from numpy.typing import NDArray

from detector.audio.format import Channel, Format, check_channel
from detector.audio.intake import Intake
from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, Samples, SourceStatus
from detector.core.clock import Clock
from detector.core.errors import AudioError

REALTIME_BLOCK_SECONDS = 0.1
"""Played at its own pace: as often as a microphone hands over."""
BLOCK_SECONDS = 1.0
"""Otherwise: as much as a block may hold."""

Sleep = Callable[[float], object]


class PulledSource(ABC):
    """A source that applies back-pressure: each read decodes the next block, nothing is skipped.

    For one reader thread; ``stop`` from any thread.  It plays once.
    """

    live = False

    def __init__(
        self, name: str, *, channel: Channel, realtime: bool, clock: Clock, sleep: Sleep | None
    ) -> None:
        self._name = name
        self._channel = channel
        self._realtime = realtime
        self._clock = clock
        self._stopping = Event()
        self._sleep = sleep or self._stopping.wait
        self._decoding = Lock()  # no decoder survives being closed while it decodes
        self._status = SourceStatus(available=False, description=f"{name}, not opened yet")
        self._intake: Intake | None = None
        self._next_sample = 0
        self._pulled_frames = 0
        self._began_s: float | None = None
        self._drained = False

    @property
    def status(self) -> SourceStatus:
        """The source's own account of itself."""
        return self._status

    def start(self) -> None:
        """Open it. Raises AudioError, in one line, where it cannot be heard."""
        if self._intake is not None:
            return
        try:
            found = self._open()
            check_channel(self._channel, found.channels, self._name)
        except AudioError as error:
            self._close()
            self._status = SourceStatus(available=False, description=str(error))
            raise
        self._intake = Intake(rate_hz=found.rate_hz, channel=self._channel, name=self._name)
        self._status = SourceStatus(available=True, description=f"{self._name} at {found}")

    def stop(self) -> None:
        """End the pacing and close; the reader gets End."""
        self._stopping.set()
        with self._decoding:
            self._close()

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """Decode and hand over the next block; None when it is not due within ``timeout_s``.

        Raises AudioError where it turns out damaged, after all that could be heard.
        """
        if self._intake is None:
            raise RuntimeError("read before start")
        if not self._drained and not self._wait_for_turn(self._intake, timeout_s):
            return None
        with self._decoding:
            if self._stopping.is_set():
                return End("stopped")
            return self._end() if self._drained else self._next_block(self._intake, timeout_s)

    @abstractmethod
    def _open(self) -> Format:
        """Open it. Raises AudioError."""

    @abstractmethod
    def _pull(self, count: int, timeout_s: float) -> NDArray[Any] | None:
        """Up to ``count`` frames, shape (n, channels); n = 0 at the end; None: not in time."""

    def _end(self) -> End:
        """What comes after the last block. Raises AudioError where it ended too soon."""
        return End()

    def _close(self) -> None:
        """Release what ``_open`` opened; also called where nothing was."""
        self._status = SourceStatus(available=False, description=f"{self._name}, stopped")

    def _block_frames(self, intake: Intake) -> int:
        seconds = REALTIME_BLOCK_SECONDS if self._realtime else BLOCK_SECONDS
        return max(1, round(seconds * intake.rate_hz))

    def _wait_for_turn(self, intake: Intake, timeout_s: float) -> bool:
        if not self._realtime:
            return True
        if self._began_s is None:
            self._began_s = self._clock.monotonic()
        due_frames = self._pulled_frames + self._block_frames(intake)
        wait_s = self._began_s + due_frames / intake.rate_hz - self._clock.monotonic()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
        return wait_s <= timeout_s

    def _next_block(self, intake: Intake, timeout_s: float) -> Block | End | None:
        while True:
            frames = self._pull(self._block_frames(intake), timeout_s)
            if frames is None:
                return None
            self._pulled_frames += len(frames)
            self._drained = len(frames) == 0
            samples = intake.drain() if self._drained else intake.take(frames)
            if len(samples):
                return self._block(samples, intake.pending_seconds)
            if self._drained:
                return self._end()

    def _block(self, samples: Samples, pending_s: float) -> Block:
        samples.flags.writeable = False
        start, self._next_sample = self._next_sample, self._next_sample + len(samples)
        if self._began_s is None:
            captured_s = self._clock.monotonic() - pending_s
        else:
            captured_s = self._began_s + self._next_sample / SAMPLE_RATE_HZ
        return Block(start, samples, captured_s)
