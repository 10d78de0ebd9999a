"""What was decided against what was there.

The rule.  A decision *finds* an event of its sound if it is told between the event's onset, less a
collar, and its offset, plus the time a decision may take.  What is told earlier, of a sound that is
still on when the event comes, finds nothing: nobody is alerted anew.  A decision that finds no
event is a false alarm, unless its sound may have been there unlabelled: then it counts for nothing.
Further decisions within one event are neither.  An event in the midst of what may be the same sound
(somebody who speaks while the television does) is left out: it may be on already, rightly.  What is
told of it counts for nothing either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.workbench.dataset import LabelledSound

COLLAR_S = 0.2
"""How much earlier than a marked onset: what a person who marks is out by."""
LATE_S = 3.5
"""How long after its end an event may still be told: confirmation, and windows of a second.

A CO alarm is known by the silence after its four beeps: 3.0 s, a tenth more of a slow one.
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """A sound that a system says has begun, at the moment it says so."""

    sound: str
    told_s: float
    cause: str = ""
    """Decisions about several sounds that are one and the same to who is told share it."""


@dataclass(frozen=True, slots=True)
class Found:
    """An event that was found."""

    event: LabelledSound
    latency_s: float
    """From its onset to the first decision."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The outcome for one scene."""

    found: tuple[Found, ...]
    missed: tuple[LabelledSound, ...]
    false_alarms: tuple[Decision, ...]


def match(
    decisions: Iterable[Decision],
    events: Sequence[LabelledSound],
    unsure: Sequence[LabelledSound] = (),
) -> Matched:
    """Hold decisions against events, sound by sound."""
    first: dict[LabelledSound, float] = {}
    false_alarms = []
    for decision in sorted(decisions, key=lambda one: one.told_s):
        event = _told_of(decision, events)
        if event is not None:
            first.setdefault(event, max(0.0, decision.told_s - event.onset_s))
        elif _told_of(decision, unsure) is None:
            false_alarms.append(decision)
    return Matched(
        tuple(Found(event, first[event]) for event in events if event in first),
        tuple(event for event in events if event not in first),
        tuple(false_alarms),
    )


def tellable(
    events: Sequence[LabelledSound], unsure: Sequence[LabelledSound]
) -> list[LabelledSound]:
    """The events that can be told from what may sound around them."""
    return [
        event
        for event in events
        if not any(
            span.sound == event.sound
            and span.onset_s < event.offset_s
            and event.onset_s < span.offset_s
            for span in unsure
        )
    ]


def excused(
    events: Sequence[LabelledSound], unsure: Sequence[LabelledSound]
) -> tuple[LabelledSound, ...]:
    """What may be told without being found or false: what is unsure, and events left out."""
    tell = tellable(events, unsure)
    return (*unsure, *(event for event in events if event not in tell))


def _told_of(decision: Decision, events: Iterable[LabelledSound]) -> LabelledSound | None:
    """The latest event of its sound that it may be about."""
    about = [
        event
        for event in events
        if event.sound == decision.sound
        and event.onset_s - COLLAR_S <= decision.told_s <= event.offset_s + LATE_S
    ]
    return max(about, key=lambda event: event.onset_s, default=None)
