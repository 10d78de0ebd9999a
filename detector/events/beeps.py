"""Groups of beeps in envelopes of tones, told by their times, whatever their level. Pure.

Hardly any sound holds a group, but most hold tones, so a group is looked for in four steps, each on
what the one before has left: enough of a tone in any band; bands with some wherever a beep might
be; there, every pace and every step at which the last beep may just have ended; and of what has
beeps and pauses between them, the silences around, as soon as they are over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import ENVELOPES, Array, Observation

STRETCHES = (0.9, 0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.075, 1.1)
"""The pace of an alarm, relative to the standard's."""
LEAST_QUALITY = 0.25
"""Below this a match is none."""
SILENCE_WEIGHT = 2.0
"""What beeps half of the time is not silent."""
GAP_WEIGHT = 0.75
"""Between beeps an echo may last."""
_PART_STEPS = 4
"""How many steps are sorted out together where no beep can have ended."""
_SAME_STEPS = 2
"""Groups that end so near to one another in two bands are one group in both."""
_SAME_S = 0.01
"""What begins so near to where the last one ended follows it."""
_KEPT_STEPS = 1000
"""Beyond what is looked at: the older the less often it is thrown away."""

Span = tuple[float, float]
"""From and to, in seconds after the first beep of a group began."""
Steps = NDArray[np.intp]
"""Counts of steps, or of rows of sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One group of beeps and the silence that belongs to it; where echoes may be, nothing is said.

    The last span ends where the group is known.
    """

    fading: int
    """Which of the envelopes it is looked for in: 0, for long beeps, or 1, for short ones."""
    beeps: tuple[Span, ...]
    gaps: tuple[Span, ...]
    """Between the beeps."""
    before: tuple[Span, ...]
    """Silences before the first beep."""
    after: tuple[Span, ...]
    """Silences after the last."""
    cycle_s: float
    """From the first beep of a group to the first of the next."""
    remembered_s: float
    """How long a group speaks after it was known."""
    once: float
    """Quality at which a group by itself is as likely an alarm's as not."""
    alone_only: bool
    """Whether of several groups out of time none counts."""
    twice: float
    """The same for the mean of two that follow one another at the time of a cycle."""
    missed: float = 0.0
    """How much better they must be two cycles apart, the one between not being heard."""

    @property
    def beeped_s(self) -> float:
        """Seconds from the first beep until the end of the last."""
        return self.beeps[-1][1]

    @property
    def known_s(self) -> float:
        """Seconds from the first beep until the group is known."""
        return max(end for _, end in self.beeps + self.after)


@dataclass(frozen=True, slots=True)
class Match:
    """How well the audio up to a moment fits a pattern."""

    began_s: float
    """When the first beep began."""
    end_s: float
    """When the group was known."""
    bands: NDArray[np.bool_]
    """Those that it is found in, shape (bands,)."""
    pace: float
    """Relative to the standard's."""
    quality: float
    """1: beeps and silences are all that they should be; 0 or below: not at all.

    The faintest beep less the loudest gap or silence, or the silences as a whole."""


