"""Gives what was decided an id, a node and the time of day."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from detector.core.clock import Clock
from detector.core.events import (
    Detection,
    Event,
    EventKind,
    OffsetReason,
    Phase,
    SecondStage,
    Urgency,
)
from detector.events.gate import Transition


class EventMaker:
    """Gives what was decided an id, a node and the time of day. Safe from any thread."""

    def __init__(self, *, node: str, clock: Clock) -> None:
        self._node = node
        self._clock = clock

    def new_id(self) -> str:
        """An id no other event has: the node, the moment, and chance."""
        now_ms = int(self._clock.wall().timestamp() * 1000)
        return f"{self._node}-{now_ms:013d}-{secrets.token_hex(3)}"

    def notice(self, kind: EventKind, *, urgency: Urgency, reason: str | None = None) -> Event:
        """An event of the listener itself."""
        return Event(
            id=self.new_id(),
            kind=kind,
            phase=Phase.ONSET,
            node=self._node,
            urgency=urgency,
            onset_utc=self._clock.wall(),
            reason=reason,
            clock_synchronised=self._clock.synchronised(),
            decided_monotonic_s=self._clock.monotonic(),
        )

    def test_alert(
        self, sound: str, urgency: Urgency, phase: Phase, event_id: str, onset: datetime
    ) -> Event:
        """One half of a test alert."""
        ended = phase is Phase.OFFSET
        return Event(
            id=event_id,
            kind=EventKind.TEST_ALERT,
            phase=phase,
            node=self._node,
            urgency=urgency,
            onset_utc=onset,
            offset_utc=self._clock.wall() if ended else None,
            sound=sound,
            test=True,
            clock_synchronised=self._clock.synchronised(),
            decided_monotonic_s=self._clock.monotonic(),
        )

    def interrupted(self, began: Event, last_sign_of_life: datetime | None) -> Event:
        """The end of a sound that was on when the process was cut off."""
        ended = max(began.onset_utc, last_sign_of_life or began.onset_utc)
        heard = began.detection and replace(began.detection, why="")
        return replace(
            began,
            phase=Phase.OFFSET,
            detection=heard,
            offset_utc=ended,
            offset_s=began.onset_s + (ended - began.onset_utc).total_seconds(),
            latency_ms=None,
            reason=OffsetReason.INTERRUPTED,
            clock_synchronised=self._clock.synchronised(),
            decided_monotonic_s=self._clock.monotonic(),
        )

    def update(self, event: Event, answer: SecondStage) -> Event:
        """What a second stage makes of a sound that began or ended."""
        return replace(
            event,
            phase=Phase.UPDATE,
            second_stage=answer,
            latency_ms=None,
            reason=None,
            clock_synchronised=self._clock.synchronised(),
            decided_monotonic_s=self._clock.monotonic(),
        )

    def sound(
        self,
        sound: str,
        transition: Transition,
        *,
        event_id: str,
        urgency: Urgency,
        detection: Detection,
        monotonic_of: Callable[[float], float],
    ) -> Event:
        """A sound began or ended; ``monotonic_of`` turns the source's seconds into the clock's."""
        now_s, now = self._clock.monotonic(), self._clock.wall()

        def utc(source_s: float) -> datetime:
            return now - timedelta(seconds=max(0.0, now_s - monotonic_of(source_s)))

        ended = transition.phase is Phase.OFFSET
        return Event(
            id=event_id,
            kind=EventKind.SOUND,
            phase=transition.phase,
            node=self._node,
            urgency=urgency,
            sound=sound,
            onset_s=transition.onset_s,
            onset_utc=utc(transition.onset_s),
            offset_s=transition.time_s if ended else None,
            offset_utc=utc(transition.time_s) if ended else None,
            detection=detection,
            latency_ms=1000.0 * max(0.0, now_s - monotonic_of(transition.time_s)),
            reason=transition.reason,
            clock_synchronised=self._clock.synchronised(),
            decided_monotonic_s=now_s,
        )
