"""Tries a broker once: can we get in, publish, and read what is sent to us?"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from detector.alerts.commands import PING
from detector.alerts.connection import MqttConnection
from detector.alerts.mqtt import broker_address
from detector.alerts.session import Handlers, Received
from detector.alerts.sinks import DeniedError
from detector.alerts.topics import Message, Topics
from detector.config.schema import MqttConfig
from detector.core.clock import Clock
from detector.core.errors import MqttError

CONNECT_WITHIN_S = 8.0
ANSWER_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class BrokerCheck:
    """What a broker lets us do."""

    address: str
    round_trip_ms: float | None
    """From publishing a message to reading it again; None where it did not come back."""
    denied: tuple[str, ...]
    """Topics that we may not publish on, or not read."""


def check_broker(
    config: MqttConfig, *, node: str, clock: Clock, environ: Mapping[str, str]
) -> BrokerCheck:
    """Send a ping to our own command topic, and wait for it to come back.

    A running daemon of the same name is not disturbed: this is another client, and a ping is no
    command.  Raises MqttError where there is no connection within CONNECT_WITHIN_S, with the
    reason; ConfigError for an unusable password file.
    """
    topic = Topics(config.base_topic, node).command
    ping = Message(topic, f"{PING} {secrets.token_hex(4)}", expiry_s=10)
    connected, returned = threading.Event(), threading.Event()

    def on_connected() -> None:
        connection.subscribe(topic)
        connected.set()

    def on_message(message: Received) -> None:
        if message.payload.decode(errors="replace") == ping.payload:
            returned.set()

    connection = MqttConnection(
        config,
        client_id=f"detector-{node}-doctor",
        will=ping,
        handlers=Handlers(on_connected, on_message),
        clock=clock,
        environ=environ,
    )
    connection.start()
    try:
        _wait_until_ready(connection, connected, broker_address(config))
        return _round_trip(connection, ping, returned, broker_address(config))
    finally:
        connection.stop()


def _wait_until_ready(connection: MqttConnection, connected: threading.Event, address: str) -> None:
    deadline_s = time.monotonic() + CONNECT_WITHIN_S
    while time.monotonic() < deadline_s:
        if connected.wait(0.05) and connection.ready:
            return
        if connection.state.last_error is not None:
            raise MqttError(connection.state.last_error)
    raise MqttError(f"{address}: no answer within {CONNECT_WITHIN_S:g} s")


def _round_trip(
    connection: MqttConnection, ping: Message, returned: threading.Event, address: str
) -> BrokerCheck:
    began_s = time.monotonic()
    try:
        connection.publish(ping).result(ANSWER_WITHIN_S)
    except DeniedError:
        return BrokerCheck(address, None, (f"publish on {ping.topic}",))
    except TimeoutError:
        raise MqttError(f"{address}: did not acknowledge within {ANSWER_WITHIN_S:g} s") from None
    if not returned.wait(ANSWER_WITHIN_S):
        return BrokerCheck(address, None, (f"read {ping.topic}",))
    return BrokerCheck(address, 1000.0 * (time.monotonic() - began_s), ())
