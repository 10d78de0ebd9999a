"""Audio that is in memory already: the demo's scene, and tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.audio.format import Format
from detector.audio.pulled import PulledSource, Sleep
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.clock import Clock
from detector.core.errors import AudioError

_NAME = "audio in memory"


class ArraySource(PulledSource):
    """Plays an array, shape (n,) or (n, channels), integer or float.

    Args:
        samples: The audio; read from, never copied as a whole.
        rate_hz: Its sample rate.
        realtime: At its own pace (true) or as fast as it is read (false).
        clock: The pace.
        sleep: Waits for seconds; default: until ``stop`` at the latest.
    """

    def __init__(
        self,
        samples: NDArray[Any],
        *,
        rate_hz: int = SAMPLE_RATE_HZ,
        realtime: bool,
        clock: Clock,
        sleep: Sleep | None = None,
    ) -> None:
        super().__init__(_NAME, channel="mix", realtime=realtime, clock=clock, sleep=sleep)
        self._frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
        self._rate_hz = rate_hz

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return len(self._frames) / self._rate_hz

    def _open(self) -> Format:
        if len(self._frames) == 0:
            raise AudioError(f"{_NAME} holds no audio")
        return Format(self._rate_hz, self._frames.shape[1])

    def _pull(self, count: int, timeout_s: float) -> NDArray[Any]:
        del timeout_s  # an array is there at once
        # A copy, since a block is its reader's own, while the array is its giver's.
        return self._frames[self._pulled_frames : self._pulled_frames + count].copy()
