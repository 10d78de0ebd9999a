"""What is told of a sound before it is switched on, and the question whether to."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.learning.intervals import Interval
    from detector.learning.judging import Verdict
    from detector.service.teaching import Taught


def tell(taught: "Taught") -> None:
    """Print what is to be expected."""
    for line in lines(taught):
        print(line)


def lines(taught: "Taught") -> Iterator[str]:
    """The same, line by line."""
    name, verdict = taught.sound.name, taught.verdict
    yield f"{name}, from {len(verdict.found)} takes:"
    yield f"  takes found by what was learnt from the others: {_found(verdict)}"
    if verdict.versions_found is None:
        yield "  in other rooms and noises: unknown, for events hold no audio to try them with"
    else:
        yield (
            f"  of them in other rooms, at other levels, in noise down to 0 dB: "
            f"{verdict.versions_found:.0%}"
        )
    yield f"  false alarms: {_alarms(verdict.alarms, verdict.hours, verdict.alarms_a_day)}"
    yield "    (in the shipped backgrounds, which hold one sound after the other: more than a home)"
    if verdict.evening_hours:
        of_evening = verdict.evening_alarms, verdict.evening_hours, verdict.evening_alarms_a_day
        yield f"  in your own evenings: {_alarms(*of_evening)}"
    for kind, count in verdict.mistaken[:2]:
        yield f"  most like it: {kind.replace('_', ' ')} ({count})"
    for unlike in taught.unlike:
        yield f"  unlike the others, and not found by them: {unlike} (another sound? leave it out)"
    for other, (_, beside) in taught.beside.items():
        yield f"  {other} is learnt anew beside it: {_found(beside)} found"


def _found(verdict: "Verdict") -> str:
    recall = verdict.recall
    return (
        f"{sum(verdict.found)} of {len(verdict.found)} "
        f"({recall.low:.0%} … {recall.high:.0%} may be expected)"
    )


def _alarms(count: int, hours: float, a_day: "Interval") -> str:
    told = f"{60 * hours:.0f} min" if hours < 1.0 else f"{hours:.1f} h"
    return (
        f"{count} in {told}, that is {a_day.value:.0f} a day ({a_day.low:.0f} … {a_day.high:.0f})"
    )


def agreed(name: str, *, always: bool) -> bool:
    """Whether it is to be listened for."""
    if always:
        return True
    print(f"listen for {name} from now on? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
