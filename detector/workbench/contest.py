"""Ours against others at equal false alarms, sound by sound, over scenes and evenings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.workbench.alarms import SYNTHETIC_GROUP
from detector.workbench.dataset import LabelledSound
from detector.workbench.matching import Decision, excused, match, tellable
from detector.workbench.metrics import Interval
from detector.workbench.paired import difference
from detector.workbench.soundscape import Scene
from detector.workbench.tally import covered_s

Numbers = NDArray[np.float64]
Runs = Sequence[Sequence[Decision]]
"""One system's runs over a scene, which are averaged."""
_GRAIN = 1e-9


@dataclass(slots=True)
class Record:
    """What somebody has found and falsely told, at each of his rungs."""

    found: list[Numbers] = field(default_factory=list)
    """For each event the share of runs that found it, shape (rungs,)."""
    false_alarms: Numbers = field(default_factory=lambda: np.zeros(1))
    """Shape (rungs,)."""

    def at(self, rung: int | None) -> "Standing":
        """At one rung; None: as one that never tells anything."""
        if rung is None:
            return Standing(np.zeros(len(self.found)), 0.0)
        found = np.array([one[rung] for one in self.found])
        return Standing(found, float(self.false_alarms[rung]))

    def best_rung(self, most_false_alarms: float) -> int | None:
        """The one that finds most, of those before the first that tells falsely more often.

        Rungs go from the strictest on; of those that find as many it is the strictest.  None
        where even the first tells falsely too often.
        """
        too_many = np.flatnonzero(self.false_alarms > most_false_alarms + _GRAIN)
        reach = int(too_many[0]) if len(too_many) else len(self.false_alarms)
        if reach == 0:
            return None
        hits = np.sum(self.found, axis=0)[:reach] if self.found else np.zeros(reach)
        return int(np.argmax(hits))


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody has found and falsely told at one setting."""

    found: Numbers
    """For each event the share of runs that found it, shape (events,)."""
    false_alarms: float

    @property
    def recall(self) -> float:
        """Not a number where there is no event."""
        return float(np.mean(self.found)) if len(self.found) else float("nan")


@dataclass(frozen=True, slots=True)
class Duel:
    """Two over the same events."""

    ours: Standing
    theirs: Standing
    hours: float
    difference: Interval
    """Of recalls, ours less theirs."""

    @property
    def verdict(self) -> str:
        """What can be told from chance."""
        if self.difference.low > 0.0:
            return "above"
        return "below" if self.difference.high < 0.0 else "="


@dataclass(slots=True)
class Contest:
    """All who compete for one sound."""

    groups: list[str] = field(default_factory=list)
    """Of each event."""
    hours: float = 0.0
    """In which an alarm would be false."""
    records: dict[str, Record] = field(default_factory=dict)
    """By who it is; those with several rungs are somebody else."""

    def add(self, sound: str, scene: Scene, told: Mapping[str, Sequence[Runs]]) -> None:
        """Count a scene: of each who competes, the runs at every rung."""
        tell = tellable(scene.events, scene.unsure)
        places = [at for at, one in enumerate(scene.events) if one.sound == sound and one in tell]
        self.groups += [_group(scene, at) for at in places]
        events = [scene.events[at] for at in places]
        unsure = excused(scene.events, scene.unsure)
        self.hours += (scene.seconds - covered_s(unsure, sound, scene.seconds)) / 3600.0
        for name, rungs in told.items():
            outcomes = [_outcome(sound, events, unsure, runs) for runs in rungs]
            record = self.records.setdefault(name, Record([], np.zeros(len(rungs))))
            record.found += list(np.array([found for found, _ in outcomes]).T)
            record.false_alarms = record.false_alarms + [false for _, false in outcomes]

    def best(self, ladder: str, per_hour: float) -> Standing:
        """Of one with several rungs, the best at no more than so many false alarms an hour."""
        record = self.records[ladder]
        return record.at(record.best_rung(per_hour * self.hours))

    def duel(self, ours: Standing, theirs: Standing) -> Duel:
        """Ours against theirs."""
        return Duel(ours, theirs, self.hours, difference(ours.found, theirs.found, self.groups))


def _group(scene: Scene, at: int) -> str:
    """Of an event; what code has made is never the same twice."""
    group = scene.event_groups[at] if scene.event_groups else ""
    made = f"{' '.join(sorted(scene.groups))} {scene.name} {at}"
    return made if group in ("", SYNTHETIC_GROUP) else group


def _outcome(
    sound: str, events: Sequence[LabelledSound], unsure: Sequence[LabelledSound], runs: Runs
) -> tuple[list[float], float]:
    """For each of its events the share of runs that found it; and false alarms, on average."""
    shares, false_alarms = dict.fromkeys(events, 0.0), 0.0
    for run in runs:
        matched = match([one for one in run if one.sound == sound], events, unsure)
        false_alarms += len(matched.false_alarms) / len(runs)
        for found in matched.found:
            shares[found.event] += 1.0 / len(runs)
    return [shares[event] for event in events], false_alarms


def at_equal(contest: Contest, ladder: str, other: str) -> Duel:
    """Ours at our best rung of no more false alarms than theirs."""
    theirs = contest.records[other].at(0)
    record = contest.records[ladder]
    return contest.duel(record.at(record.best_rung(theirs.false_alarms)), theirs)


def the_other_way(contest: Contest, ours: str, ladder: str) -> Duel:
    """Ours as it is, against their best rung of no more false alarms."""
    mine = contest.records[ours].at(0)
    record = contest.records[ladder]
    return contest.duel(mine, record.at(record.best_rung(mine.false_alarms)))


def together(contests: Sequence[Contest], duels: Sequence[Duel]) -> Duel:
    """All sounds in one, each at the rung that is its own."""
    groups = [group for contest in contests for group in contest.groups]
    ours, theirs = map(_joined, _sides(duels))
    hours = max((duel.hours for duel in duels), default=0.0)
    return Duel(ours, theirs, hours, difference(ours.found, theirs.found, groups))


def _sides(duels: Sequence[Duel]) -> Iterator[list[Standing]]:
    yield [duel.ours for duel in duels]
    yield [duel.theirs for duel in duels]


def _joined(standings: Sequence[Standing]) -> Standing:
    found = np.concatenate([np.zeros(0), *(one.found for one in standings)])
    return Standing(found, sum(one.false_alarms for one in standings))