class _Places:
    """Where the spans of a pattern lie, in steps, for observations of so many steps.

    Offsets count back from the end of the last beep; negative ones are after it.
    """

    def __init__(self, pattern: Pattern, count: int, step_s: float) -> None:
        def steps(spans: Sequence[Span]) -> tuple[Steps, Steps]:
            back_s = pattern.beeped_s - np.array(spans).reshape(-1, 2)
            back = np.rint(np.multiply.outer(STRETCHES, back_s) / step_s).astype(np.intp)
            return np.maximum(back[:, :, 0], back[:, :, 1] + 1), back[:, :, 1]

        self.before, self.after = steps(pattern.before), steps(pattern.after)
        """Starts and stops of the silences, each of shape (paces, spans)."""
        known_s = (pattern.known_s - pattern.beeped_s) * np.array(STRETCHES)
        self.known = np.rint(known_s / step_s).astype(np.intp)
        """From the end of the last beep until the group is known, shape (paces,)."""
        self._place_beeps(*steps(pattern.beeps + pattern.gaps), len(pattern.beeps), count)
        silences = ((starts - stops).sum(axis=1) for starts, stops in (self.before, self.after))
        self.silence = np.sum(list(silences), axis=0).astype(np.float32)
        """Steps of silence, shape (paces,)."""
        furthest = max(int(self.looked_at), int(self.before[0].max()) + count)
        self.reach = furthest + int(self.known.max())
        """Steps up to now that are ever looked at."""

    def _place_beeps(self, starts: Steps, stops: Steps, beeps: int, count: int) -> None:
        part = math.gcd(count, _PART_STEPS)
        lengths, paces = (starts - stops).T, len(starts)
        self.looked_at = int(starts.max()) + count
        """Steps up to now in which the beeps may lie of which the last may just have ended."""
        first_end = self.looked_at - count + 1
        self.first_ends = np.arange(first_end, self.looked_at + 1, part)
        """Of all that, the row at which each part begins that the last beep may have ended in."""
        ends = np.arange(part)[:, None]
        self.starts = np.array([ends - edge for edge in starts.T]).reshape(-1, part * paces)
        self.stops = np.array([ends - edge for edge in stops.T]).reshape(-1, part * paces)
        """From there to the rows of beeps and gaps, shape (spans, ends · paces)."""
        self.shares = 1.0 / np.tile(lengths, part).astype(np.float32)
        """Of a step in each of the spans, shape (spans, ends · paces)."""
        self.earliest = self.first_ends[:, None] - starts.max(axis=0)[:beeps]
        self.latest = self.first_ends[:, None] + part - 1 - stops.min(axis=0)[:beeps]
        """Rows between which each beep lies in any case, shape (parts, beeps)."""
        self.least = LEAST_QUALITY * lengths[:beeps].min(axis=1)[:, None].astype(np.float32)
        """What each holds of tone at least, shape (beeps, 1)."""
        self.least_of_all = float(self.least.sum())
        """What they hold together, at least."""


_places = cache(_Places)


