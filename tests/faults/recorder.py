"""A subscriber that notes everything with its time, and comes back at once where it is cut off."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.faults.table import Events

AT = "detector/nursery"
DISCOVERY = "homeassistant/device/detector_nursery/config"
EVENT_TOPICS = (f"{AT}/event", f"{AT}/event/backlog")
_OF_THE_DELIVERY = ("late", "age_s")
"""What may differ between two deliveries of one event."""


@dataclass(frozen=True)
class Heard:
    """A message that arrived."""

    at_s: float
    """Monotonic."""
    topic: str
    payload: str
    retained: bool


class Recorder:
    """Notes what a broker hands out. Safe from any thread.

    It tries again every few milliseconds, so that it subscribes before a broker that begins anew
    is found by the daemon.
    """

    def __init__(self, port: int, *, username: str | None = None, password: str = "") -> None:
        self.heard: list[Heard] = []
        self.subscribed = threading.Event()
        self._stopping = threading.Event()
        self._port, self._username, self._password = port, username, password
        self._client: paho.Client | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave."""
        self._stopping.set()
        if self._client is not None:
            self._client.disconnect()
        self._thread.join(5.0)

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish."""
        assert self._client is not None
        self._client.publish(topic, payload, qos=1, retain=retain)

    def since(self, at_s: float, topic: str, payload: str | None = None) -> list[Heard]:
        """What came on a topic from a moment on."""
        return [
            one
            for one in list(self.heard)
            if one.at_s >= at_s and one.topic == topic and payload in (None, one.payload)
        ]

    def last(self, topic: str) -> str | None:
        """The newest message on a topic."""
        return next((one.payload for one in reversed(list(self.heard)) if one.topic == topic), None)

    def events(self) -> list[dict[str, Any]]:
        """Every event as it came, with the topic's backlog mark as ``backlog``."""
        return [
            json.loads(one.payload) | {"backlog": one.topic == EVENT_TOPICS[1]}
            for one in list(self.heard)
            if one.topic in EVENT_TOPICS
        ]

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._client = client = self._new_client()
            with contextlib.suppress(OSError):
                client.connect("127.0.0.1", self._port, keepalive=60)
                client.loop_forever()
            self.subscribed.clear()
            self._stopping.wait(0.01)

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_message = self._on_message
        return client

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload.decode(errors="replace")
        self.heard.append(Heard(time.monotonic(), message.topic, payload, message.retain))


def tally(
    came: Sequence[dict[str, Any]], decided: set[tuple[str, str]]
) -> tuple[Events, list[str]]:
    """What became of the events (id, phase) that were decided, and what is wrong with that."""
    times: Counter[tuple[str, str]] = Counter()
    bodies: dict[tuple[str, str], dict[str, Any]] = {}
    failures, late = [], 0
    for event in came:
        key = (event["id"], event["phase"])
        times[key] += 1
        late += bool(event["backlog"] or event.get("late"))
        body = {k: v for k, v in event.items() if k not in (*_OF_THE_DELIVERY, "backlog")}
        if bodies.setdefault(key, body) != body:
            failures.append(f"{key} came with two contents")
    lost = decided - set(times)
    if lost:
        failures.append(f"{len(lost)} events lost: {', '.join(sorted(map(str, lost))[:3])}")
    stray = set(times) - decided
    if stray:
        failures.append(f"{len(stray)} events told that were never decided")
    return Events(len(decided), len(times), times.total() - len(times), late), failures
