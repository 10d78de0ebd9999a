"""Catches one take out of what a microphone hears: from its first sound until it is quiet again."""

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.level import FLOOR_DBFS, rms_dbfs, to_dbfs

__all__ = ["Catcher", "trace"]

import numpy as np

from detector.learning.sounding import STEP_SAMPLES, loudness

_BARS = "▁▂▃▄▅▆▇█"
_LOUDER_DB = 12.0
"""Above the room's noise: a sound begins."""
_QUIET_DB = 6.0
"""Above it, at most: the sound has ended."""
_LISTEN_S = 1.0
"""Of silence at first, to know the room's noise."""
_SETTLE_S = 10.0
"""What goes on for so long is the room by now: a fan."""
_KEEP_BEFORE_S = 0.5
_QUIET_FOR_S = 1.0
_LONGEST_S = 6.0
_TRACE_WIDTH = 60
_LOWEST_NOISE_DBFS = FLOOR_DBFS + 40.0
"""Never so low that a microphone's own noise would count as a sound."""


class Catcher:
    """Takes samples in; holds a take when one is over. For one thread.

    Args:
        patience_s: Without a sound for so long it gives up.
        quiet_dbfs: The room's noise before, if it is known: until it is so quiet again, what was
            asked for last still sounds, or what was caught of it was cut.
    """

    def __init__(self, *, patience_s: float = 20.0, quiet_dbfs: float | None = None) -> None:
        self._patience_s = patience_s
        self._quiet_dbfs = quiet_dbfs
        self._held: list[Samples] = []
        self._noise: list[float] = []
        self._settling_s = 0.0
        self._quiet_s = 0.0
        self._sounding_s = 0.0
        self._waited_s = 0.0
        self.caught: Samples | None = None
        """The take, with half a second before it, shape (n,)."""
        self.gave_up = False
        self.is_listening = False
        """Whether the room's noise is known, so that the sound may be made now."""

    @property
    def is_kept_waiting(self) -> bool:
        """Whether it would listen, were it as quiet as before."""
        return not self.is_listening and self._settling_s > 2 * _LISTEN_S

    @property
    def noise_dbfs(self) -> float:
        """The room's, once it listens."""
        return float(np.median(self._noise))

    def interrupted(self) -> None:
        """Forget what was held: some audio was lost after it."""
        self._held.clear()
        self._sounding_s = self._quiet_s = 0.0

    def hear(self, samples: Samples) -> None:
        """Take the next samples, shape (n,)."""
        for at in range(0, len(samples), STEP_SAMPLES):
            if self.caught is None and not self.gave_up:
                self._step(samples[at : at + STEP_SAMPLES])

    def _step(self, step: Samples) -> None:
        seconds, level_dbfs = len(step) / SAMPLE_RATE_HZ, rms_dbfs(step)
        self._held.append(step)
        if not self.is_listening:
            self._settle(seconds, level_dbfs)
            return
        above_db = level_dbfs - max(self.noise_dbfs, _LOWEST_NOISE_DBFS)
        if self._sounding_s:
            self._go_on(seconds, above_db)
        elif above_db >= _LOUDER_DB:
            self._sounding_s = seconds
            self._held = self._held[-round(_KEEP_BEFORE_S * SAMPLE_RATE_HZ / STEP_SAMPLES) :]
        else:
            self._waited_s += seconds
            self.gave_up = self._waited_s >= self._patience_s

    def _settle(self, seconds: float, level_dbfs: float) -> None:
        """Know the noise of the last second, once it is that of the room."""
        steps = round(_LISTEN_S * SAMPLE_RATE_HZ / STEP_SAMPLES)
        self._noise = [*self._noise, level_dbfs][-steps:]
        self._settling_s += seconds
        before_dbfs = self._quiet_dbfs
        is_quiet = before_dbfs is None or self.noise_dbfs <= before_dbfs + _QUIET_DB
        is_quiet = is_quiet or self._settling_s >= _SETTLE_S
        self.is_listening = is_quiet and len(self._noise) == steps

    def _go_on(self, seconds: float, above_db: float) -> None:
        self._sounding_s += seconds
        self._quiet_s = self._quiet_s + seconds if above_db < _QUIET_DB else 0.0
        if self._quiet_s >= _QUIET_FOR_S or self._sounding_s >= _LONGEST_S:
            self.caught = np.concatenate(self._held)


def trace(samples: Samples) -> str:
    """How loud it was from beginning to end, shape (n,), in one line of text."""
    level = loudness(samples)
    if not len(level):
        return ""
    parts = np.array_split(level, min(_TRACE_WIDTH, len(level)))
    dbfs = np.array([to_dbfs(float(part.max())) for part in parts])
    height = np.clip((dbfs - dbfs.max() + 48.0) / 48.0, 0.0, 1.0) * (len(_BARS) - 1)
    return "".join(_BARS[round(float(one))] for one in height)
