"""What is written down, by a thread of its own, on disks of all kinds."""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.alerts.journal import Journal
from detector.alerts.left import Left
from detector.alerts.store import DeliveryState
from detector.core.events import Event
from tests.alerts.tools import PATIENCE_S, offset, onset, until
from tests.clocks import HandClock


class Desk:
    """A journal, and what it found when it was opened."""

    def __init__(self, path: Path, clock: HandClock, **settings: Any) -> None:
        self.left: list[Left] = []
        self.journal = Journal(
            path, ["MQTT"], clock, self.left.append, **({"retry_s": 0.02} | settings)
        )

    def write(self, *events: Event) -> None:
        """Record, and wait until they are on the disk."""
        for event in events:
            self.journal.record(event).result(PATIENCE_S)

    def waiting(self) -> list[str]:
        """What an earlier run left for MQTT: id and phase."""
        return [f"{event.id} {event.phase}" for event in self.left[0].waiting["MQTT"]]


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands."""
    return HandClock(1000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database lies."""
    return tmp_path / "outbox-nursery.sqlite"


@pytest.fixture
def desk(path: Path, clock: HandClock) -> Iterator[Desk]:
    """A running journal."""
    made = Desk(path, clock)
    made.journal.start()
    yield made
    made.journal.stop()


def reopened(path: Path, clock: HandClock) -> Desk:
    """What the next run finds."""
    desk = Desk(path, clock)
    desk.journal.start()
    desk.journal.stop()
    return desk


def rows(path: Path) -> list[tuple[str, str, str]]:
    """Id, phase and state, as another process sees them."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT id, phase, state FROM events JOIN deliveries USING (seq) ORDER BY seq"
        ).fetchall()


def test_an_event_is_on_the_disk_when_its_receipt_is_done(desk: Desk, path: Path) -> None:
    """Not merely on its way there."""
    desk.write(onset())
    assert rows(path) == [("nursery-1", "onset", "waiting")]


def test_a_delivery_is_noted(desk: Desk, path: Path) -> None:
    """So that the next run does not tell it again."""
    desk.write(onset())
    desk.journal.settle(onset(), "MQTT", DeliveryState.DELIVERED)
    until(lambda: rows(path) == [("nursery-1", "onset", "delivered")], "the note")


def test_the_next_run_finds_what_was_not_delivered_and_what_stayed_on(
    desk: Desk, path: Path, clock: HandClock
) -> None:
    """In order."""
    desk.write(onset(number=1), offset(number=1), onset(number=2))
    desk.journal.settle(onset(number=1), "MQTT", DeliveryState.DELIVERED)
    desk.journal.stop()
    later = reopened(path, clock)
    assert later.waiting() == ["nursery-1 offset", "nursery-2 onset"]
    assert [event.id for event in later.left[0].on] == ["nursery-2"]
    assert later.left[0].last_sign_of_life_unix_s == clock.wall().timestamp()


@pytest.mark.parametrize(
    "case",
    [
        ("boot", True, 30.0, 10.0),
        ("boot", False, -5000.0, 10.0),
        ("another", True, 30.0, 30.0),
        ("another", None, 30.0, 30.0),
        ("another", False, 30.0, float("inf")),
        ("another", True, -30.0, float("inf")),
    ],
)
def test_age_is_told_by_the_clock_that_can_tell(
    path: Path,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, bool | None, float, float],
) -> None:
    """The monotonic one within a boot; else the wall clock, if that is right; else it is long."""
    boot, synchronised, wall_s, age_s = case
    first = Desk(path, clock)
    first.journal.start()
    first.write(onset(decided_monotonic_s=1000.0))
    first.journal.stop()
    clock.now_s += 10.0
    clock.wall_offset = timedelta(seconds=wall_s - 10.0)
    monkeypatch.setattr(clock, "boot_id", boot)
    monkeypatch.setattr(clock, "synchronised", lambda: synchronised)
    [event] = reopened(path, clock).left[0].waiting["MQTT"]
    assert clock.now_s - event.decided_monotonic_s == pytest.approx(age_s, abs=0.01)


def test_a_full_disk_is_said_once_and_what_it_did_not_take_comes_later(
    path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The receipt fails at once: nobody waits for a disk, here one with a folder in the way."""
    path.mkdir()
    desk = Desk(path, clock)
    thread = threading.Thread(target=desk.journal.start)
    thread.start()
    receipts = [desk.journal.record(onset(number=number)) for number in range(3)]
    for receipt in receipts:
        assert receipt.exception(PATIENCE_S) is not None
    until(lambda: desk.journal.error is not None, "a word")
    assert desk.journal.unwritten == 3
    path.rmdir()
    until(lambda: desk.journal.unwritten == 0, "the disk")
    thread.join(PATIENCE_S)
    assert desk.journal.error is None
    assert [row[0] for row in rows(path)] == ["nursery-0", "nursery-1", "nursery-2"]
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "events cannot be written down" in caplog.text
    desk.journal.stop()


