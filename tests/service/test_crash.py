"""What a daemon makes of one that was cut off before it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.alerts.messages import timestamp
from detector.alerts.store import DeliveryState, EventStore, Moment, Settled
from detector.core.events import EventKind
from detector.service.outputs import outbox_path
from tests.alerts.tools import (
    ONSET,
    Broker,
    Watcher,
    free_port,
    offset,
    onset,
    running,
    until,
)
from tests.service.life import Life


@pytest.fixture
def life(short_path: Path) -> Iterator[Life]:
    """A daemon's life that is yet to be lived."""
    made = Life(short_path)
    yield made
    made.notifications.close()


def cut_off(life: Life, sink: str, *, delivered: bool, sign_of_life_s: float = 20.0) -> None:
    """An earlier run decided that a dog barked, and ended without a word some time later."""
    began = onset("dog_bark", 7)
    decided_s = ONSET.timestamp() + 1.0
    store = EventStore(outbox_path(life.folder / "state", "nursery"))
    moment = Moment(decided_s, life.clock.monotonic() - 30.0, life.clock.boot_id)
    store.add([(began, moment)], (sink,))
    notice = onset(None, 8, kind=EventKind.ARMED, detection=None)
    later = Moment(ONSET.timestamp() + sign_of_life_s, moment.monotonic_s, moment.boot_id)
    store.add([(notice, later)], (sink,))
    if delivered:
        for event in (began, notice):
            state = DeliveryState.DELIVERED
            store.settle([Settled(event.id, event.phase, sink, state, decided_s)])
    store.close()


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The events that were written as JSON lines."""
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_sound_left_on_is_ended_as_of_the_last_sign_of_life(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its own id, and why; nothing is left for the run after this one."""
    cut_off(life, "JSON lines", delivered=True)
    assert life.run(lambda: None) == 0
    [ended] = lines(capfd)
    assert (ended["id"], ended["phase"], ended["reason"]) == ("nursery-7", "offset", "interrupted")
    assert (ended["duration_s"], ended["offset"]) == (20.0, "2026-11-20T18:21:39.519Z")
    store = EventStore(outbox_path(life.folder / "state", "nursery"))
    assert (store.left_on(), store.waiting("JSON lines")) == ([], [])
    store.close()


def test_a_sound_left_on_did_not_end_in_the_future(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a clock would have it that was ahead when the listener lived last."""
    cut_off(life, "JSON lines", delivered=True, sign_of_life_s=1e9)
    assert life.run(lambda: None) == 0
    [ended] = lines(capfd)
    assert ended["onset"] <= ended["offset"] <= timestamp(max(ONSET, life.clock.wall()))


def test_what_it_could_not_tell_any_more_is_told_late(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """In order: the beginning, then the end."""
    cut_off(life, "JSON lines", delivered=False)
    assert life.run(lambda: None) == 0
    told = lines(capfd)
    assert [(e["id"], e["phase"]) for e in told] == [
        ("nursery-7", "onset"),
        ("nursery-8", "onset"),
        ("nursery-7", "offset"),
    ]
    assert told[0]["late"] is True
    assert told[0]["age_s"] == pytest.approx(30.0, abs=10.0)
    assert "late" not in told[2]


@pytest.mark.system
def test_on_never_sticks_after_a_crash(life: Life, tmp_path: Path) -> None:
    """Neither where the beginning was told, nor where it is only told now."""
    with running(Broker(tmp_path)) as broker:
        life.tell_broker(broker.port)
        cut_off(life, "MQTT", delivered=False)
        watcher = Watcher(broker.port)
        watcher.say("detector/nursery/sound/dog_bark/state", "ON", retain=True)

        def script() -> None:
            until(lambda: len(events_in(watcher)) == 3, "all three events")
            watcher.wait_for("detector/nursery/status", "online")

        assert life.run(script) == 0
        states = [s.payload for s in watcher.seen if s.topic.endswith("dog_bark/state")]
        assert states[-1] == "OFF"
        watcher.close()
    with closing(sqlite3.connect(outbox_path(life.folder / "state", "nursery"))) as db:
        assert db.execute("SELECT DISTINCT state FROM deliveries").fetchall() == [("delivered",)]


def events_in(watcher: Watcher) -> list[dict[str, Any]]:
    """What came on the topic of events."""
    return [json.loads(s.payload) for s in watcher.seen if s.topic == "detector/nursery/event"]


def test_a_full_disk_keeps_nobody_from_being_told(
    life: Life, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, and in health; here a folder lies where the database should be."""
    outbox_path(life.folder / "state", "nursery").mkdir(parents=True)

    def script() -> None:
        life.control.request("disarm")
        status = life.control.request("status")
        assert "events cannot be written down" in status["health"]["storage_error"]

    assert life.run(script) == 0
    assert [event["event_type"] for event in lines(capfd)] == ["disarmed"]
    assert "they are told all the same, from memory" in caplog.text


def test_the_end_is_that_of_the_event_itself(life: Life) -> None:
    """One that had ended is left alone."""
    cut_off(life, "JSON lines", delivered=True)
    store = EventStore(outbox_path(life.folder / "state", "nursery"))
    store.add([(offset("dog_bark", 7), Moment(0.0, 0.0, ""))], ())
    store.close()
    assert life.run(lambda: None) == 0
    with closing(sqlite3.connect(outbox_path(life.folder / "state", "nursery"))) as db:
        [(body,)] = db.execute("SELECT body FROM events WHERE phase = 'offset'").fetchall()
    assert json.loads(body)["reason"] == "data"


def test_a_reload_takes_over_what_is_only_in_memory(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """The disk takes nothing, the broker is away, and then all parts are new."""
    outbox_path(life.folder / "state", "nursery").mkdir(parents=True)
    without = life.config
    life.tell_broker(free_port())

    def script() -> None:
        life.control.request("disarm")
        life.config = without
        life.reload()
        until(lambda: life.control.request("status")["health"]["mqtt"]["undelivered"] == 0, "lines")

    assert life.run(script) == 0
    assert "disarmed" in [event["event_type"] for event in lines(capfd)]
