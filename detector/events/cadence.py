"""The cadence of alarms: beeps told by their times, whatever their level. Pure.

The patterns are those of ISO 8201 and ANSI S3.41 (temporal three, smoke) and of UL 2034 and NFPA 72
(temporal four, carbon monoxide), all times within a tenth.  An alarm is known by a whole group of
beeps *and* the silence around it: a lorry in reverse beeps on, a kitchen timer begins anew at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Heard, Observation
from detector.events.beeps import Match, Matcher, Pattern, Span

SLOPE = 8.0
"""How the odds of an alarm grow with the quality: a logistic curve."""
MOST_ONCE = 0.8
"""No single group is surer than this."""
SPEAKS = 0.5
"""A pattern of which the probability is at least this is heard, for whatever rests on it."""
REMEMBERED_S = 1.0
"""How long a group speaks for an alarm after it was known: with the group itself less than two
groups, and their cycle, last."""
CYCLE_TOLERANCE = 0.14
"""A tenth by the standards, and what is uncertain about where a group began."""
FIT_TOGETHER = 0.43
"""Mean quality of two groups in time, of one pace and tone, that are an alarm whatever each of them
is by itself: such groups reach 0.34 in recordings without an alarm."""
SAME_PACE = 0.08
"""How much the pace of two groups of one alarm may seem to differ."""
DISORDER = 0.04
"""How much better two groups must be for each that came out of time: music is full of them."""


def _pulses(count: int, period_s: float, span: Span) -> tuple[Span, ...]:
    return tuple((n * period_s + span[0], n * period_s + span[1]) for n in range(count))


T3 = Pattern(
    fading=0,
    beeps=_pulses(3, 1.0, (0.06, 0.46)),
    gaps=_pulses(2, 1.0, (0.70, 0.96)),
    before=((-0.9, -0.5), (-0.5, -0.06)),
    after=((2.70, 3.0), (3.0, 3.25), (3.25, 3.5)),
    cycle_s=4.0,
    remembered_s=REMEMBERED_S,
    alone_only=True,
    once=0.5,
    twice=0.33,
)
"""Three beeps of 0.5 s, 0.5 s apart, then 1.5 s of silence: a cycle of 4 s."""
T4 = Pattern(
    fading=1,
    beeps=_pulses(4, 0.2, (0.02, 0.08)),
    gaps=_pulses(3, 0.2, (0.13, 0.19)),
    before=((-2.5, -1.3), (-1.3, -0.06)),
    after=((1.05, 2.4), (2.4, 3.7)),
    cycle_s=5.75,
    remembered_s=REMEMBERED_S,
    alone_only=True,
    once=0.65,
    twice=0.33,
    missed=0.1,  # without it, two bars of music 11.8 s apart were an alarm
)
"""Four beeps of 0.1 s, 0.1 s apart, then 5 s of silence: a cycle of 5.7 s."""
SHORT_BEEPS = Pattern(
    fading=1,
    beeps=T4.beeps,
    gaps=T4.gaps,
    before=((-0.16, -0.06),),
    after=(),
    cycle_s=5.75,
    remembered_s=7.5,  # until the next group of an alarm is known
    alone_only=False,
    once=0.5,
    twice=0.33,
)
"""A group of four short beeps, whatever comes after: no smoke alarm."""
PATTERNS: Mapping[str, Pattern] = MappingProxyType({"t3": T3, "t4": T4})


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of beeps that was found."""

    best: Match
    follows: Match | None
    """The group before it, at the time of a cycle or of two."""
    strays: int
    """How many came shortly before it, at other times than an alarm's."""

    @property
    def began_s(self) -> float:
        """When that began which it speaks for.

        With this group, or with the one before if the two fit so well that they need no others:
        echoes may have left of one so little that it did not speak when it was heard.
        """
        before = self.follows
        return before.began_s if before and _are_alike(before, self.best) else self.best.began_s


