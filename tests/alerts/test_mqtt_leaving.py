"""How we take leave of a broker, whatever state it is in."""

import logging
import socket
import threading
from collections.abc import Callable

import pytest

from detector.alerts.connection import MqttConnection
from detector.alerts.messages import OFFLINE, ONLINE
from detector.alerts.session import Handlers
from detector.alerts.topics import Message
from detector.config import MqttConfig, TlsConfig
from tests.alerts.conftest import MakeSink
from tests.alerts.tools import PATIENCE_S, Broker, Cable, Watcher, free_port, until
from tests.clocks import HandClock

pytestmark = pytest.mark.system

AT = "detector/nursery"
PAHO_LEAVES_ITS_SOCKET = "ignore::pytest.PytestUnraisableExceptionWarning"
"""When a TLS handshake fails, paho leaves its socket to the garbage collector."""


def our_threads() -> list[threading.Thread]:
    """Those that a sink runs."""
    return [t for t in threading.enumerate() if t.name.startswith("detector-")]


def test_stopping_says_offline_and_disconnects(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Once, retained, and stop is idempotent."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.stop()
    sink.stop()
    watcher.wait_for(f"{AT}/status", "offline")
    assert not sink.ready
    late = Watcher(broker.port)
    assert late.wait_for(f"{AT}/status").payload == "offline"
    late.close()
    assert not our_threads()


def test_a_stopped_sink_can_be_started_again(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Start and stop mirror each other."""
    sink = make_sink(broker.port)
    sink.start()
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.stop()
    sink.start()
    watcher.wait_for(f"{AT}/status", "online", count=2)


def test_stopping_does_not_wait_for_a_broker_that_says_nothing(
    broker: Broker, cable: Cable, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The connection is cut, which makes the broker say offline for us."""
    sink = make_sink(cable.port)
    sink.start()
    until(lambda: sink.ready, "the connection")
    cable.freeze()
    sink.stop()
    watcher.wait_for(f"{AT}/status", "offline")
    assert not our_threads()


def test_stopping_while_the_broker_is_away_ends_the_attempts(make_sink: MakeSink) -> None:
    """At once, whatever the wait between attempts is."""
    sink = make_sink(free_port(), retry_delays_s=(3600.0,))
    sink.start()
    until(lambda: sink.state.last_error is not None, "the first failure")
    sink.stop()
    assert not our_threads()


class StoppingClock(HandClock):
    """Calls a stop when paho's thread first asks, as soon as the broker has let us in."""

    stop: Callable[[], None] | None = None

    def monotonic(self) -> float:
        """Give the stop time to say farewell before the announcement."""
        if self.stop is not None and threading.current_thread().name.startswith("paho"):
            stopping = threading.Thread(target=self.stop)
            self.stop = None
            stopping.start()
            stopping.join(0.2)
        return self.now_s


def test_stopping_before_the_announcement_leaves_no_online_behind(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """It would be retained, with nobody there."""
    clock = StoppingClock()
    sink = make_sink(broker.port, clock=clock)
    clock.stop = sink.stop
    sink.start()
    watcher.wait_for(f"{AT}/status", "offline")
    until(lambda: not our_threads(), "the end")
    late = Watcher(broker.port)
    assert late.wait_for(f"{AT}/status").payload == "offline"
    late.close()


def test_stopping_during_the_announcement_says_offline_after_it(
    broker: Broker, watcher: Watcher
) -> None:
    """Although the connection does not count as ready yet."""
    online, offline = (Message("s", text, retain=True) for text in (ONLINE, OFFLINE))

    def announce() -> None:
        connection.publish(online)
        stopping.start()
        stopping.join(0.2)  # the stop cannot end before we return

    connection = MqttConnection(
        MqttConfig(host="127.0.0.1", port=broker.port),
        client_id="detector-nursery",
        will=Message("will", ""),
        handlers=Handlers(announce, lambda *_: None),
        clock=HandClock(1000.0),
        environ={},
    )
    stopping = threading.Thread(target=lambda: connection.stop(offline))
    connection.start()
    watcher.wait_for("s", OFFLINE)
    stopping.join(PATIENCE_S)
    assert [s.payload for s in watcher.seen if s.topic == "s"] == [ONLINE, OFFLINE]


@pytest.mark.filterwarnings(PAHO_LEAVES_ITS_SOCKET)
def test_stopping_does_not_wait_for_an_answer_that_never_comes(
    make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """Here a TLS handshake; what it leaves behind is no bug and ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        sink = make_sink(server.getsockname()[1], mqtt={"tls": TlsConfig(enabled=True)})
        sink.start()
        silent, _ = server.accept()
        [left_behind] = our_threads()
        sink.stop()
        assert left_behind.is_alive()
        silent.close()
        left_behind.join(PATIENCE_S)
    assert not our_threads()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.filterwarnings(PAHO_LEAVES_ITS_SOCKET)
def test_an_attempt_that_a_stop_left_behind_does_not_go_on_after_a_new_start(
    make_sink: MakeSink,
) -> None:
    """There would be two of one name, and the broker would throw them out in turn."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        sink = make_sink(server.getsockname()[1], mqtt={"tls": TlsConfig(enabled=True)})
        sink.start()
        first, _ = server.accept()
        [left_behind] = our_threads()
        sink.stop()
        sink.start()
        second, _ = server.accept()
        first.close()
        left_behind.join(PATIENCE_S)
        assert left_behind not in our_threads()
        assert len(our_threads()) == 1
        sink.stop()
        second.close()
        until(lambda: not our_threads(), "the end of the second")
