"""Who listens to the fleet: one for its alerts, and one for everything, as Home Assistant is."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BIRTH_TOPIC = "homeassistant/status"
ALERTS = ("detector/+/event", "detector/+/event/backlog")
EVERYTHING = ("detector/#", "homeassistant/#", "$SYS/broker/#")
_KEPT_S = 3600


@dataclass
class Ears:
    """What one subscriber has heard."""

    alerts: list[tuple[str, float]] = field(default_factory=list)
    """Id and monotonic time of each, every time that it came."""
    online: dict[str, float] = field(default_factory=dict)
    """When each node last said that it is online."""
    discoveries: dict[str, float] = field(default_factory=dict)
    messages: int = 0
    payload_bytes: int = 0
    broker: dict[str, str] = field(default_factory=dict)
    """What the broker says of itself, below $SYS/broker."""

    def hear(self, message: paho.MQTTMessage) -> None:
        """Note a message."""
        now_s, topic = time.monotonic(), message.topic
        if topic.startswith("$SYS/broker/"):
            self.broker[topic.removeprefix("$SYS/broker/")] = message.payload.decode()
            return
        self.messages += 1
        self.payload_bytes += len(message.payload)
        parts = topic.split("/")
        if parts[-1] in ("event", "backlog"):
            self.alerts.append((str(json.loads(message.payload)["id"]), now_s))
        elif parts[-1] == "status" and len(parts) == 3 and message.payload == b"online":
            self.online[parts[1]] = now_s
        elif parts[-1] == "config":
            self.discoveries[topic] = now_s


class Subscriber:
    """Connects at once where it is cut off. Its session outlives a connection if ``keeps``."""

    def __init__(self, port: int, topics: tuple[str, ...], *, keeps: bool) -> None:
        self.ears = Ears()
        self.subscribed = threading.Event()
        self._port, self._topics, self._keeps = port, topics, keeps
        self._stopping = threading.Event()
        self._client = self._new_client()
        threading.Thread(target=self._run, daemon=True).start()

    def say(self, topic: str, payload: str) -> None:
        """Publish."""
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        """Leave."""
        self._stopping.set()
        self._client.disconnect()

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="ears" if self._keeps else "",
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.on_connect = lambda c, *_: c.subscribe([(topic, 1) for topic in self._topics])
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_message = self._on_message
        return client

    def _run(self) -> None:
        while not self._stopping.is_set():
            kept: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            kept.SessionExpiryInterval = _KEPT_S if self._keeps else 0
            with contextlib.suppress(OSError):
                self._client.connect(
                    "127.0.0.1", self._port, clean_start=not self._keeps, properties=kept
                )
                self._client.loop_forever()
            self._stopping.wait(0.005)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.ears.hear(message)


def run_subscriber(ask: Connection, port: int, topics: tuple[str, ...], *, keeps: bool) -> None:
    """Serve what the benchmark asks for, until told to stop."""
    subscriber = Subscriber(port, topics, keeps=keeps)
    subscriber.subscribed.wait(30.0)
    ask.send("here")
    while (asked := ask.recv())[0] != "stop":
        if asked[0] == "forget":
            broker, subscriber.ears = subscriber.ears.broker, Ears()
            subscriber.ears.broker = broker
            ask.send("forgotten")
        elif asked[0] == "birth":
            subscriber.say(BIRTH_TOPIC, "online")
            ask.send("said")
        elif asked[0] == "counts":
            ears = subscriber.ears
            ask.send((len(ears.alerts), len(ears.online), len(ears.discoveries), ears.messages))
        else:
            ask.send(subscriber.ears)
    subscriber.close()
    ask.send("stopped")
