"""``detector history``, with and without a service."""

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.alerts.store import DeliveryState, EventStore, Moment, Settled
from detector.cli.history import moment
from detector.core.events import EventKind
from tests.alerts.tools import offset, onset

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with a history."""
    store = EventStore(tmp_path / "state" / "detector" / "outbox-nursery.sqlite")
    decided = Moment(NOW.timestamp(), 0.0, "boot")
    test = onset("dog_bark", 2, kind=EventKind.TEST_ALERT, test=True, detection=None)
    lost = onset(None, 3, kind=EventKind.MICROPHONE_LOST, detection=None, reason="missing: gone")
    events = [onset(), offset(), test, lost]
    store.add([(event, decided) for event in events], ("MQTT",))
    store.settle([Settled(e.id, e.phase, "MQTT", DeliveryState.DELIVERED, 0.0) for e in events[:3]])
    store.close()
    (tmp_path / "detector.yaml").write_text("node: nursery\n")
    return tmp_path


@pytest.fixture
def live_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets this machine's time zone; afterwards it is again what it was."""

    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def history(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "detector", "history", "-c", home / "detector.yaml", *options],
        env={
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "PATH": os.environ["PATH"],
            "TZ": "Europe/Berlin",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_table_tells_what_when_and_whether_it_got_through(home: Path) -> None:
    """One line an event, in local time."""
    done = history(home)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first.split() == (
        [
            "2026-11-20",
            "19:21:19",
            "baby_cry",
            "8.2",
            "s",
            "0.93",
            "≥",
            "0.40;",
            "next",
            "best:",
            "cat_meow",
            "0.20,",
            "peak",
            "0.97",
            "delivered",
        ]
    )
    assert "dog_bark" in second
    assert "test alert" in second
    assert third.split() == (
        ["2026-11-20", "19:21:19", "microphone_lost", "missing:", "gone", "MQTT:", "waiting"]
    )


def test_json_has_every_field(home: Path) -> None:
    """One object a line."""
    entries = [json.loads(line) for line in history(home, "--json").stdout.splitlines()]
    assert [entry["id"] for entry in entries] == ["nursery-1", "nursery-2", "nursery-3"]
    assert entries[0]["classes"][0] == {"class": "Baby cry, infant cry", "score": 0.91}
    assert entries[0]["delivery"] == {"MQTT": "delivered"}


def test_csv_has_a_heading_and_a_cell_for_everything(home: Path) -> None:
    """A spreadsheet can take it."""
    rows = list(csv.DictReader(io.StringIO(history(home, "--csv").stdout)))
    assert [row["sound"] for row in rows] == ["baby_cry", "dog_bark", ""]
    assert (rows[0]["duration_s"], rows[2]["reason"]) == ("8.25", "missing: gone")


def test_sound_and_time_narrow_it_down(home: Path) -> None:
    """And what nothing fits says so."""
    assert len(history(home, "--sound", "dog_bark").stdout.splitlines()) == 1
    assert history(home, "--until", "2026-11-20").stdout == "no event\n"
    assert len(history(home, "--since", "2026-11-20", "-n", "2").stdout.splitlines()) == 2


def test_where_there_is_none_it_says_where_it_looked(home: Path) -> None:
    """It is no failure."""
    done = history(home, "--node", "kitchen")
    assert done.returncode == 0
    assert "no history at" in done.stderr
    assert "outbox-kitchen.sqlite" in done.stderr


@pytest.mark.parametrize("bad", [("--since", "soon"), ("-n", "0"), ("--since", "99999999d")])
def test_what_is_no_time_or_number_is_refused_with_what_would_be(
    home: Path, bad: tuple[str, str]
) -> None:
    """As wrong use of the command line."""
    done = history(home, *bad)
    assert done.returncode == 2
    assert repr(bad[1]) in done.stderr


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("today", timedelta(hours=18, minutes=30)),
        ("yesterday", timedelta(hours=42, minutes=30)),
        ("2026-11-20T18:00+00:00", timedelta(minutes=30)),
    ],
)
def test_a_time_as_people_say_it(live_in: Callable[[str], None], text: str, ago: timedelta) -> None:
    """Relative to now, or absolute."""
    live_in("UTC")
    assert moment(text, NOW) == (NOW - ago).timestamp()


@pytest.mark.parametrize(
    ("text", "midnight"), [("today", "2026-10-24T22:00"), ("yesterday", "2026-10-23T22:00")]
)
def test_midnight_is_that_of_the_calendar(
    live_in: Callable[[str], None], text: str, midnight: str
) -> None:
    """Also where the clocks are put back in the small hours: then it was more hours ago."""
    live_in("CET-1CEST,M3.5.0,M10.5.0/3")
    evening = datetime(2026, 10, 25, 18, tzinfo=UTC).astimezone()
    assert moment(text, evening) == datetime.fromisoformat(midnight + "+00:00").timestamp()


@pytest.mark.parametrize("text", ["", "soon", "12", "-3h", "2026-13-01", "9999999h"])
def test_what_is_no_time(text: str) -> None:
    """Is refused."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        moment(text, NOW)
