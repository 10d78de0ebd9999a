"""Raw samples from a pipe: ``arecord -t raw … | detector``."""

import logging
import os
import select
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from detector.audio.format import Channel, Format
from detector.audio.pulled import PulledSource
from detector.core.audio import End
from detector.core.clock import Clock
from detector.core.errors import AudioError

_log = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_NAME = "standard input"
_ADVICE = "pipe in raw signed 16-bit little-endian samples, as from arecord -t raw -f S16_LE"


class StreamSource(PulledSource):
    """Signed 16-bit little-endian samples from a stream with a file descriptor.

    The reader sets the pace: what it does not read waits in the pipe.  The descriptor is read
    past the stream's own buffer, so nothing may have been read from the stream before.
    """

    def __init__(
        self, stream: BinaryIO, *, rate_hz: int, channels: int, channel: Channel, clock: Clock
    ) -> None:
        super().__init__(_NAME, channel=channel, realtime=False, clock=clock, sleep=None)
        self._stream = stream
        self._format = Format(rate_hz, channels)
        self._rest = b""

    def _open(self) -> Format:
        if self._stream.isatty():
            raise AudioError(f"{_NAME} is a terminal: {_ADVICE}")
        return self._format

    def _pull(self, count: int, timeout_s: float) -> NDArray[Any] | None:
        frame_bytes = _SAMPLE_BYTES * self._format.channels
        while len(self._rest) < frame_bytes:
            received = self._receive(count * frame_bytes, timeout_s)
            if received is None:
                return None
            if not received:
                return self._finish()
            self._rest += received
        whole = len(self._rest) - len(self._rest) % frame_bytes
        frames = np.frombuffer(self._rest[:whole], "<i2").reshape(-1, self._format.channels)
        self._rest = self._rest[whole:]
        return frames

    def _receive(self, size: int, timeout_s: float) -> bytes | None:
        """Up to ``size`` bytes; none at the end; None: not in time. Raises AudioError."""
        try:
            descriptor = self._stream.fileno()
            if not select.select([descriptor], [], [], timeout_s)[0]:
                return None
            return os.read(descriptor, size)
        except OSError as error:
            raise AudioError(f"{_NAME} cannot be read: {error.strerror or error}") from error

    def _finish(self) -> NDArray[Any]:
        if self._pulled_frames == 0:
            raise AudioError(f"{_NAME} ended before any audio arrived: {_ADVICE}")
        if self._rest:
            _log.warning("%s ended within a sample: %d bytes dropped", _NAME, len(self._rest))
        return np.zeros((0, self._format.channels), "<i2")

    def _end(self) -> End:
        return End(f"{_NAME} ended")
