"""The outbox's database: what is in it after every kind of life and death."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.alerts.store import (
    DeliveryState,
    EventStore,
    Moment,
    Settled,
    is_damage,
    set_aside,
)
from detector.alerts.stored import body_of
from detector.core.events import Event, EventKind
from tests.alerts.tools import offset, onset

NOW = Moment(1_790_000_000.0, 1000.0, "boot")
SINKS = ("MQTT", "JSON lines")


def settled(
    event: Event, sink: str = "MQTT", state: DeliveryState = DeliveryState.DELIVERED
) -> Settled:
    """A delivery that came to its end."""
    return Settled(event.id, event.phase, sink, state, NOW.unix_s + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database lies, in a folder that is not there yet."""
    return tmp_path / "state" / "outbox-nursery.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[EventStore]:
    """An open, empty one."""
    made = EventStore(path)
    yield made
    made.close()


def add(store: EventStore, *events: Event) -> int:
    """Write events for both sinks."""
    return store.add([(event, NOW) for event in events], SINKS)


def bodies(store: EventStore, sink: str = "MQTT") -> list[str]:
    """What a sink waits for."""
    return [one.body for one in store.waiting(sink)]


def test_every_sink_waits_for_every_event_in_order(store: EventStore) -> None:
    """Until it has had it."""
    first, second, third = onset(number=1), offset(number=1), onset(number=2)
    add(store, first, second)
    add(store, third)
    assert bodies(store) == [body_of(first), body_of(second), body_of(third)]
    store.settle([settled(first), settled(third)])
    assert bodies(store) == [body_of(second)]
    assert len(bodies(store, "JSON lines")) == 3


def test_the_moment_of_the_decision_is_kept(store: EventStore) -> None:
    """On the wall clock, the monotonic one, and of which boot."""
    add(store, onset())
    assert [one.decided for one in store.waiting("MQTT")] == [NOW]


def test_an_id_and_phase_never_has_two_contents(store: EventStore) -> None:
    """The first one stands, and its deliveries too."""
    add(store, onset(reason="first"))
    store.settle([settled(onset())])
    add(store, onset(reason="second"))
    assert bodies(store) == []
    assert bodies(store, "JSON lines") == [body_of(onset(reason="first"))]


def test_what_was_committed_is_there_after_the_process(store: EventStore, path: Path) -> None:
    """Without a close: as another process, after a kill, would find it."""
    add(store, onset())
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM deliveries").fetchone() == (2,)


def test_sounds_left_on_are_those_without_an_end(store: EventStore) -> None:
    """Test alerts too; notices have no end to wait for."""
    alert = onset(number=3, kind=EventKind.TEST_ALERT)
    notice = onset(None, number=4, kind=EventKind.MICROPHONE_LOST)
    add(store, onset(number=1), onset(number=2), offset(number=1), alert, notice)
    assert [one.body for one in store.left_on()] == [body_of(onset(number=2)), body_of(alert)]


def test_the_last_sign_of_life_is_the_last_that_was_written(store: EventStore) -> None:
    """A decision, or a delivery if that was later."""
    assert store.last_sign_of_life_unix_s() is None
    add(store, onset())
    assert store.last_sign_of_life_unix_s() == NOW.unix_s
    store.settle([settled(onset())])
    assert store.last_sign_of_life_unix_s() == NOW.unix_s + 1


def test_the_last_sign_of_life_is_not_that_of_a_clock_that_was_ahead(store: EventStore) -> None:
    """Else it would be in the future until then."""
    store.add([(onset(number=1), Moment(NOW.unix_s + 1e9, 0.0, ""))], SINKS)
    add(store, onset(number=2))
    assert store.last_sign_of_life_unix_s() == NOW.unix_s


def test_a_file_system_without_locks_costs_no_descriptors(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again and again, for as long as the detector runs."""
    monkeypatch.setattr("detector.alerts.store.fcntl.flock", _refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(OSError, match="No locks available"):
            EventStore(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_beyond_its_rows_what_nobody_waits_for_goes_first(path: Path) -> None:
    """And what somebody waits for only then, which is counted."""
    with closing(EventStore(path, max_events=3)) as store:
        add(store, onset(number=1), onset(number=2), onset(number=3))
        store.settle([settled(onset(number=2), sink) for sink in SINKS])
        assert add(store, onset(number=4)) == 0
        assert bodies(store) == [body_of(onset(number=n)) for n in (1, 3, 4)]
        assert add(store, onset(number=5)) == 1
        assert bodies(store) == [body_of(onset(number=n)) for n in (3, 4, 5)]


def test_beyond_its_bytes_rows_go_until_it_fits(path: Path) -> None:
    """The file ceases to grow."""
    with closing(EventStore(path, max_bytes=300_000)) as store:
        sizes = []
        for start in range(0, 4000, 500):
            events = [onset(number=number) for number in range(start, start + 500)]
            store.add([(event, NOW) for event in events], ("MQTT",))
            store.settle([settled(event) for event in events])
            sizes.append(path.stat().st_size)
        assert 0 < len(bodies(store)) + 1 < 1000
    assert path.stat().st_size < 1_500_000


def test_all_files_are_the_owners_alone(store: EventStore, path: Path) -> None:
    """They say when somebody was at home."""
    add(store, onset())
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
    assert modes == {
        "outbox-nursery.sqlite": 0o600,
        "outbox-nursery.sqlite-wal": 0o600,
        "outbox-nursery.sqlite-shm": 0o600,
        "outbox-nursery.sqlite.lock": 0o600,
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_detector_is_kept_off(store: EventStore, path: Path) -> None:
    """It would take the first one's events for its own, left by an earlier run."""
    with pytest.raises(OSError, match="another detector of this name is running"):
        EventStore(path)


@pytest.mark.parametrize(
    "garbage", [b"no database at all\n" * 100, b"SQLite format 3\0" + b"x" * 4080]
)
def test_a_damaged_file_is_told_as_such_and_set_aside(path: Path, garbage: bytes) -> None:
    """Together with the other files that SQLite keeps beside it."""
    path.parent.mkdir()
    path.write_bytes(garbage)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        EventStore(path)
    assert is_damage(caught.value)
    aside = set_aside(path)
    assert aside.read_bytes() == garbage
    assert not path.exists()
    with closing(EventStore(path)) as fresh:
        assert fresh.waiting("MQTT") == []


def test_another_programs_database_is_damage_too(path: Path) -> None:
    """And so is one of a later version."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
        other.execute("CREATE TABLE events (x)")
    with pytest.raises(sqlite3.DatabaseError) as caught:
        EventStore(path)
    assert is_damage(caught.value)


def test_a_full_disk_or_a_missing_folder_is_no_damage(tmp_path: Path) -> None:
    """The file must not be set aside for that."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="File exists") as caught:
        EventStore(tmp_path / "file" / "outbox.sqlite")
    assert not is_damage(caught.value)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert not is_damage(full)