def test_a_damaged_database_is_set_aside_and_said(
    path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """And a fresh one takes its place."""
    path.write_bytes(b"garbage" * 1000)
    desk = Desk(path, clock)
    desk.journal.start()
    desk.write(onset())
    desk.journal.stop()
    assert rows(path) == [("nursery-1", "onset", "waiting")]
    assert path.with_name(path.name + ".damaged").read_bytes() == b"garbage" * 1000
    assert "set aside as outbox-nursery.sqlite.damaged, begun afresh" in caplog.text


def overwrite(path: Path) -> None:
    """Fill the files of an open database with garbage."""
    for name in (path.name, path.name + "-wal"):
        victim = path.with_name(name)
        with victim.open("r+b") as file:
            file.write(os.urandom(victim.stat().st_size))


def test_damage_in_mid_life_loses_nothing_that_is_still_to_be_told(
    path: Path, clock: HandClock
) -> None:
    """It is noticed at the next look, and the fresh database is told all that nobody has had."""
    desk = Desk(path, clock, verify_s=0.05)
    desk.journal.start()
    desk.write(onset(number=1), onset(number=2))
    desk.journal.settle(onset(number=1), "MQTT", DeliveryState.DELIVERED)
    until(lambda: desk.journal.unwritten == 0, "the note")
    overwrite(path)
    desk.journal.record(onset(number=3))
    until(lambda: path.with_name(path.name + ".damaged").exists(), "the damage to be noticed")
    until(lambda: desk.journal.unwritten == 0, "the fresh database")
    desk.journal.stop()
    assert reopened(path, clock).waiting() == ["nursery-2 onset", "nursery-3 onset"]


def test_a_fresh_database_is_told_what_is_older_first(path: Path, clock: HandClock) -> None:
    """Also where the damage is found at the end of another failure: its disk was not there."""
    desk = Desk(path, clock, verify_s=0.05)
    desk.journal.start()
    desk.write(onset(number=1))
    path.with_name("away").symlink_to(path.parent / "missing" / path.name)
    path.with_name("away").replace(path)
    until(lambda: desk.journal.error is not None, "the absence to be noticed")
    desk.journal.record(onset(number=2))
    path.with_name(path.name + "-wal").unlink(missing_ok=True)  # it would heal the other
    path.with_name("garbage").write_bytes(b"garbage" * 1000)
    path.with_name("garbage").replace(path)
    until(lambda: desk.journal.unwritten == 0, "the fresh database")
    desk.journal.stop()
    assert reopened(path, clock).waiting() == ["nursery-1 onset", "nursery-2 onset"]


@pytest.mark.parametrize(("away_s", "age_s"), [(36_000.0, 36_010.0), (-60.0, float("inf"))])
def test_what_is_written_down_anew_is_as_old_as_before(
    path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, away_s: float, age_s: float
) -> None:
    """Else it would ring a lamp at the next start: it was decided two runs before that."""
    first = Desk(path, clock)
    first.journal.start()
    first.write(onset(decided_monotonic_s=clock.now_s))
    first.journal.stop()
    monkeypatch.setattr(clock, "boot_id", "another")
    clock.wall_offset = timedelta(seconds=away_s)
    second = Desk(path, clock, verify_s=0.05)
    second.journal.start()
    overwrite(path)
    until(lambda: path.with_name(path.name + ".damaged").exists(), "the damage to be noticed")
    until(lambda: second.journal.unwritten == 0, "the fresh database")
    second.journal.stop()
    clock.now_s += 10.0
    [event] = reopened(path, clock).left[0].waiting["MQTT"]
    assert clock.now_s - event.decided_monotonic_s == pytest.approx(age_s, abs=0.01)


def test_damage_that_was_not_noticed_is_looked_for_before_the_end(
    desk: Desk, path: Path, clock: HandClock
) -> None:
    """Where the next run would be told of nothing."""
    desk.write(onset(number=1))
    overwrite(path)
    desk.write(onset(number=2))
    desk.journal.stop()
    assert reopened(path, clock).waiting() == ["nursery-1 onset", "nursery-2 onset"]


def test_a_row_that_is_no_event_is_passed_over(
    desk: Desk, path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told."""
    desk.write(onset(number=1), onset(number=2))
    desk.journal.stop()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE events SET body = ? WHERE id = 'nursery-1'", (json.dumps({}),))
        db.commit()
    assert reopened(path, clock).waiting() == ["nursery-2 onset"]
    assert "is no event" in caplog.text


def test_starting_and_stopping_twice_is_once(desk: Desk) -> None:
    """And no thread is left."""
    desk.journal.start()
    desk.journal.stop()
    desk.journal.stop()
    assert not [t for t in threading.enumerate() if t.name == "detector-journal"]


def test_a_defect_keeps_no_alert_waiting(
    path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged as one, and the receipt fails; what was left is not handed over twice."""
    handed: list[Left] = []

    def fail(left: Left) -> None:
        handed.append(left)
        raise ZeroDivisionError

    journal = Journal(path, ["MQTT"], clock, fail, retry_s=PATIENCE_S)
    receipt = journal.record(onset())
    thread = threading.Thread(target=journal.start)
    thread.start()
    assert receipt.exception(PATIENCE_S) is not None
    assert "bug: the journal failed" in caplog.text
    assert "defect" in str(journal.error)
    thread.join(PATIENCE_S)
    journal.stop()
    assert len(handed) == 1
    assert rows(path) == [("nursery-1", "onset", "waiting")]
