"""What was decided, read back."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from detector.alerts.history import Question, read_history
from detector.alerts.store import DeliveryState, EventStore, Moment, Settled
from detector.core.errors import DetectorError
from detector.core.events import Event, EventKind, LabelProbability, Phase, SecondStage
from tests.alerts.tools import DETECTION, ONSET, offset, onset

NOW = Moment(1_790_000_000.0, 1000.0, "boot")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database lies."""
    return tmp_path / "outbox-nursery.sqlite"


def write(path: Path, *events: Event) -> None:
    """A run that decided these, with two outlets."""
    store = EventStore(path)
    store.add([(event, NOW) for event in events], ("MQTT", "other"))
    store.close()


def settle(path: Path, event: Event, sink: str, state: DeliveryState) -> None:
    """A run in which this became of a delivery."""
    store = EventStore(path)
    store.settle([Settled(event.id, event.phase, sink, state, NOW.unix_s)])
    store.close()


def at(minutes: float, number: int, sound: str = "baby_cry") -> Event:
    """A sound that began so many minutes after the first."""
    return onset(sound, number, onset_utc=ONSET + timedelta(minutes=minutes))


def ids(path: Path, **question: object) -> list[str]:
    """What a question brings."""
    return [entry["id"] for entry in read_history(path, Question(**question))]  # type: ignore[arg-type]


def test_an_event_is_one_entry_from_its_beginning_to_its_end(path: Path) -> None:
    """With what the end adds; the decision's own figures are those of the beginning."""
    write(path, onset(), offset(latency_ms=1.0))
    [entry] = read_history(path, Question())
    assert (entry["id"], entry["sound"], entry["duration_s"]) == ("nursery-1", "baby_cry", 8.25)
    assert (entry["offset"], entry["reason"]) == ("2026-11-20T18:21:27.769Z", "data")
    assert entry["latency_ms"] == 1480.0
    assert not {"phase", "event_type"} & set(entry)


def test_what_a_second_stage_said_stands_in_the_entry(path: Path) -> None:
    """Whether it came before the end or after it."""
    stage = SecondStage("reasons", (LabelProbability("hungry", 0.75),), 6.0)
    update = onset(phase=Phase.UPDATE, second_stage=stage)
    write(path, onset(), update, offset())
    write(path, onset(number=2), offset(number=2), replace(update, id="nursery-2"))
    for entry in read_history(path, Question()):
        assert entry["second_stage"]["label"] == "hungry"
        assert entry["duration_s"] == 8.25


def test_what_was_possible_is_the_entry_of_what_it_became(path: Path) -> None:
    """Or stands as possible and no more."""
    first = replace(DETECTION, probability=0.6)
    write(path, onset(phase=Phase.POSSIBLE, detection=first), onset(), offset())
    write(path, onset(number=2, phase=Phase.POSSIBLE, detection=first))
    became, remained = read_history(path, Question())
    assert (became["confirmed"], became["probability"]) == (True, 0.93)
    assert became["duration_s"] == 8.25
    assert (remained["confirmed"], remained["probability"]) == (False, 0.6)


def test_the_beginning_comes_first_whatever_the_clock_did_meanwhile(path: Path) -> None:
    """An end reckons the beginning anew: by a microsecond, or an hour, it may be earlier there."""
    ended = replace(DETECTION, probability=0.1)
    earlier = ONSET - timedelta(hours=1)
    write(path, onset(), offset(onset_utc=earlier, detection=ended))
    [entry] = read_history(path, Question())
    assert (entry["probability"], entry["onset"]) == (0.93, "2026-11-20T18:21:19.519Z")
    assert entry["duration_s"] == 8.25


def test_one_that_goes_on_has_no_end(path: Path) -> None:
    """Nor has a notice."""
    write(path, onset(number=1), onset(None, 2, kind=EventKind.DISARMED, detection=None))
    entries = read_history(path, Question())
    assert [(entry["offset"], entry["probability"]) for entry in entries] == [
        (None, 0.93),
        (None, None),
    ]


def test_delivery_is_that_of_the_message_that_fared_worst(path: Path) -> None:
    """For each outlet."""
    write(path, onset(), offset())
    settle(path, onset(), "MQTT", DeliveryState.DELIVERED)
    settle(path, onset(), "other", DeliveryState.DROPPED)
    settle(path, offset(), "other", DeliveryState.DELIVERED)
    [entry] = read_history(path, Question())
    assert entry["delivery"] == {"MQTT": "waiting", "other": "dropped"}


def test_questions_narrow_it_down(path: Path) -> None:
    """By sound, by time, and to the newest; oldest first in any case."""
    write(path, at(0, 1), at(10, 2, "dog_bark"), at(20, 3), at(5, 4))
    began = ONSET.timestamp()
    assert ids(path) == ["nursery-1", "nursery-4", "nursery-2", "nursery-3"]
    assert ids(path, sound="dog_bark") == ["nursery-2"]
    assert ids(path, since_unix_s=began + 600.0) == ["nursery-2", "nursery-3"]
    assert ids(path, until_unix_s=began + 600.0) == ["nursery-1", "nursery-4"]
    assert ids(path, limit=2) == ["nursery-2", "nursery-3"]
    assert ids(path, sound="baby_cry", limit=1) == ["nursery-3"]
    assert ids(path, sound="x'; DROP TABLE events; --") == []


def test_it_can_be_read_while_a_detector_writes(path: Path) -> None:
    """What is committed is seen at once."""
    store = EventStore(path)
    store.add([(onset(), NOW)], ("MQTT",))
    assert ids(path) == ["nursery-1"]
    store.add([(offset(), NOW)], ("MQTT",))
    assert read_history(path, Question())[0]["offset"] is not None
    store.close()


def test_a_crowd_of_readers_beside_a_detector_leaves_no_files_open(path: Path) -> None:
    """But one at most: SQLite keeps that until the next reader comes."""
    store = EventStore(path)
    store.add([(onset(), NOW)], ("MQTT",))
    before = times_open(path)
    with ThreadPoolExecutor(8) as crowd:
        assert list(crowd.map(lambda _: ids(path), range(200))) == [["nursery-1"]] * 200
    assert times_open(path) <= before + 1
    store.close()


def times_open(path: Path) -> int:
    """How many descriptors of this process are of that file."""
    return [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()].count(str(path))


def test_where_there_is_no_file_there_is_no_event(path: Path) -> None:
    """That is no failure; and reading makes none."""
    assert ids(path) == []
    assert not path.exists()


def test_a_path_may_be_relative(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``state_directory`` may be."""
    write(path, onset())
    monkeypatch.chdir(path.parent)
    assert ids(Path(path.name)) == ["nursery-1"]


@pytest.mark.parametrize("name", ["id", "sound", "onset"])
def test_a_row_that_lacks_something_of_an_event_is_passed_over(path: Path, name: str) -> None:
    """A disk may have changed a letter of a name."""
    write(path, onset(number=1), onset(number=2))
    with closing(sqlite3.connect(path)) as db:
        change = f"replace(body, '\"{name}\":', '\"x{name}\":')"
        db.execute(f"UPDATE events SET body = {change} WHERE id = 'nursery-1'")
        db.commit()
    assert ids(path) == ["nursery-2"]


def test_a_file_that_is_no_database_is_a_clear_failure(path: Path) -> None:
    """With its name."""
    path.write_text("garbage " * 1000)
    with pytest.raises(DetectorError, match=r"outbox-nursery.sqlite: the history cannot be read"):
        read_history(path, Question())
