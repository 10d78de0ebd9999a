"""Brokers that go, connections that break, and how we take leave."""

import json
import logging
import socket

import pytest

from detector.alerts.outbox import Outbox
from detector.alerts.pending import NotConnectedError
from detector.alerts.sinks import Delivery
from tests.alerts.conftest import MakeSink
from tests.alerts.memory import MemoryOnly
from tests.alerts.tools import PATIENCE_S, Broker, Cable, Watcher, free_port, offset, onset, until
from tests.clocks import HandClock

pytestmark = pytest.mark.system

AT = "detector/nursery"


def test_the_broker_says_offline_when_we_vanish(
    broker: Broker, cable: Cable, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The last will; and online again once the way is free."""
    make_sink(cable.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    cable.cut()
    watcher.wait_for(f"{AT}/status", "offline")
    cable.mend()
    watcher.wait_for(f"{AT}/status", "online", count=2)


def test_a_first_connection_that_fails_is_tried_again(
    broker: Broker, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """And told once, not at every attempt."""
    broker.stop()
    sink = make_sink(broker.port)
    sink.start()
    until(lambda: sink.state.last_error is not None, "the first failure")
    assert f"127.0.0.1:{broker.port}: it refuses the connection" in str(sink.state.last_error)
    broker.start()
    until(lambda: sink.ready, "the connection")
    assert sink.state.last_error is None
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len([r for r in warnings if "refuses" in r.getMessage()]) == 1


def test_a_broker_that_lost_its_memory_is_told_everything_anew(
    broker: Broker, make_sink: MakeSink
) -> None:
    """Retained states come back by themselves."""
    sink = make_sink(broker.port)
    sink.start()
    until(lambda: sink.ready, "the connection")
    sink.observe(onset())
    broker.stop()
    until(lambda: not sink.ready, "the loss")
    broker.start()
    until(lambda: sink.ready, "the connection")
    assert sink.state.reconnects == 1
    watcher = Watcher(broker.port)
    watcher.wait_for(f"{AT}/status", "online")  # the broker has the rest by then
    late = Watcher(broker.port)
    assert late.wait_for(f"{AT}/sound/baby_cry/state", "ON").retained
    assert late.wait_for("homeassistant/device/detector_nursery/config").retained
    watcher.close()
    late.close()


def test_nothing_is_handed_over_while_there_is_no_connection(make_sink: MakeSink) -> None:
    """It fails at once, and blocks nobody."""
    sink = make_sink(free_port())
    receipt = sink.deliver(Delivery(onset()))
    assert isinstance(receipt.exception(timeout=0), NotConnectedError)


def test_what_was_under_way_fails_and_is_not_sent_again_behind_our_back(
    broker: Broker, cable: Cable, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Or it would come twice, or hours late on the live topic: retries are the outbox's."""
    sink = make_sink(cable.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    until(lambda: sink.ready, "the connection")
    cable.freeze()
    receipt = sink.deliver(Delivery(onset(number=1)))
    watcher.wait_for(f"{AT}/event")
    assert not receipt.done()
    cable.cut()
    assert isinstance(receipt.exception(PATIENCE_S), NotConnectedError)
    cable.mend()
    until(lambda: sink.ready, "the connection")
    sink.deliver(Delivery(onset(number=2))).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/event", count=2)
    ids = [json.loads(s.payload)["id"] for s in watcher.seen if s.topic == f"{AT}/event"]
    assert ids == ["nursery-1", "nursery-2"]


def test_events_outlive_a_broker_that_is_away(broker: Broker, make_sink: MakeSink) -> None:
    """In order; the old ones on the backlog; and the last word on the sound is true."""
    broker.stop()
    clock = HandClock(1000.0)
    sink = make_sink(broker.port)
    outbox = Outbox([sink], clock, late_after_s=120.0, journal=MemoryOnly())
    sink.start()
    outbox.start()
    outbox.put(onset(number=1, decided_monotonic_s=clock.now_s - 500.0))
    outbox.put(offset(number=1, decided_monotonic_s=clock.now_s - 490.0))
    outbox.put(onset(number=2, decided_monotonic_s=clock.now_s - 60.0))
    outbox.put(onset("smoke_alarm", number=3))
    assert outbox.undelivered == 4
    broker.start()
    watcher = Watcher(broker.port)
    last = json.loads(watcher.wait_for(f"{AT}/event", count=2).payload)
    first = json.loads(watcher.wait_for(f"{AT}/event").payload)
    history = [watcher.wait_for(f"{AT}/event/backlog", count=n) for n in (1, 2)]
    assert [json.loads(s.payload)["event_type"] for s in history] == ["baby_cry", "baby_cry_ended"]
    assert (first["id"], first["late"], first["age_s"]) == ("nursery-2", True, 60.0)
    assert (last["id"], "late" in last) == ("nursery-3", False)
    assert watcher.wait_for(f"{AT}/sound/baby_cry/state").payload == "ON"
    assert outbox.flush(PATIENCE_S)
    outbox.stop()
    watcher.close()


def test_an_event_unacknowledged_when_the_connection_broke_is_told_again(
    broker: Broker, cable: Cable, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Once more than needed rather than never; the id tells that it is the same."""
    sink = make_sink(cable.port)
    outbox = Outbox([sink], HandClock(1000.0), late_after_s=120.0, journal=MemoryOnly())
    sink.start()
    outbox.start()
    until(lambda: sink.ready, "the connection")
    cable.freeze()
    outbox.put(onset())
    first = watcher.wait_for(f"{AT}/event")
    cable.cut()
    cable.mend()
    assert watcher.wait_for(f"{AT}/event", count=2).payload == first.payload
    assert outbox.flush(PATIENCE_S)
    outbox.stop()


def test_two_listeners_of_one_name_are_told_apart_from_an_outage(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The broker throws one out for the other, for ever: the line says why."""
    first = make_sink(broker.port, retry_delays_s=(3600.0,))
    first.start()
    watcher.wait_for(f"{AT}/status", "online")
    make_sink(broker.port, retry_delays_s=(3600.0,)).start()
    until(lambda: first.state.last_error is not None, "the takeover")
    assert "does another client call itself detector-nursery?" in str(first.state.last_error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_packet_that_paho_cannot_read_costs_the_connection_only(make_sink: MakeSink) -> None:
    """Paho 2.1's thread dies of it, and paho would say for ever that it is connected."""
    accepted, nonsense = bytes.fromhex("2003000000"), bytes.fromhex("3006000161028002")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        sink = make_sink(server.getsockname()[1])
        sink.start()
        first, _ = server.accept()
        first.sendall(accepted + nonsense)
        second, _ = server.accept()
        assert sink.state.last_error is not None
        sink.stop()
        first.close()
        second.close()
