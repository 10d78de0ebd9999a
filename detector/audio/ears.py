"""What is known of the microphone that is heard: its state, and whether it sounds like itself."""

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

from detector.audio.liveness import GATE_TIMES, Liveness
from detector.audio.profile import Profile
from detector.core.audio import GapCause, MicState, Samples, SourceStatus

_log = logging.getLogger(__name__)

_CARD_NUMBER = re.compile(r"\s*\((hw|plughw):\d+(,\d+)?\)")
_DEAF_AS = {
    GapCause.OVERFLOW: "overflow",
    GapCause.BEHIND: "behind",
    GapCause.SOURCE_LOST: str(MicState.STALLED),
}
"""What a gap counts as that no state accounts for: a stall can be over before it is declared."""


class Memory(Protocol):
    """Keeps what was learnt of microphones, over restarts. Safe from any thread."""

    def recall(self, device: str) -> Mapping[str, Any] | None:
        """What ``remember`` was given last for this microphone."""

    def remember(self, device: str, learnt: Mapping[str, Any]) -> None:
        """Keep what was learnt: a JSON document."""


class Ears:
    """Judges what a source delivers, and what it does not. Owned by one thread.

    ``state``, ``warning`` and ``deaf_seconds`` may be read from any.

    Args:
        memory: What was learnt of each microphone; without one it is learnt anew.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._liveness = Liveness()
        self._profile = Profile()
        self._device: str | None = None
        self._lost_s = dict.fromkeys(_DEAF_AS.values(), 0.0)

    @property
    def state(self) -> MicState:
        """The state as of what was fed last."""
        return self._liveness.state

    @property
    def warning(self) -> str | None:
        """Why the microphone sounds unlike itself, if it does."""
        return self._profile.warning

    @property
    def deaf_seconds(self) -> dict[str, float]:
        """Seconds in which nothing was heard, by cause; they only grow.

        The microphone's own (missing, stalled, silent, stuck), then audio that it heard and that
        got lost here: overflow, behind.
        """
        told = {str(cause): seconds for cause, seconds in self._liveness.deaf_seconds.items()}
        return told | {c: told.get(c, 0.0) + lost_s for c, lost_s in self._lost_s.items()}

    def hear(self, samples: Samples, status: SourceStatus, now_s: float) -> None:
        """A microphone's block, shape (n,) of any length."""
        device = _known_as(status.device)
        if device and device != self._device:
            self._meet(device)
        self._liveness.block(samples, now_s)
        if self._liveness.state is not MicState.OK:
            self._profile.interrupt()
        elif self._profile.hear(samples):
            self._remember()

    def hear_unjudged(self, now_s: float) -> None:
        """A block of a file or pipe: its silence is nobody's fault."""
        self._liveness.unjudged_block(now_s)

    def hear_nothing(self, now_s: float, *, available: bool) -> None:
        """No block came lately; ``available`` as the source says."""
        if available:
            self._liveness.no_block(now_s)
        else:
            self._liveness.unavailable(now_s)
            self._profile.interrupt()

    def miss(self, seconds: float, cause: GapCause) -> None:
        """Audio is lost; what the state accounts for already is not counted twice."""
        self._profile.interrupt()
        if self.state in (MicState.OK, MicState.CLIPPING):
            self._lost_s[_DEAF_AS[cause]] += seconds

    def _meet(self, device: str) -> None:
        self._device = device
        self._profile = Profile()
        self._liveness.forget()
        learnt = self._memory.recall(device) if self._memory else None
        if learnt is None:
            return
        try:
            times, since_s = int(learnt["gated_times"]), float(learnt["heard_since_gate_s"])
            self._profile = Profile.from_document(learnt["profile"])
        except (KeyError, TypeError, ValueError, OverflowError):
            _log.warning("what was learnt of %s cannot be read; it is learnt anew", device)
            return
        self._liveness.gated_times = min(max(0, times), GATE_TIMES)
        self._liveness.heard_since_gate_s = max(0.0, since_s)

    def _remember(self) -> None:
        if self._memory is None or self._device is None:
            return
        learnt = {
            "gated_times": self._liveness.gated_times,
            "heard_since_gate_s": round(self._liveness.heard_since_gate_s),
            "profile": self._profile.to_document(),
        }
        self._memory.remember(self._device, learnt)


@lru_cache(maxsize=8)
def _known_as(device: str) -> str:
    """A name that stays when cards are numbered differently: ``USB Audio: - (hw:1,0)``."""
    return _CARD_NUMBER.sub("", device).strip()
