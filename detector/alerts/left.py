"""What an earlier run left in the outbox's database, and how old that is now."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.alerts.store import EventStore, Moment, StoredEvent
from detector.alerts.stored import body_of, event_of
from detector.core.clock import Clock
from detector.core.events import Event

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier run left undone."""

    waiting: Mapping[str, Sequence[Event]]
    """What each sink has not had, in order; ages are right for the present boot."""
    on: Sequence[Event]
    """Beginnings of sounds that never ended."""
    last_sign_of_life_unix_s: float | None


def read_left(store: EventStore, sinks: Sequence[str], clock: Clock) -> Left:
    """What is left in a database. Raises sqlite3.Error."""
    return Left(
        {sink: _restored(store.waiting(sink), clock) for sink in sinks},
        _restored(store.left_on(), clock),
        store.last_sign_of_life_unix_s(),
    )


def decided(event: Event, clock: Clock) -> Moment:
    """When a restored one was decided, on this boot's clocks; long ago where nobody could tell."""
    age_s = clock.monotonic() - event.decided_monotonic_s
    unix_s = clock.wall().timestamp() - age_s if math.isfinite(age_s) else 0.0
    return Moment(unix_s, event.decided_monotonic_s, clock.boot_id)


def _restored(stored: Sequence[StoredEvent], clock: Clock) -> list[Event]:
    events = []
    for one in stored:
        try:
            event = event_of(json.loads(one.body), _monotonic_s(one.decided, clock))
            body_of(event)  # what could not be told is no event
            events.append(event)
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            _log.error("a row of the outbox that is no event is passed over: %r", error)
    return events


def _monotonic_s(moment: Moment, clock: Clock) -> float:
    """When it was, on this boot's clock; long ago where nobody can tell."""
    if moment.boot_id and moment.boot_id == clock.boot_id:
        return float(moment.monotonic_s)  # a damaged row may hold anything
    age_s = clock.wall().timestamp() - moment.unix_s
    known = clock.synchronised() is not False and age_s >= 0.0
    return clock.monotonic() - age_s if known else float("-inf")
