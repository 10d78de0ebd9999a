"""The outbox, with sinks that do as they are told."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from detector.alerts.jsonlines import JsonLinesSink
from detector.alerts.left import Left
from detector.alerts.outbox import Outbox
from detector.alerts.sinks import (
    Delivery,
    DeniedError,
    Receipt,
    UndeliverableError,
    delivered,
    failed,
)
from detector.alerts.store import DeliveryState
from detector.core.errors import MqttError
from detector.core.events import Event
from tests.alerts.memory import MemoryOnly
from tests.alerts.tools import PATIENCE_S, offset, onset, until
from tests.clocks import HandClock


class FakeSink:
    """Takes everything, unless told otherwise."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.ready = True
        self.observed: list[str] = []
        self.deliveries: list[Delivery] = []
        self.answers: list[Receipt] = []
        """What the next deliveries are answered with."""
        self.failure: Exception | None = None
        self.called = threading.Event()

    @property
    def told(self) -> list[str]:
        """Ids of what was delivered."""
        return [delivery.event.id for delivery in self.deliveries]

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def observe(self, event: Event) -> None:
        """Remember."""
        self.observed.append(event.id)

    def deliver(self, delivery: Delivery) -> Receipt:
        """Remember, and answer."""
        self.deliveries.append(delivery)
        self.called.set()
        if self.failure is not None:
            raise self.failure
        return self.answers.pop(0) if self.answers else delivered()


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands."""
    return HandClock(1000.0)


@pytest.fixture
def sink() -> FakeSink:
    """A sink that takes everything."""
    return FakeSink()


@pytest.fixture
def outbox(sink: FakeSink, clock: HandClock) -> Iterator[Outbox]:
    """A running outbox before that sink."""
    made = Outbox([sink], clock, late_after_s=120.0, journal=MemoryOnly(), capacity=3)
    made.start()
    yield made
    made.stop()


def test_events_reach_every_sink_in_order(clock: HandClock) -> None:
    """One that is not ready delays no other."""
    first, second, away = FakeSink(), FakeSink(), FakeSink()
    away.ready = False
    outbox = Outbox([away, first, second], clock, late_after_s=120.0, journal=MemoryOnly())
    outbox.start()
    for number in range(3):
        outbox.put(onset(number=number))
    until(lambda: len(first.told) == len(second.told) == 3, "three each")
    assert first.told == second.told == ["nursery-0", "nursery-1", "nursery-2"]
    assert (away.told, outbox.undelivered) == ([], 3)
    away.ready = True
    until(lambda: outbox.undelivered == 0, "the third sink")
    assert away.told == first.told
    outbox.stop()


def test_a_sink_hears_of_a_decision_at_once(outbox: Outbox, sink: FakeSink) -> None:
    """Even while nothing can be delivered."""
    sink.ready = False
    outbox.put(onset())
    assert sink.observed == ["nursery-1"]


def test_the_next_event_waits_for_the_receipt_of_the_last(outbox: Outbox, sink: FakeSink) -> None:
    """Or a retry would turn the order round."""
    receipt: Receipt = Receipt()
    sink.answers = [receipt]
    outbox.put(onset(number=1))
    outbox.put(onset(number=2))
    assert sink.called.wait(PATIENCE_S)
    assert not outbox.flush(0.05)
    assert (sink.told, outbox.undelivered) == (["nursery-1"], 2)
    receipt.set_result(None)
    assert outbox.flush(PATIENCE_S)
    assert sink.told == ["nursery-1", "nursery-2"]


def test_a_failed_delivery_is_made_again_before_the_next(outbox: Outbox, sink: FakeSink) -> None:
    """As often as it takes."""
    sink.answers = [failed(MqttError("lost")), failed(MqttError("lost"))]
    outbox.put(onset(number=1))
    outbox.put(onset(number=2))
    assert outbox.flush(PATIENCE_S)
    assert sink.told == ["nursery-1"] * 3 + ["nursery-2"]
    assert outbox.undelivered == 0


def test_what_a_sink_will_never_take_is_given_up(outbox: Outbox, sink: FakeSink) -> None:
    """The next event goes on."""
    sink.answers = [failed(UndeliverableError("denied"))]
    outbox.put(onset(number=1))
    outbox.put(onset(number=2))
    assert outbox.flush(PATIENCE_S)
    assert sink.told == ["nursery-1", "nursery-2"]
    assert outbox.undelivered == 0


def test_a_sinks_defect_costs_one_event_and_not_the_thread(
    outbox: Outbox, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """And is logged as what it is."""
    sink.failure = RuntimeError("a defect")
    outbox.put(onset(number=1))
    assert outbox.flush(PATIENCE_S)
    sink.failure = None
    outbox.put(onset(number=2))
    assert outbox.flush(PATIENCE_S)
    assert sink.told == ["nursery-1", "nursery-2"]
    assert "a defect" in caplog.text


@pytest.mark.parametrize(
    ("age_s", "fate"),
    [
        (0.0, "live"),
        (5.0, "live"),
        (5.1, "late"),
        (120.0, "late"),
        (120.1, "backlog"),
        (-3.0, "live"),
    ],
)
def test_age_decides_what_is_late_and_what_is_history(
    outbox: Outbox, sink: FakeSink, clock: HandClock, age_s: float, fate: str
) -> None:
    """On the monotonic clock; an event of the future has no age."""
    outbox.put(onset(decided_monotonic_s=clock.now_s - age_s))
    assert outbox.flush(PATIENCE_S)
    delivery = sink.deliveries[0]
    assert (delivery.late, delivery.backlog) == (fate != "live", fate == "backlog")
    assert delivery.age_s == pytest.approx(max(0.0, age_s))


def test_age_is_that_of_the_delivery_not_of_the_decision(
    outbox: Outbox, sink: FakeSink, clock: HandClock
) -> None:
    """An event that waited for the broker has aged."""
    sink.ready = False
    outbox.put(onset())
    clock.now_s += 300.0
    sink.ready = True
    assert outbox.flush(PATIENCE_S)
    assert (sink.deliveries[0].age_s, sink.deliveries[0].backlog) == (300.0, True)


def test_beyond_its_room_the_oldest_goes_and_is_counted(
    outbox: Outbox, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """So the last word on a sound, its OFF, is never the one that is lost."""
    sink.ready = False
    for number in range(5):
        outbox.put(onset(number=number))
    assert (outbox.undelivered, outbox.dropped) == (3, 2)
    assert [r.levelno for r in caplog.records] == [logging.ERROR] * 2
    assert "(nursery-0) is lost" in caplog.text
    sink.ready = True
    assert outbox.flush(PATIENCE_S)
    assert sink.told == ["nursery-2", "nursery-3", "nursery-4"]


def test_flushing_does_not_wait_for_a_sink_that_is_away(outbox: Outbox, sink: FakeSink) -> None:
    """A stop must not take longer because the broker is down."""
    sink.ready = False
    outbox.put(onset())
    assert not outbox.flush(3600.0)


def test_the_loop_turns_also_when_there_is_nothing_to_do(outbox: Outbox, clock: HandClock) -> None:
    """The watchdog looks at it."""
    clock.now_s += 50.0
    until(lambda: outbox.last_turn_s == clock.now_s, "a turn")


def test_starting_and_stopping_twice_is_once(sink: FakeSink, clock: HandClock) -> None:
    """And what waits is still there after a new start."""
    outbox = Outbox([sink], clock, late_after_s=120.0, journal=MemoryOnly())
    outbox.stop()
    outbox.start()
    outbox.start()
    outbox.stop()
    outbox.stop()
    assert not [t for t in threading.enumerate() if t.name == "detector-outbox"]
    outbox.put(onset())
    assert outbox.undelivered == 1
    outbox.start()
    assert outbox.flush(PATIENCE_S)
    outbox.stop()


class FullPipe(io.StringIO):
    """Blocks every writer until somebody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Event()
        self.reading = threading.Event()

    def write(self, text: str) -> int:
        """Wait."""
        self.writing.set()
        assert self.reading.wait(PATIENCE_S)
        return super().write(text)


