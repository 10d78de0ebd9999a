"""Connections that look alive and are dead: found, given up, told, and nobody blocked by them."""

import gc
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from detector.alerts.mqtt import MOST_WAITING
from detector.alerts.mqtt_sink import MqttSink
from detector.alerts.session import GREETING_S, SILENCE_S
from detector.alerts.sinks import Delivery
from detector.config import TlsConfig
from tests.alerts.conftest import MakeSink
from tests.alerts.tools import PATIENCE_S, Broker, Cable, Watcher, onset, until
from tests.clocks import HandClock

pytestmark = pytest.mark.system

AT = "detector/nursery"
DISCOVERY = "homeassistant/device/detector_nursery/config"
ACCEPTED = bytes.fromhex("2003000000")
"""What a broker says to let us in, in MQTT 5."""
TAKEN_OVER = bytes.fromhex("e0028e00")
"""What it says when it gives our place to another client."""


@contextmanager
def listening_socket() -> Iterator[socket.socket]:
    """A server that says what the test says."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def port_of(server: socket.socket) -> int:
    """Where it listens."""
    return int(server.getsockname()[1])


def let_in(server: socket.socket, sink: MqttSink) -> socket.socket:
    """Say what a broker says to let us in; the connection."""
    connection, _ = server.accept()
    connection.sendall(ACCEPTED)
    until(lambda: sink.ready, "the connection")
    return connection


def connected(sink: MqttSink, watcher: Watcher) -> None:
    """Have it connect to a broker."""
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    until(lambda: sink.ready, "the connection")


def in_time(work: Callable[[], object]) -> None:
    """Have something done in another thread: it must end, or the test fails instead of hanging."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it blocks"


def collect_what_paho_leaves() -> None:
    """When a TLS handshake fails, paho leaves its socket to the garbage collector."""
    until(lambda: not any(t.name == "detector-mqtt" for t in threading.enumerate()), "the end")
    gc.collect()


def test_a_broker_that_never_lets_us_in_is_given_up(make_sink: MakeSink) -> None:
    """Reached, but silent: a stopped process still has its port open."""
    clock = HandClock(1000.0)
    with listening_socket() as server:
        sink = make_sink(port_of(server), clock=clock)
        sink.start()
        first, _ = server.accept()
        clock.advance(GREETING_S + 0.1)
        second, _ = server.accept()
        assert "can be reached, but does not let us in" in str(sink.state.last_error)
        sink.stop()
        first.close()
        second.close()


