"""What the benchmark of sounds of one's own tells: lines for a terminal, and tables for a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.learning.intervals import Interval, rate_interval, recall_interval

BEGIN, END = "<!-- measured -->", "<!-- end of what is measured -->"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of telling a sound came to."""

    found: Mapping[float, int]
    """By ratio in dB."""
    asked: int
    """At each ratio."""
    alarms: int
    hours: float
    is_refused: bool = False
    """Whether `detector learn` would have refused it."""

    def recalls(self) -> str:
        """At all ratios."""
        return " / ".join(f"{found / self.asked:.2f}" for found in self.found.values())


@dataclass(frozen=True, slots=True)
class Row:
    """One sound."""

    name: str
    is_instance: bool
    nearest: str
    """The class of the model that the takes raise most."""
    learnt: Mapping[int, Outcome]
    """By number of examples."""
    family: Mapping[int, Outcome]

    def line(self, examples: int) -> str:
        """For a terminal."""
        learnt, family = self.learnt[examples], self.family[examples]
        return (
            f"learnt {learnt.recalls()}, {learnt.alarms} in {learnt.hours:.2f} h; "
            f"{self.nearest} {family.recalls()}, {family.alarms}"
        )


def text(rows: Sequence[Row]) -> str:
    """The summary alone."""
    return "\n".join(_summary(rows))


def markdown(page: Path, rows: Sequence[Row]) -> None:
    """Put the tables between the marks of a page."""
    whole = page.read_text(encoding="utf-8")
    before, _, rest = whole.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join([*_summary(rows), "", *_details(rows)])
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    yield "| | examples | recall at 20 dB | at 10 dB | at 3 dB | false alarms an hour |"
    yield "|---|---|---|---|---|---|"
    for is_instance, kind in ((True, "instances"), (False, "categories")):
        chosen = [row for row in rows if row.is_instance == is_instance]
        if not chosen:
            continue
        for way in ("learnt", "family"):
            for examples in chosen[0].learnt:
                outcomes = [getattr(row, way)[examples] for row in chosen]
                told = "learnt" if way == "learnt" else "nearest class"
                yield _line(f"{len(chosen)} {kind}, {told}", examples, outcomes)


def _line(name: str, examples: int, outcomes: Sequence[Outcome]) -> str:
    asked = sum(one.asked for one in outcomes)
    recalls = [
        _interval(recall_interval(sum(one.found[snr] for one in outcomes), asked))
        for snr in outcomes[0].found
    ]
    count, hours = sum(one.alarms for one in outcomes), sum(one.hours for one in outcomes)
    rate = f"{_interval(rate_interval(count, hours))}: {count} in {hours:.0f} h"
    return f"| {name} | {examples} | {' | '.join(recalls)} | {rate} |"


def _interval(of: Interval) -> str:
    return f"{of.value:.2f} ({of.low:.2f}–{of.high:.2f})"


def _details(rows: Sequence[Row]) -> Iterator[str]:
    counts = list(rows[0].learnt)
    yield "Recall at 20 / 10 / 3 dB, and false alarms, sound by sound; † is what `detector learn`"
    yield "would have refused, since it finds less than half of the takes by the others:"
    yield ""
    heads = " | ".join(f"{count} examples" for count in counts)
    yield f"| sound | {heads} | nearest class, {counts[-1]} examples |"
    yield "|---" * (len(counts) + 2) + "|"
    for row in rows:
        learnt = " | ".join(_cell(row.learnt[count]) for count in counts)
        yield f"| {row.name} | {learnt} | {row.nearest}: {_cell(row.family[counts[-1]])} |"


def _cell(outcome: Outcome) -> str:
    mark = " †" if outcome.is_refused else ""
    return f"{outcome.recalls()}; {outcome.alarms}{mark}"
