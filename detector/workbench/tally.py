"""Counts of what was found, missed and falsely told, by system, part, sound and ratio."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detector.workbench.dataset import LabelledSound
from detector.workbench.matching import LATE_S, Decision, excused, match, tellable
from detector.workbench.metrics import Interval, percentile, rate_interval, recall_interval
from detector.workbench.soundscape import Scene

ALL = "all"
"""In place of a sound: all of them together."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a count is about."""

    system: str
    part: str
    """``scenes``, ``evenings``, ``clips``, ``recordings``."""
    sound: str
    snr_db: float | None = None
    """None: all ratios together."""


@dataclass(slots=True)
class Count:
    """Sums over scenes; where a system ran several times on a scene, each run counts its share."""

    events: float = 0.0
    hits: float = 0.0
    false_alarms: float = 0.0
    hours: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def recall(self) -> Interval:
        """Share of events found."""
        return recall_interval(self.hits, self.events)

    @property
    def latency_s(self) -> tuple[float, float]:
        """Median and 95th percentile; not a number where nothing was found."""
        return percentile(self.latencies_s, 50), percentile(self.latencies_s, 95)

    def rate(self, distinct_hours: float = math.inf) -> Interval:
        """False alarms per hour.

        Where audio was repeated, the interval rests on the hours that are distinct: the same
        recording heard twice proves no more than once.
        """
        if self.hours <= distinct_hours or distinct_hours <= 0:
            return rate_interval(self.false_alarms, self.hours)
        share = distinct_hours / self.hours
        return rate_interval(self.false_alarms * share, distinct_hours)


@dataclass(slots=True)
class Tally:
    """All counts of an evaluation."""

    counts: dict[Place, Count] = field(default_factory=dict)

    def at(self, system: str, part: str, sound: str = ALL, snr_db: float | None = None) -> Count:
        """One count; an empty one where nothing was counted."""
        return self.counts.setdefault(Place(system, part, sound, snr_db), Count())

    def add(
        self,
        system: str,
        part: str,
        scene: Scene,
        runs: Sequence[Sequence[Decision]],
        sounds: Sequence[str],
    ) -> None:
        """Count one system's runs over a scene."""
        tell = tellable(scene.events, scene.unsure)
        events = [event for event in tell if event.sound in sounds]
        unsure = excused(scene.events, scene.unsure)
        ratios = {None, scene.snr_db}
        for snr_db in ratios:
            self._add_hours(Place(system, part, ALL, snr_db), scene, unsure, sounds)
            for run in runs:
                self._add_run(
                    Place(system, part, ALL, snr_db), run, events, unsure, 1.0 / len(runs)
                )

    def _add_hours(
        self, place: Place, scene: Scene, unsure: Sequence[LabelledSound], sounds: Sequence[str]
    ) -> None:
        for sound in sounds:
            unsure_s = covered_s(unsure, sound, scene.seconds)
            count = self.at(place.system, place.part, sound, place.snr_db)
            count.hours += (scene.seconds - unsure_s) / 3600.0
        self.at(place.system, place.part, ALL, place.snr_db).hours += scene.seconds / 3600.0

    def _add_run(
        self,
        place: Place,
        run: Sequence[Decision],
        events: Sequence[LabelledSound],
        unsure: Sequence[LabelledSound],
        share: float,
    ) -> None:
        matched = match(run, events, unsure)

        def counts(sound: str) -> tuple[Count, Count]:
            of_sound = self.at(place.system, place.part, sound, place.snr_db)
            return of_sound, self.at(place.system, place.part, ALL, place.snr_db)

        for event in events:
            for count in counts(event.sound):
                count.events += share
        for found in matched.found:
            for count in counts(found.event.sound):
                count.hits += share
                count.latencies_s.append(found.latency_s)
        for decision in matched.false_alarms:
            counts(decision.sound)[0].false_alarms += share
        counts(ALL)[1].false_alarms += share * _told_falsely(run, matched.false_alarms)


def _told_falsely(run: Sequence[Decision], false_alarms: Iterable[Decision]) -> int:
    """False alarms as a person hears them: one cause is one, and none if right for any sound."""
    wrong = {(one.cause or one.sound, one.told_s) for one in false_alarms}
    false_alarms = set(false_alarms)
    right = {(one.cause, one.told_s) for one in run if one.cause and one not in false_alarms}
    return len(wrong - right)


def covered_s(spans: Iterable[LabelledSound], sound: str, seconds: float) -> float:
    """Seconds in which a sound may be told without being wrong."""
    covered = reached = 0.0
    for span in sorted((s for s in spans if s.sound == sound), key=lambda s: s.onset_s):
        ends_s = min(span.offset_s + LATE_S, seconds)
        covered += max(0.0, ends_s - max(span.onset_s, reached))
        reached = max(reached, ends_s)
    return covered
