"""How a microphone usually sounds, learnt over days; a warning where it sounds unlike itself.

Every second a snippet is looked at, every minute its noise floor is taken: in all, and in six
octaves.  What a minute usually gives is kept as histograms that fade slowly.  A microphone that is
covered, unplugged or turned down still delivers sound, so no state of ``Liveness`` tells it; but
then the floor falls below all that it ever was.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.level import FLOOR_DBFS

SNIPPET_SAMPLES = 1024
"""Looked at of every second: a floor needs no more."""
BAND_EDGES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)
MINUTE_S = 60
FLOOR_PERCENT = 10.0
"""The floor: so much of a minute is quieter."""
HALF_LIFE_MINUTES = 7 * 24 * 60.0
RIPE_MINUTES = 24 * 60
"""Nothing is unusual before it was heard for a day and a night."""
USUAL_PERCENT = (0.5, 99.5)
MARGIN_DB = 6.0
"""How far outside what was usual; while it is known for less than a week, more, see ``_margin``."""
STRANGE_WEIGHT = 0.01
"""So much less a strange minute teaches: it takes days until the new is usual."""
BEGINS_MINUTES = 30
ENDS_MINUTES = 5

_BINS = round(-FLOOR_DBFS) + 1  # of 1 dB, from FLOOR_DBFS to full scale
_FEATURES = len(BAND_EDGES_HZ)  # the whole, then each band
_UPPER = slice(_FEATURES - 3, _FEATURES)  # the bands from 1 kHz
_FADING = 0.5 ** (1.0 / HALF_LIFE_MINUTES)
_HANN = np.hanning(SNIPPET_SAMPLES + 1)[:-1].astype(np.float32)
_EDGES = [round(edge * SNIPPET_SAMPLES / SAMPLE_RATE_HZ) for edge in BAND_EDGES_HZ[:-1]]
_POWER_SCALE = 2.0 / (SNIPPET_SAMPLES * float(np.sum(_HANN**2)))

Floors = NDArray[np.float64]
"""Noise floors in dBFS of the whole and of each octave, shape (7,)."""


@dataclass(frozen=True, slots=True)
class _Strange:
    """In which way a minute was unlike all others, and by how many dB beyond them."""

    how: str
    by_db: float


_TEXTS = {
    "quieter": "quieter than ever in the past days, by {:.0f} dB: covered, unplugged, turned down?",
    "louder": "louder than ever in the past days, by {:.0f} dB: turned up, or a noise beside it?",
    "duller": "duller than ever in the past days, by {:.0f} dB above 1 kHz: covered?",
}


class Profile:
    """What one microphone usually gives. Owned by one thread.

    A warning begins when each of the last 30 minutes was strange in the same way, after at least
    24 h in which it learnt, and ends after 5 minutes in a row that were not.  *Strange* is a
    noise floor more than 6 dB (11 dB on the second day, 1 dB less with each further one) outside
    the range that 99 % of the minutes lie in: all of it (``quieter``, ``louder``), or that of two
    of the three octaves from 1 kHz up (``duller``).  Strange minutes are learnt too, a hundredfold
    slower: what stays becomes usual, after half a day where one day was known, after five days
    where weeks were.
    """

    def __init__(self) -> None:
        self.warning: str | None = None
        """Why it sounds unlike itself, for a person; None while it does not."""
        self.minutes = 0
        """How many it has learnt from."""
        self._usual = np.zeros((_FEATURES, _BINS))
        self._how: str | None = None  # of the warning
        self._usual_in_row = 0  # minutes
        self._lately: deque[_Strange | None] = deque(maxlen=BEGINS_MINUTES)
        self._pending: list[Samples] = []
        self._gathered = 0  # samples of the second that goes on
        self._snippets: list[NDArray[np.float32]] = []

    def hear(self, samples: Samples) -> bool:
        """Take a block, shape (n,); whether a minute was completed with it."""
        if self._gathered < SNIPPET_SAMPLES:
            self._pending.append(samples)
        self._gathered += len(samples)
        if self._gathered < SAMPLE_RATE_HZ:
            return False
        self._snippets.append(np.concatenate(self._pending)[:SNIPPET_SAMPLES])
        self._pending, self._gathered = [], 0
        if len(self._snippets) < MINUTE_S:
            return False
        self.take_minute(floors(np.stack(self._snippets)))
        self._snippets = []
        return True

    def interrupt(self) -> None:
        """What is heard now is not what it usually hears, or nothing is: drop what was begun."""
        self._pending, self._gathered = [], 0
        self._snippets = []

    def take_minute(self, minute: Floors) -> None:
        """Judge a minute by its noise floors, shape (7,), then learn from it."""
        strange = self._judge(minute)
        self._lately.append(strange)
        self._usual_in_row = 0 if strange else self._usual_in_row + 1
        if self.warning is None:
            self._find_warning()
        elif self._usual_in_row >= ENDS_MINUTES:
            self.warning = self._how = None
        self._learn(minute, STRANGE_WEIGHT if strange else 1.0)

    def _learn(self, minute: Floors, weight: float) -> None:
        bins = np.clip(np.round(minute - FLOOR_DBFS), 0, _BINS - 1).astype(int)
        self._usual *= _FADING
        self._usual[np.arange(_FEATURES), bins] += weight
        self.minutes += 1

    def _judge(self, minute: Floors) -> _Strange | None:
        if self.minutes < RIPE_MINUTES:
            return None
        low, high = (self._quantile(percent) for percent in USUAL_PERCENT)
        margin_db = _margin(self.minutes)
        below, above = low - minute, minute - high
        second_below = float(np.sort(below[_UPPER])[-2])
        for how, by_db in (
            ("quieter", float(below[0])),
            ("louder", float(above[0])),
            ("duller", second_below),
        ):
            if by_db > margin_db:
                return _Strange(how, by_db)
        return None

    def _quantile(self, percent: float) -> Floors:
        """The level in dBFS below which so much of what was learnt lies, shape (7,)."""
        reached = np.cumsum(self._usual, axis=1)
        wanted = percent / 100.0 * reached[:, -1:]
        bins: Floors = np.argmax(reached >= wanted, axis=1).astype(np.float64)
        bins += FLOOR_DBFS
        return bins

    def _find_warning(self) -> None:
        ways = {one.how if one else None for one in self._lately}
        if len(self._lately) < BEGINS_MINUTES or len(ways) > 1 or None in ways:
            return
        self._how = next(iter(ways))
        by_db = float(np.median([one.by_db for one in self._lately if one]))
        self.warning = _TEXTS[str(self._how)].format(by_db)

    def to_document(self) -> dict[str, Any]:
        """What it has learnt, and the warning that stands, for JSON."""
        rows = []
        for row in np.round(self._usual, 3):
            filled = np.flatnonzero(row)
            first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, -1)
            rows.append({"from": first, "minutes": row[first : last + 1].tolist()})
        return {"minutes": self.minutes, "usual": rows, "how": self._how, "warning": self.warning}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Profile":
        """One that goes on from there; ValueError, TypeError or KeyError for what is none."""
        made = cls()
        made.minutes = int(document["minutes"])
        for row, told in zip(made._usual, document["usual"], strict=True):
            first, values = int(told["from"]), np.asarray(told["minutes"], np.float64)
            if not (0 <= first <= _BINS - len(values) and np.all(values >= 0.0)):
                raise ValueError("a histogram that cannot be")
            row[first : first + len(values)] = values
        how, warning = document.get("how"), document.get("warning")
        if how in _TEXTS and isinstance(warning, str):
            made._how, made.warning = how, warning
        if made.minutes < 0 or not np.all(np.isfinite(made._usual)):
            raise ValueError("no profile")
        return made


def floors(snippets: NDArray[np.float32]) -> Floors:
    """Noise floors of a minute's snippets, shape (n, 1024): all frequencies, then each octave."""
    spectrum = np.fft.rfft(snippets * _HANN, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * _POWER_SCALE
    bands = np.add.reduceat(power, _EDGES, axis=1)
    every = np.column_stack((bands.sum(axis=1), bands))
    floor = np.percentile(every, FLOOR_PERCENT, axis=0)
    levels: Floors = np.maximum(FLOOR_DBFS, 10.0 * np.log10(np.maximum(floor, 1e-30)))
    return levels


def _margin(minutes: int) -> float:
    """Decibels outside the usual that count: a house has not shown all its sides on day one."""
    days = minutes / (24 * 60)
    return MARGIN_DB + max(0.0, 6.0 - days)
