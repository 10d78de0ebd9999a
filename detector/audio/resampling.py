"""From any sample rate to 16 kHz, in a stream."""

from typing import TYPE_CHECKING

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples

if TYPE_CHECKING:
    from soxr import ResampleStream


class Resampler:
    """Resamples a stream to 16 kHz with soxr's HQ filter. Owned by one thread.

    The filter's delay shifts nothing: the output lies on the input's time, so that an impulse at
    1 s comes out at sample 16000.  The delay only withholds: what is still in the filter comes
    with the next input, or with ``flush``.  At 16 kHz samples pass as they are.
    """

    def __init__(self, rate_in_hz: int) -> None:
        self._rate_in_hz = rate_in_hz
        self._stream: ResampleStream | None = None

    @property
    def pending_seconds(self) -> float:
        """Audio withheld in the filter: how much earlier than the last input the output ends."""
        return 0.0 if self._stream is None else float(self._stream.delay()) / SAMPLE_RATE_HZ

    def process(self, samples: Samples) -> Samples:
        """Take samples, shape (n,), at the source's rate; hand over (m,) at 16 kHz, m may be 0."""
        if self._rate_in_hz == SAMPLE_RATE_HZ:
            return samples
        if self._stream is None:
            self._stream = self._open()
        resampled: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples))
        return resampled

    def flush(self) -> Samples:
        """Hand over what the filter withholds, shape (m,), and begin anew."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest: Samples = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        return rest

    def _open(self) -> "ResampleStream":
        from soxr import ResampleStream

        return ResampleStream(self._rate_in_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
