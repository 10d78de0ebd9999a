"""What the benchmark of feedback tells: lines for a terminal, and a table for a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.learning.intervals import rate_interval, recall_interval

BEGIN, END = "<!-- measured -->", "<!-- end of what is measured -->"
BEFORE = "before"
Change = tuple[float, float | None]
"""The threshold, and the likeness from which something is passed over."""


@dataclass(frozen=True, slots=True)
class Row:
    """One source."""

    source: str
    sound: str
    wrong: int
    """Moments that "wrong" was said of."""
    right: int
    alarms: Mapping[str, Sequence[int]]
    """By road: of each evening."""
    found: Mapping[str, Sequence[bool]]
    """By road: of each event."""
    changes: Mapping[str, Change]

    def line(self) -> str:
        """For a terminal."""
        told = (f"{name} {self.rate(name)}, recall {self.recall(name)}" for name in self.alarms)
        return f"{self.source} → {self.sound}: {'; '.join(told)}"

    def rate(self, name: str) -> str:
        """Alarms an evening."""
        count, evenings = sum(self.alarms[name]), len(self.alarms[name])
        interval = rate_interval(count, evenings)
        return f"{interval.value:.2f} ({interval.low:.2f}–{interval.high:.2f})"

    def recall(self, name: str) -> str:
        """Share of the events, and how many were lost and gained against before."""
        found, before = self.found[name], self.found[BEFORE]
        interval = recall_interval(sum(found), len(found))
        told = f"{interval.value:.2f} ({interval.low:.2f}–{interval.high:.2f})"
        if name == BEFORE:
            return told
        lost = sum(was and not now for was, now in zip(before, found, strict=True))
        gained = sum(now and not was for was, now in zip(before, found, strict=True))
        return f"{told} −{lost} +{gained}"

    def change(self, name: str) -> str:
        """What became of the sound."""
        (before, _), (after, likeness) = self.changes[BEFORE], self.changes[name]
        moved = f"{before:g} → {after:g}" if before != after else "as it was"
        return moved if likeness is None else f"{moved}; passed over from {likeness:.2f}"


def text(rows: Sequence[Row]) -> str:
    """The table."""
    return "\n".join(_table(rows))


def markdown(page: Path, rows: Sequence[Row]) -> None:
    """Put the table between the marks of a page."""
    whole = page.read_text(encoding="utf-8")
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text(rows)}\n{END}{after}", encoding="utf-8")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    names = list(rows[0].alarms)
    evenings, events = len(rows[0].alarms[BEFORE]), len(rows[0].found[BEFORE])
    yield f"\nFalse alarms an evening, in {evenings} evenings:\n"
    yield f"| source | taken for | {' | '.join(names)} | threshold; likeness |"
    yield "|---|---|" + "---|" * (len(names) + 1)
    for row in rows:
        rates = " | ".join(row.rate(name) for name in names)
        yield f"| {row.source} | `{row.sound}` | {rates} | {row.change('feedback')} |"
    yield f"| **all** | | {' | '.join(_all(rows, name).rate(name) for name in names)} | |"
    yield f"\nRecall of the sound, {events} events each; lost (−) and gained (+) of them:\n"
    yield f"| source | taken for | {' | '.join(names)} |"
    yield "|---|---|" + "---|" * len(names)
    for row in rows:
        yield f"| {row.source} | `{row.sound}` | {' | '.join(map(row.recall, names))} |"
    yield f"| **all** | | {' | '.join(_all(rows, name).recall(name) for name in names)} |"
    few = [row for row in rows if row.wrong < 2]
    yield from (f"\n{row.source}: raised {row.wrong} alarm in the first evenings." for row in few)


def _all(rows: Sequence[Row], name: str) -> Row:
    roads = {name, BEFORE}
    alarms = {road: [one for row in rows for one in row.alarms[road]] for road in roads}
    found = {road: [one for row in rows for one in row.found[road]] for road in roads}
    return Row("", "", 0, 0, alarms, found, {})