def test_a_broker_that_ceases_to_acknowledge_is_given_up(
    broker: Broker, cable: Cable, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Although the connection stays open; what was under way fails, and is the outbox's again."""
    clock = HandClock(1000.0)
    sink = make_sink(cable.port, clock=clock)
    connected(sink, watcher)
    cable.freeze()
    receipt = sink.deliver(Delivery(onset()))
    clock.advance(SILENCE_S + 0.1)
    assert receipt.exception(PATIENCE_S) is not None
    until(lambda: sink.state.last_error is not None, "the reason")
    assert "it does not answer any more" in str(sink.state.last_error)
    cable.mend()
    watcher.wait_for(f"{AT}/status", "online", count=2)


def test_an_unanswered_subscription_is_silence_too(make_sink: MakeSink) -> None:
    """A broker that stops between letting us in and anything else."""
    clock = HandClock(1000.0)
    with listening_socket() as server:
        sink = make_sink(port_of(server), clock=clock)
        sink.start()
        first = let_in(server, sink)
        clock.advance(SILENCE_S + 0.1)
        second, _ = server.accept()
        assert "it does not answer any more" in str(sink.state.last_error)
        sink.stop()
        first.close()
        second.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(60)
def test_a_tls_handshake_that_hangs_is_given_up(make_sink: MakeSink) -> None:
    """By paho's own patience: the next attempt follows by itself."""
    with listening_socket() as server:
        server.settimeout(30.0)
        sink = make_sink(port_of(server), mqtt={"tls": TlsConfig(enabled=True)})
        sink.start()
        first, _ = server.accept()
        second, _ = server.accept()
        assert "does not answer" in str(sink.state.last_error)
        sink.stop()
        first.close()
        second.close()
    collect_what_paho_leaves()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_attempt_that_goes_on_and_on_is_told(make_sink: MakeSink) -> None:
    """Here a TLS handshake; a name server that hangs is the same to us."""
    clock = HandClock(1000.0)
    with listening_socket() as server:
        sink = make_sink(port_of(server), mqtt={"tls": TlsConfig(enabled=True)}, clock=clock)
        sink.start()
        first, _ = server.accept()
        before = sink.state.last_error
        clock.advance(GREETING_S + 0.1)
        assert before is None
        assert "it has not answered yet" in str(sink.state.last_error)
        sink.stop()
        first.close()
    collect_what_paho_leaves()


def test_publishing_to_a_broker_that_does_not_read_blocks_nobody(make_sink: MakeSink) -> None:
    """Not even when every buffer of the network is full; a stop ends it all the same."""
    with listening_socket() as server:
        sink = make_sink(port_of(server))
        sink.start()
        silent = let_in(server, sink)
        flood = onset(reason="x" * 1_000_000)

        def publish() -> None:
            for _ in range(30):
                sink.deliver(Delivery(flood))
                sink.observe(flood)
                sink.set_level(-30.0, -20.0)

        in_time(publish)
        in_time(sink.stop)
        silent.close()


def test_what_waits_for_a_silent_broker_is_bounded(make_sink: MakeSink) -> None:
    """Beyond that, a message fails at once; of the backlog, which brings no states beside it."""
    with listening_socket() as server:
        sink = make_sink(port_of(server))
        sink.start()
        silent = let_in(server, sink)
        backlog = (Delivery(onset(number=n), backlog=True) for n in range(MOST_WAITING + 1))
        receipts = [sink.deliver(delivery) for delivery in backlog]
        failed = [receipt for receipt in receipts if receipt.done()]
        assert failed
        assert "too many messages wait" in str(failed[0].exception())
        sink.stop()
        silent.close()


def test_another_client_of_our_name_is_told_and_becomes_no_storm(
    make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """Twice we come back at once, since it may have been an earlier attempt of ours."""
    with listening_socket() as server:
        sink = make_sink(port_of(server))
        sink.start()
        for _ in range(3):
            connection = let_in(server, sink)
            connection.sendall(TAKEN_OVER)
            until(lambda: not sink.ready, "the loss")
            connection.close()
        server.settimeout(1.0)
        with pytest.raises(TimeoutError):
            server.accept()
        assert "gave our place to another client" in str(sink.state.last_error)
        assert "does another client call itself detector-nursery?" in str(sink.state.last_error)
        assert [r for r in caplog.records if r.levelno == logging.WARNING]
        sink.stop()


@pytest.mark.parametrize("payload", ["", '{"cmps":{}}'], ids=["wiped", "overwritten"])
def test_discovery_that_somebody_takes_away_is_told_anew(
    broker: Broker, watcher: Watcher, make_sink: MakeSink, payload: str
) -> None:
    """Once, with every state; our own messages coming back are not mistaken for somebody's."""
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    ours = watcher.wait_for(DISCOVERY).payload
    watcher.say(DISCOVERY, payload, retain=True)
    assert watcher.wait_for(DISCOVERY, ours, count=2)
    watcher.wait_for(f"{AT}/status", "online", count=2)
    watcher.say("somewhere/else", "a round trip")
    watcher.wait_for("somewhere/else")
    assert watcher.topics().count(DISCOVERY) == 3


def test_an_offline_that_is_not_ours_does_not_stand(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The will of an earlier connection of ours may come after we are back."""
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.say(f"{AT}/status", "offline", retain=True)
    watcher.wait_for(f"{AT}/status", "online", count=2)
    late = Watcher(broker.port)
    assert late.wait_for(f"{AT}/status").payload == "online"
    late.close()


def test_a_broker_that_hangs_and_goes_on_is_found_again(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """A real one, stopped: nothing is closed, and the last word is online."""
    clock = HandClock(1000.0)
    sink = make_sink(broker.port, clock=clock)
    connected(sink, watcher)
    broker.freeze()
    sink.deliver(Delivery(onset()))
    clock.advance(SILENCE_S + 0.1)
    until(lambda: not sink.ready, "the loss")
    broker.thaw()
    watcher.wait_for(f"{AT}/status", "online", count=2)
    until(lambda: sink.ready, "the connection")