def test_a_full_pipe_that_nobody_reads_is_left_behind_and_said(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop does not wait for it; nor does the thread that it left disturb a new start."""
    pipe = FullPipe()
    outbox = Outbox([JsonLinesSink(pipe)], clock, late_after_s=120.0, journal=MemoryOnly())
    outbox.start()
    outbox.put(onset(number=1))
    outbox.put(onset(number=2))
    assert pipe.writing.wait(PATIENCE_S)
    [left_behind] = outbox_threads()
    outbox.stop()
    assert left_behind.is_alive()
    assert "no answer from JSON lines; going on, 2 undelivered" in caplog.text
    outbox.start()
    pipe.reading.set()
    left_behind.join(PATIENCE_S)
    assert left_behind not in outbox_threads()
    assert outbox.flush(PATIENCE_S)
    told = [json.loads(line)["id"] for line in pipe.getvalue().splitlines()]
    assert told == ["nursery-1", "nursery-2"]
    outbox.stop()
    assert outbox_threads() == []


def outbox_threads() -> list[threading.Thread]:
    """Those that run."""
    return [t for t in threading.enumerate() if t.name == "detector-outbox"]


class Disk:
    """Writes down what it is told, when it is let."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.settled: list[str] = []

    def record(self, event: Event) -> Receipt:
        """Not at once."""
        del event
        self.receipts.append(Receipt())
        return self.receipts[-1]

    def settle(self, event: Event, sink: str, state: DeliveryState) -> None:
        """Remember."""
        self.settled.append(f"{event.id} {sink} {state}")


@pytest.fixture
def disk() -> Disk:
    """A disk that takes its time."""
    return Disk()


@pytest.fixture
def writing(sink: FakeSink, clock: HandClock, disk: Disk) -> Iterator[Outbox]:
    """A running outbox that writes on that disk."""
    made = Outbox([sink], clock, late_after_s=120.0, journal=disk)
    made.start()
    yield made
    made.stop()


def test_an_event_is_written_down_before_it_goes_out(
    writing: Outbox, sink: FakeSink, disk: Disk, clock: HandClock
) -> None:
    """Or it would be lost with the process."""
    writing.put(onset())
    until(lambda: writing.last_turn_s == clock.now_s, "a turn")
    assert not writing.flush(0.5)
    assert sink.told == []
    disk.receipts[0].set_result(None)
    assert writing.flush(PATIENCE_S)
    assert sink.told == ["nursery-1"]
    assert disk.settled == ["nursery-1 fake delivered"]


def test_a_disk_that_fails_or_is_too_slow_keeps_no_alert_waiting(
    writing: Outbox, sink: FakeSink, disk: Disk, clock: HandClock
) -> None:
    """A lamp is worth more than a record."""
    writing.put(onset(number=1))
    disk.receipts[0].set_exception(OSError("full"))
    assert writing.flush(PATIENCE_S)
    writing.put(onset(number=2))
    clock.now_s += 1.0
    assert writing.flush(PATIENCE_S)
    assert sink.told == ["nursery-1", "nursery-2"]


def test_what_an_earlier_run_left_goes_first(
    writing: Outbox, sink: FakeSink, disk: Disk, clock: HandClock
) -> None:
    """It was decided before; and it is not written down a second time."""
    sink.ready = False
    writing.put(onset(number=3))
    disk.receipts[0].set_result(None)
    left = Left({"fake": [onset(number=1), onset(number=2)]}, [], None)
    writing.resume(left)
    assert not writing.is_delivered("nursery-2")
    sink.ready = True
    assert writing.flush(PATIENCE_S)
    assert sink.told == ["nursery-1", "nursery-2", "nursery-3"]
    assert len(disk.receipts) == 1
    assert writing.is_delivered("nursery-2")


def test_what_the_broker_denies_is_kept_and_told_once_it_may_be(
    outbox: Outbox, sink: FakeSink, clock: HandClock
) -> None:
    """On the backlog, in order; what is not denied is not kept waiting meanwhile."""
    sink.answers = [failed(DeniedError("denied")), failed(DeniedError("denied"))]
    outbox.put(onset(number=1))
    outbox.put(offset(number=1))
    outbox.put(onset(number=2))
    until(lambda: len(sink.told) >= 3, "all three")
    assert outbox.flush(PATIENCE_S) is False
    assert outbox.undelivered == 2
    assert not any(delivery.backlog for delivery in sink.deliveries)
    clock.now_s += 31.0
    until(lambda: outbox.undelivered == 0, "the denied ones")
    assert [delivery.backlog for delivery in sink.deliveries[3:]] == [True, True]
    assert [delivery.late for delivery in sink.deliveries[3:]] == [True, True]
    phases = [f"{d.event.id} {d.event.phase}" for d in sink.deliveries[3:]]
    assert phases == ["nursery-1 onset", "nursery-1 offset"]


def test_what_is_denied_again_and_again_waits_in_order(
    outbox: Outbox, sink: FakeSink, clock: HandClock
) -> None:
    """Another connection may have other rights: it is tried at once there."""
    sink.answers = [failed(DeniedError("denied")) for _ in range(3)]
    outbox.put(onset(number=1))
    outbox.put(onset(number=2))
    until(lambda: outbox.undelivered == 2 and len(sink.told) == 2, "both denied")
    clock.now_s += 31.0
    until(lambda: len(sink.told) == 3, "the first, denied again")
    sink.ready = False
    until(lambda: not outbox.flush(0.0), "a turn")
    clock.now_s += 1.0
    until(lambda: outbox.last_turn_s == clock.now_s, "a turn without a connection")
    sink.ready = True
    until(lambda: outbox.undelivered == 0, "both")
    assert sink.told == ["nursery-1", "nursery-2", "nursery-1", "nursery-1", "nursery-2"]


def test_every_end_of_a_delivery_is_noted(clock: HandClock, sink: FakeSink, disk: Disk) -> None:
    """Delivered, refused for good, and dropped for want of room."""
    outbox = Outbox([sink], clock, late_after_s=120.0, journal=disk, capacity=2)
    sink.answers = [failed(UndeliverableError("never"))]
    for number in range(3):
        outbox.put(onset(number=number))
    for receipt in disk.receipts:
        receipt.set_result(None)
    outbox.start()
    assert outbox.flush(PATIENCE_S)
    outbox.stop()
    assert disk.settled == [
        "nursery-0 fake dropped",
        "nursery-1 fake refused",
        "nursery-2 fake delivered",
    ]
