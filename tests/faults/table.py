"""The table of faults: what a row finds out, how a row is added, how all of them are printed."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

Fault = Callable[[Path], "Outcome"]
"""Does something terrible in a folder of its own, and reports."""

HEADER = (
    "fault",
    "what was done",
    "detected after",
    "recovered after",
    "events decided / delivered / duplicated / late",
    "deaf seconds",
    "verdict",
)
INTRODUCTION = """\
# Faults

Made by `python -m tests.faults --markdown docs/faults.md`: real processes, PulseAudio, mosquitto,
SQLite and network; nothing in it stands for the fault itself, and what can only be emulated says
so. Rows that are not run again stay as they are.

*Decided*: what the outbox has on the disk. *Delivered*: what a subscriber received, on `event` or
`event/backlog`. *Duplicated*: received more than once, with the same id. *Late*: received with
`late`, or on the backlog. *Deaf seconds* are of the row's whole daemon where the fault is not the
microphone's: it takes 1 to 2 s to open that. A row fails if an event is lost, if one id comes with
two contents, if something is told to be well that is not, or if a person would be needed.

"""


class MissedError(Exception):
    """Something did not happen in time."""


@dataclass
class Events:
    """What became of the events of a row."""

    decided: int = 0
    delivered: int = 0
    duplicated: int = 0
    late: int = 0

    def __str__(self) -> str:
        return f"{self.decided} / {self.delivered} / {self.duplicated} / {self.late}"


@dataclass
class Outcome:
    """What a fault did to us."""

    done: str
    """What was done, for the table."""
    detected_s: float | None = None
    recovered_s: float | None = None
    events: Events = field(default_factory=Events)
    deaf_s: float | None = None
    failures: list[str] = field(default_factory=list)

    def require(self, condition: object, otherwise: str) -> None:
        """The row fails unless this is so."""
        if not condition:
            self.failures.append(otherwise)

    def within(self, seconds: float | None, limit_s: float, what: str) -> None:
        """The row fails unless this happened in time."""
        shown = "never" if seconds is None else f"after {seconds:.1f} s"
        good = seconds is not None and seconds <= limit_s
        self.require(good, f"{what} {shown}, allowed are {limit_s:g} s")

    @property
    def verdict(self) -> str:
        """For the table."""
        return "ok" if not self.failures else "FAILED: " + "; ".join(self.failures)

    def line(self, name: str) -> str:
        """Its row in the table."""
        cells = (
            f"`{name}`",
            self.done,
            _seconds(self.detected_s),
            _seconds(self.recovered_s),
            str(self.events),
            "–" if self.deaf_s is None else f"{self.deaf_s:.1f}",
            self.verdict,
        )
        return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


FAULTS: dict[str, Fault] = {}
"""By name, in the order of the table."""


def fault(function: Fault) -> Fault:
    """Add a row: its name is the function's, with hyphens."""
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def wait_until(condition: Callable[[], object], limit_s: float, what: str) -> float:
    """Seconds until something holds; raises MissedError after ``limit_s``."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > limit_s:
            raise MissedError(f"{what}: not within {limit_s:g} s")
        time.sleep(0.05)
    return time.monotonic() - began_s


def markdown(lines: Iterable[str]) -> str:
    """The whole page, from the rows of the table."""
    rule = "|" + "|".join(["---"] * len(HEADER)) + "|"
    return "\n".join([INTRODUCTION + "| " + " | ".join(HEADER) + " |", rule, *lines]) + "\n"


def merged(page: str, fresh: dict[str, str]) -> list[str]:
    """The rows of an earlier page, those of ``fresh`` in their place; rows by name."""
    known = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    both = known | fresh
    order = [*FAULTS, *(name for name in both if name not in FAULTS)]
    return [both[name] for name in order if name in both]


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
