"""From a source's own format to 16 kHz mono."""

import logging
from typing import Any

from numpy.typing import NDArray

from detector.audio.format import Channel
from detector.audio.mixing import sanitise, to_float32, to_mono
from detector.audio.resampling import Resampler
from detector.core.audio import Samples

_log = logging.getLogger(__name__)


class Intake:
    """Mixes, sanitises and resamples what one source delivers. Owned by one thread."""

    def __init__(self, *, rate_hz: int, channel: Channel, name: str) -> None:
        self.rate_hz = rate_hz
        self._channel = channel
        self._name = name
        self._warned = False
        self._resampler = Resampler(rate_hz)

    @property
    def pending_seconds(self) -> float:
        """Audio taken in but not handed over yet."""
        return self._resampler.pending_seconds

    def take(self, frames: NDArray[Any]) -> Samples:
        """Take frames, shape (n, channels), integer or float; hand over (m,) at 16 kHz."""
        clean, not_finite = sanitise(to_float32(frames))
        if not_finite and not self._warned:
            self._warned = True
            _log.warning("%s holds samples that are not numbers; heard as silence", self._name)
        return self._resampler.process(to_mono(clean, self._channel))

    def drain(self) -> Samples:
        """Hand over what is pending, shape (m,), and begin anew: before a gap, and at the end."""
        return self._resampler.flush()
