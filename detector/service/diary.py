"""What outlives a restart of the listener: when it last lived, how deaf it was, what it learnt."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path
from threading import Lock
from typing import Any

from detector.core.clock import Clock
from detector.service.statefile import StateFile

_log = logging.getLogger(__name__)

SAVE_EVERY_S = 60.0
"""So much of its last life at most is lost by a kill; it counts as not running then."""
NOT_RUNNING = "not_running"
LONGEST_ABSENCE_S = 30 * 86_400.0
"""More than this is taken for a clock that was wrong."""
MOST_MICROPHONES = 8


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A moment at which the listener lived."""

    wall_s: float
    """Unix time."""
    boot_id: str
    monotonic_s: float
    armed: bool


class Diary:
    """The listener's own account of itself; made once for a process, it outlives each reload.

    For the main thread, but for ``recall`` and ``remember``, which are for any.  Nothing about
    its file stops the daemon: a damaged one is set aside, one that cannot be written is named.

    *Deaf seconds* are told since the start, and of the day by the local calendar: both contain
    the time in which nothing ran (``not_running``), reckoned from the last heartbeat, unless it was
    disarmed then.  Within one boot the monotonic clock says how long that was; after another the
    time of day does, and once more when that is first known to be right.

    Args:
        directory: The state directory; the file is ``diary-<node>.json``.
        node: Which listener.
        clock: Tells the time.
        zone: Whose midnight begins a day; None for the machine's own.
    """

    def __init__(
        self, directory: Path, node: str, clock: Clock, *, zone: tzinfo | None = None
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._lock = Lock()  # guards what was learnt
        self._learnt: dict[str, Mapping[str, Any]] = {}
        self._since_start: dict[str, float] = defaultdict(float)
        self._today: dict[str, float] = defaultdict(float)
        self._day: date | None = None
        self._absence: _Absence | None = None
        self._ceased_s: float | None = None
        self._saved_s: float | None = None
        self._armed = True
        self.started_s = clock.monotonic()
        """When the process began to listen."""
        self.lived_s = self.started_s
        """When the last heartbeat was."""
        self.counts: Counter[str] = Counter()
        """What else is counted since the start; whoever counts, names it."""
        self.move_to(directory, node)

    def move_to(self, directory: Path, node: str) -> None:
        """From now on keep the file there: the configuration has changed."""
        path = directory / f"diary-{node}.json"
        self._file = StateFile(path, lost="what was learnt and how deaf it was is not known")

    @property
    def deaf_seconds(self) -> dict[str, float]:
        """Since the start, by cause, and their ``total``."""
        return _with_total(self._since_start)

    @property
    def deaf_seconds_today(self) -> dict[str, float]:
        """Since midnight, over restarts, by cause, and their ``total``."""
        return _with_total(self._today)

    def open(self) -> None:
        """Read it, and count the time in which nothing ran."""
        found = self._file.read(_parse)
        self._ceased_s = self._clock.monotonic()
        if found is None:
            self._turn_page()
            return
        self._day, today, self._learnt, last = found
        self._today.update(today)
        self._turn_page()
        if last.armed:
            self._absence = _Absence(last, self._clock)
            self._count_absence(self._absence)
            self._absence.tell(synchronised=self._clock.synchronised())

    def cease(self) -> None:
        """Nobody listens for now, until the next ``live``; that is counted as not running."""
        self._ceased_s = self._clock.monotonic()

    def live(self, *, armed: bool) -> None:
        """A heartbeat: the listener lives. Saves now and then; several times a second is fine."""
        now_s = self._clock.monotonic()
        self._armed, self.lived_s = armed, now_s
        self._turn_page()
        if self._ceased_s is not None:
            self.count_deaf(NOT_RUNNING, now_s - self._ceased_s)
            self._ceased_s = None
        if self._saved_s is not None and now_s - self._saved_s < SAVE_EVERY_S:
            return
        if self._absence is not None and self._absence.is_unsure:
            self._count_absence(self._absence)
        self.save()

    def save(self) -> None:
        """Write it down."""
        now_s = self._clock.monotonic()
        self._saved_s = now_s
        heartbeat = Heartbeat(
            self._clock.wall().timestamp(), self._clock.boot_id, now_s, self._armed
        )
        with self._lock:
            learnt = dict(self._learnt)
        document = {
            "heartbeat": asdict(heartbeat),
            "day": None if self._day is None else self._day.isoformat(),
            "deaf_seconds": {cause: round(seconds, 1) for cause, seconds in self._today.items()},
            "microphones": learnt,
        }
        self._file.write(document, durable=False)

    def count_deaf(self, cause: str, seconds: float) -> None:
        """Nothing was heard for so long; not to be told while disarmed."""
        if seconds > 0.0 and self._armed:
            self._since_start[cause] += seconds
            self._today[cause] += seconds

    def recall(self, device: str) -> Mapping[str, Any] | None:
        """What was learnt of a microphone."""
        with self._lock:
            return self._learnt.get(device)

    def remember(self, device: str, learnt: Mapping[str, Any]) -> None:
        """Keep what was learnt; of many microphones, those heard last."""
        with self._lock:
            self._learnt.pop(device, None)
            self._learnt[device] = learnt
            while len(self._learnt) > MOST_MICROPHONES:
                del self._learnt[next(iter(self._learnt))]

    def _turn_page(self) -> None:
        """Begin a new day after midnight, but not twice when the clock is put back over it."""
        today = self._local_now().date()
        if self._day is None or today > self._day or (self._day - today).days > 1:
            self._today.clear()
            self._day = today
            if self._absence is not None:
                self._absence.counted_today_s = 0.0

    def _count_absence(self, absence: "_Absence") -> None:
        """Count what is known of it now; the clock may have been set since it was counted."""
        seconds = absence.seconds()
        ended = datetime.fromtimestamp(absence.ended_wall_s(), self._clock.wall().tzinfo)
        part_s = min(seconds, max(0.0, (ended - self._midnight()).total_seconds()))
        self._since_start[NOT_RUNNING] += seconds - absence.counted_s
        self._today[NOT_RUNNING] += part_s - absence.counted_today_s
        absence.counted_s, absence.counted_today_s = seconds, part_s

    def _local_now(self) -> datetime:
        return self._clock.wall().astimezone(self._zone)

    def _midnight(self) -> datetime:
        naive = datetime.combine(self._local_now().date(), time())
        return naive.astimezone() if self._zone is None else naive.replace(tzinfo=self._zone)


class _Absence:
    """The time from a heartbeat to the beginning of this process."""

    def __init__(self, last: Heartbeat, clock: Clock) -> None:
        self._last = last
        self._clock = clock
        self._ended_s = clock.monotonic()
        self._same_boot = last.boot_id != "" and last.boot_id == clock.boot_id
        self.is_unsure = not self._same_boot and clock.synchronised() is False
        """Whether it must be reckoned again: the clock was not set yet."""
        self.counted_s = 0.0
        self.counted_today_s = 0.0

    def ended_wall_s(self) -> float:
        """The time of day at which it ended, as the clock stands now."""
        now_s = self._clock.wall().timestamp()
        return now_s - (self._clock.monotonic() - self._ended_s)

    def seconds(self) -> float:
        """How long it was, as far as can be told; never negative, nor more than 30 days."""
        if self.is_unsure and self._clock.synchronised() is not False:
            self.is_unsure = False
        return min(LONGEST_ABSENCE_S, max(0.0, self._told_s()))

    def _told_s(self) -> float:
        if self._same_boot:
            return self._ended_s - self._last.monotonic_s
        return self.ended_wall_s() - self._last.wall_s

    def tell(self, *, synchronised: bool | None) -> None:
        """Log it."""
        told_s = self._told_s()
        _log.info("it did not run for %.0f s", self.counted_s)
        if not 0.0 <= told_s <= LONGEST_ABSENCE_S:
            _log.warning(
                "by the clock it did not run for %.0f s, which cannot be; %.0f s are counted",
                told_s,
                self.counted_s,
            )
        elif not self._same_boot and synchronised is False:
            _log.warning("the clock is not set yet: how long it did not run is not known")


def _with_total(seconds: Mapping[str, float]) -> dict[str, float]:
    return dict(seconds) | {"total": sum(seconds.values())}


_Content = tuple[date | None, dict[str, float], dict[str, Mapping[str, Any]], Heartbeat]


def _parse(document: Any) -> _Content:
    beat = document["heartbeat"]
    last = Heartbeat(
        wall_s=_number(beat["wall_s"]),
        boot_id=str(beat["boot_id"]),
        monotonic_s=_number(beat["monotonic_s"]),
        armed=bool(beat["armed"]),
    )
    day = document.get("day")
    today = {str(cause): _number(s) for cause, s in document.get("deaf_seconds", {}).items()}
    learnt = document.get("microphones", {})
    if any(seconds < 0.0 for seconds in today.values()) or not isinstance(learnt, dict):
        raise ValueError("a diary that cannot be")
    return None if day is None else date.fromisoformat(day), today, learnt, last


def _number(value: Any) -> float:
    """A finite number that a timestamp can be, else ValueError or TypeError."""
    made = float(value)
    if not abs(made) < 1e11:
        raise ValueError(value)
    return made
