"""What was heard, along days where the names of files say when they began, else along files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.scan.result import FileResult, HeardSound
from detector.scan.table import printable
from detector.scan.walltime import wall_time

BINS = 1200
"""As many points as a lane is wide: what is nearer together is one mark, however much it is."""
DAY_S = 86_400.0
MOST_LANES = 400
"""More would be no picture any more."""


@dataclass(slots=True)
class Row:
    """One sound along a lane: how many there were, shape (BINS,)."""

    confirmed: NDArray[np.int32] = field(default_factory=lambda: np.zeros(BINS, np.int32))
    possible: NDArray[np.int32] = field(default_factory=lambda: np.zeros(BINS, np.int32))
    count: int = 0


@dataclass(slots=True)
class Lane:
    """A day or a file."""

    name: str
    length_s: float
    heard: NDArray[np.int32] = field(default_factory=lambda: np.zeros(BINS, np.int32))
    rows: dict[str, Row] = field(default_factory=dict)
    """By sound."""

    def hear(self, from_s: float, to_s: float) -> None:
        """There is a recording of this time."""
        self.heard[self._bins(from_s, to_s)] += 1

    def mark(self, sound: HeardSound, from_s: float, to_s: float, *, is_new: bool) -> None:
        """A sound was heard at this time; not new where its beginning is in the lane before."""
        row = self.rows.setdefault(sound.sound, Row())
        counts = row.confirmed if sound.confirmed else row.possible
        counts[self._bins(from_s, to_s)] += 1
        row.count += is_new

    def _bins(self, from_s: float, to_s: float) -> slice:
        scale = BINS / max(self.length_s, 1e-9)
        first = min(BINS - 1, max(0, int(from_s * scale)))
        return slice(first, max(first + 1, min(BINS, int(np.ceil(to_s * scale)))))


@dataclass(slots=True)
class Timeline:
    """All lanes, as many as there is room for."""

    days: dict[str, Lane] = field(default_factory=dict)
    files: list[Lane] = field(default_factory=list)
    left_out: int = 0

    def add(self, result: FileResult, longest_s: float) -> None:
        """A file's sounds, on its days or on a lane of its own, which ends at ``longest_s``."""
        began = wall_time(result.path.stem)
        if began is not None:
            self._add_to_days(result, began.replace(tzinfo=None))
        elif len(self.files) < MOST_LANES:
            self.files.append(_lane_of(result, longest_s))
        else:
            self.left_out += 1

    def _add_to_days(self, result: FileResult, began: datetime) -> None:
        for day, from_s, to_s, _ in _days(began, 0.0, result.duration_s):
            if (lane := self._day(day)) is not None:
                lane.hear(from_s, to_s)
        for sound in result.sounds:
            for day, from_s, to_s, is_new in _days(began, sound.onset_s, _end_s(sound)):
                if (lane := self._day(day)) is not None:
                    lane.mark(sound, from_s, to_s, is_new=is_new)

    def _day(self, day: str) -> Lane | None:
        if day not in self.days and len(self.days) >= MOST_LANES:
            self.left_out += 1
            return None
        return self.days.setdefault(day, Lane(day, DAY_S))


def timeline_of(results: Iterable[FileResult], longest_s: float) -> Timeline:
    """The picture's content; ``longest_s`` is the length of the longest file without a date."""
    timeline = Timeline()
    for result in results:
        timeline.add(result, longest_s)
    return timeline


def longest_undated_s(results: Iterable[FileResult]) -> float:
    """Of the files whose names tell no time."""
    undated = (one.duration_s for one in results if wall_time(one.path.stem) is None)
    return max(undated, default=0.0)


def _lane_of(result: FileResult, longest_s: float) -> Lane:
    lane = Lane(_short(result.path), longest_s)
    lane.hear(0.0, result.duration_s)
    for sound in result.sounds:
        lane.mark(sound, sound.onset_s, _end_s(sound), is_new=True)
    return lane


def _short(path: Path) -> str:
    return printable(Path(*path.parts[-2:]))


def _end_s(sound: HeardSound) -> float:
    return sound.onset_s if sound.offset_s is None else sound.offset_s


def _days(began: datetime, from_s: float, to_s: float) -> Iterator[tuple[str, float, float, bool]]:
    """Each day that a stretch lies in, with its seconds there, and whether it begins there."""
    begins = began + timedelta(seconds=from_s)
    midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
    at_s = (begins - midnight).total_seconds()
    left_s, is_new = to_s - from_s, True
    while True:
        here_s = min(left_s, DAY_S - at_s)
        yield midnight.date().isoformat(), at_s, at_s + here_s, is_new
        left_s -= here_s
        if left_s <= 0.0:
            return
        midnight, at_s, is_new = midnight + timedelta(days=1), 0.0, False
