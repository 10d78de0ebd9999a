"""The harness that breaks things must not be broken itself."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.__main__ import load_rows
from tests.faults.recorder import tally
from tests.faults.table import FAULTS, HEADER, Outcome, markdown, merged

DOCS = Path(__file__).parents[2] / "docs" / "faults.md"
DECIDED = {("n-1", "onset"), ("n-1", "offset")}


def came(phase: str = "onset", **more: Any) -> dict[str, Any]:
    """An event that arrived."""
    return {"id": "n-1", "phase": phase, "backlog": False} | more


@pytest.fixture(autouse=True)
def _rows() -> None:
    load_rows()


def test_what_arrived_is_counted() -> None:
    """Once each, one of them twice, and that one late."""
    events, failures = tally([came(), came(late=True, age_s=9.0), came("offset")], DECIDED)
    assert str(events) == "2 / 2 / 1 / 1"
    assert failures == []


def test_what_is_on_the_backlog_is_late() -> None:
    """Whether it says so or not."""
    events, _ = tally([came(backlog=True), came("offset")], DECIDED)
    assert events.late == 1


@pytest.mark.parametrize(
    ("arrived", "words"),
    [
        ([came()], "1 events lost"),
        ([came(), came("offset"), came(sound="other")], "two contents"),
        ([came(), came("offset"), came("update")], "never decided"),
    ],
    ids=["lost", "changed", "stray"],
)
def test_what_must_not_be_fails_the_row(arrived: list[dict[str, Any]], words: str) -> None:
    """One failure, in words."""
    _, [failure] = tally(arrived, DECIDED)
    assert words in failure


def test_an_outcome_fails_by_what_it_requires() -> None:
    """In time is well, late or never is not."""
    outcome = Outcome("done")
    outcome.within(1.0, 2.0, "it")
    assert outcome.verdict == "ok"
    outcome.within(3.0, 2.0, "it")
    outcome.within(None, 2.0, "it")
    assert outcome.verdict == ("FAILED: it after 3.0 s, allowed are 2 s; it never, allowed are 2 s")


def test_rows_that_are_not_run_again_stay_in_the_page() -> None:
    """In the order of the rows there are."""
    first, second = list(FAULTS)[:2]
    page = markdown([Outcome("old").line(first), Outcome("old").line(second)])
    lines = merged(page, {second: Outcome("new").line(second)})
    assert [line.split(" | ")[1] for line in lines] == ["old", "new"]
    assert all(line.count(" | ") == len(HEADER) - 1 for line in lines)


def test_the_table_in_the_docs_has_every_row_and_none_that_failed() -> None:
    """Made by the command that it names."""
    page = DOCS.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in rows] == list(FAULTS)
    assert "FAILED" not in page


@pytest.mark.system
def test_a_row_runs_and_says_what_came_of_it(tmp_path: Path) -> None:
    """The shortest one; all of them take minutes and are run by hand."""
    outcome = FAULTS["discovery-wiped"](tmp_path)
    assert outcome.verdict == "ok"
    assert outcome.recovered_s is not None