class Cadence:
    """The probability that an alarm of a pattern sounds. Not thread-safe: one owner.

    One group makes it possible; a second one at its time, in the same band, makes it sure.  Groups
    that come out of time are a melody's or a machine's, and count for nothing.  The probability
    stands for a second after each group.
    """

    calibrated = True
    """Its curve was fitted to alarms made by code and to recordings without any."""

    def __init__(
        self, pattern: Pattern, *, place: int, scale: Callable[[float], float] = float
    ) -> None:
        """``place`` is that of the recogniser of envelopes among those heard.

        ``scale`` makes of the probability one that goes with those of other evidence.
        """
        self.pattern = pattern
        self._place = place
        self._scale = scale
        self._begin_anew()

    def __call__(self, heard: Heard) -> float:
        """The probability, 0 … 1, at the first recogniser's newest observation."""
        group = self._listen(heard)
        return self._scale(0.0 if group is None else self._probability(group))

    def began_s(self, heard: Heard) -> float | None:
        """When the alarm began that speaks at the newest observation; None if none does."""
        group = self._listen(heard)
        if group is None or self._probability(group) < SPEAKS:
            return None
        return group.began_s

    def _begin_anew(self) -> None:
        self._matcher = Matcher(self.pattern)
        self._taken_s = self._decided_s = self._before_s = float("-inf")
        self._groups: list[_Group] = []
        """The latest, oldest first."""

    def _listen(self, heard: Heard) -> _Group | None:
        """Take what is new; the group that is remembered at the newest observation."""
        observations, now_s = heard[self._place], heard[0][-1].end_s
        if now_s < self._decided_s:
            self._begin_anew()
        for observation in _newer(observations, self._taken_s):
            self._taken_s = observation.end_s
            self._note(self._matcher.take(observation))
        if now_s > self._decided_s:
            self._before_s, self._decided_s = self._decided_s, now_s
        for group in self._groups[-1:]:
            known_s = group.best.end_s
            if now_s - known_s <= self.pattern.remembered_s or known_s > self._before_s:
                return group
        return None

    def _note(self, found: Match | None) -> None:
        """A match close to the last is of the same group: the better of them counts."""
        if found is None:
            return
        if self._groups and found.end_s - self._groups[-1].best.end_s < 0.4 * self.pattern.cycle_s:
            if found.quality <= self._groups[-1].best.quality:
                return
            self._groups.pop()
        earliest_s = found.end_s - 2.5 * self.pattern.cycle_s
        self._groups = [group for group in self._groups if group.best.end_s >= earliest_s]
        before = [g.best for g in self._groups if _is_in_time(g.best, found, self.pattern)]
        follows = max(before, key=lambda match: match.quality, default=None)
        self._groups.append(_Group(found, follows, len(self._groups) - len(before)))

    def _probability(self, group: _Group) -> float:
        pattern = self.pattern
        if group.follows is not None:
            quality = group.best.quality + group.follows.quality
            least = pattern.twice + DISORDER * group.strays
            if group.best.began_s - group.follows.began_s > 1.5 * pattern.cycle_s:
                least += pattern.missed
            return _logistic(SLOPE * (quality - 2.0 * least))
        if pattern.alone_only and group.strays:
            return 0.0
        return min(MOST_ONCE, _logistic(SLOPE * (group.best.quality - pattern.once)))


def _is_in_time(before: Match, after: Match, pattern: Pattern) -> bool:
    """Whether one follows the other after a cycle, or two of which one was missed.

    Beeps and pauses keep one clock's pace.
    """
    if abs(before.pace - after.pace) > SAME_PACE:
        return False
    if not (_widened(before.bands) & after.bands).any():
        return False
    pace = 0.5 * (before.pace + after.pace)
    cycles = (after.began_s - before.began_s) / pattern.cycle_s
    return any(
        max(abs(cycles / count - 1.0), abs(cycles / count - pace)) <= CYCLE_TOLERANCE
        for count in (1, 2)
    )


def _are_alike(one: Match, other: Match) -> bool:
    """Whether they are an alarm's together, whatever each of them is by itself."""
    return 0.5 * (one.quality + other.quality) >= FIT_TOGETHER and bool(
        (one.bands & other.bands).any()
    )


def _widened(bands: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the bands next to them: the tone may drift."""
    wider = bands.copy()
    wider[1:] |= bands[:-1]
    wider[:-1] |= bands[1:]
    return wider


def _logistic(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds))


def _newer(observations: Sequence[Observation], than_s: float) -> list[Observation]:
    """Those that end later, oldest first."""
    newer = []
    for observation in reversed(observations):
        if observation.end_s <= than_s:
            break
        newer.append(observation)
    return newer[::-1]