@cache
def _adding_up(count: int) -> Array:
    """What makes of values, by a product, their sums up to each: quicker than cumsum for a few."""
    return np.tri(count, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Found:
    """Beeps with pauses between them; each field of shape (n,)."""

    last: Steps
    """Steps heard when the last beep ended."""
    pace: Steps
    band: Steps
    faintest: Array
    """Of the beeps."""
    loudest: Array
    """Of the gaps, by their weight, and the silences so far."""
    silence: Array
    """Sum of the silences so far."""

    def quality(self, places: _Places) -> Array:
        """As far as the silences are known."""
        throughout = SILENCE_WEIGHT * self.silence / places.silence[self.pace]
        quality: Array = self.faintest - np.maximum(self.loudest, throughout)
        return quality

    def where(self, which: NDArray[np.bool_]) -> "_Found":
        """Some of them."""
        return _Found(*(getattr(self, field.name)[which] for field in fields(self)))


class Matcher:
    """Finds groups of beeps in envelopes. Not thread-safe: one owner."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._end_s = float("-inf")
        self._found: list[_Found] = []
        """Of which the silence after is awaited."""

    _places: _Places
    _step_s: float
    _sums: Array
    """Row n: what the steps before it hold together, in each band."""
    _row: int
    """The last of them in use."""
    _passed: int
    """Steps that are no longer held."""

    def take(self, observation: Observation) -> Match | None:
        """The best group that becomes known in this observation.

        Each observation follows the last, or it begins anew.
        """
        new = observation.outputs[ENVELOPES][self._pattern.fading]
        if abs(observation.start_s - self._end_s) > _SAME_S:
            self._begin_anew(observation, new)
        self._end_s = observation.end_s
        self._append(new)
        self._find()
        return self._best() if self._found else None

    def _begin_anew(self, observation: Observation, new: Array) -> None:
        self._step_s = round((observation.end_s - observation.start_s) / len(new), 6)
        self._places = _places(self._pattern, len(new), self._step_s)
        self._row, self._passed = self._places.reach, 0
        self._sums = np.zeros((self._row + 1 + _KEPT_STEPS, new.shape[1]), np.float32)
        self._found = []

    def _append(self, new: Array) -> None:
        if self._row + len(new) >= len(self._sums):
            reach = self._places.reach
            kept = self._sums[self._row - reach : self._row + 1]
            self._passed += self._row - reach
            self._sums[: reach + 1] = kept - kept[0]
            self._row = reach
        rows = self._sums[self._row + 1 : self._row + 1 + len(new)]
        np.matmul(_adding_up(len(new)), new, out=rows)
        rows += self._sums[self._row]
        self._row += len(new)

    def _find(self) -> None:
        """Beeps of which the last may have ended in the latest observation."""
        places = self._places
        first = self._row - places.looked_at
        sums = self._sums[first : self._row + 1]
        if (sums[-1] - sums[0]).max() < places.least_of_all:
            return
        tone = sums.take(places.latest, axis=0) - sums.take(places.earliest, axis=0)
        part, band = np.logical_and.reduce(tone >= places.least, axis=1).nonzero()
        if not len(part):
            return
        ends = first + places.first_ends[part]
        at = (ends * sums.shape[1] + band)[:, None, None]
        flat = self._sums.reshape(-1)
        means = flat.take(at + places.stops * sums.shape[1])
        means -= flat.take(at + places.starts * sums.shape[1])
        means *= places.shares
        beeps = len(self._pattern.beeps)
        faintest = means[:, :beeps].min(axis=1)
        gaps = GAP_WEIGHT * means[:, beeps:].max(axis=1)
        which, at = (faintest - gaps >= LEAST_QUALITY).nonzero()
        if len(which):
            end, pace = np.divmod(at, len(STRETCHES))
            last, none = self._passed + ends[which] + end, np.zeros(len(which), np.float32)
            found = _Found(last, pace, band[which], faintest[which, at], gaps[which, at], none)
            found = self._with_silences(found, places.before)
            self._found += [found] if len(found.last) else []

    def _with_silences(self, found: _Found, silences: tuple[Steps, Steps]) -> _Found:
        """Those among the found that are still good enough with these silences."""
        starts, stops = (edges[found.pace] for edges in silences)
        if not starts.size:  # no such silences, or nothing found
            return found
        rows, bands = (found.last - self._passed)[:, None], found.band[:, None]
        sums = self._sums[rows - stops, bands] - self._sums[rows - starts, bands]
        loudest = np.maximum(found.loudest, (sums / (starts - stops)).max(axis=1))
        more = replace(found, loudest=loudest, silence=found.silence + sums.sum(axis=1))
        return more.where(more.quality(self._places) >= LEAST_QUALITY)

    def _best(self) -> Match | None:
        """Of the groups that are known by now; they are forgotten."""
        found, places = _joined(self._found), self._places
        now = self._passed + self._row
        is_known = found.last + places.known[found.pace] <= now
        self._found = [] if is_known.all() else [found.where(~is_known)]
        known = self._with_silences(found.where(is_known), places.after)
        if not len(known.last):
            return None
        qualities = known.quality(places)
        best, ends = int(qualities.argmax()), known.last + places.known[known.pace]
        quality = float(qualities[best])
        end_s = self._end_s - float(now - ends[best]) * self._step_s
        is_same = np.abs(ends - ends[best]) <= _SAME_STEPS
        is_good = qualities >= max(LEAST_QUALITY, 0.5 * quality)
        bands = np.zeros(self._sums.shape[1], np.bool_)
        bands[known.band[is_same & is_good]] = True
        pace = STRETCHES[int(known.pace[best])]
        return Match(end_s - self._pattern.known_s * pace, end_s, bands, pace, quality)


def _joined(found: Sequence[_Found]) -> _Found:
    if len(found) == 1:
        return found[0]
    names = [field.name for field in fields(_Found)]
    return _Found(*(np.concatenate([getattr(one, name) for one in found]) for name in names))
