"""What the tests of alerts share: a real broker, a subscriber, a cable to cut, sample events."""

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from detector.config import EvidenceConfig, SoundConfig
from detector.core.events import ClassScore, Detection, Event, EventKind, Phase, Urgency

PATIENCE_S = 10.0
"""No test waits longer for anything."""

SOUNDS = MappingProxyType(
    {
        "baby_cry": SoundConfig(
            label="Baby cry",
            evidence=(EvidenceConfig(classes=("Baby cry, infant cry",)),),
            threshold=0.4,
            icon="mdi:baby-face-outline",
        ),
        "smoke_alarm": SoundConfig(
            label="Smoke alarm sound",
            evidence=(EvidenceConfig(classes=("Smoke detector, smoke alarm",)),),
            urgency=Urgency.CRITICAL,
        ),
    }
)
ONSET = datetime(2026, 11, 20, 18, 21, 19, 519_000, tzinfo=UTC)
DETECTION = Detection(
    probability=0.93,
    peak_probability=0.97,
    threshold=0.4,
    calibrated=True,
    classes=(
        ClassScore("Baby cry, infant cry", 0.91),
        ClassScore("Crying, sobbing", 0.72),
        ClassScore("Babbling", 0.2),
    ),
    level_dbfs=-31.25,
    why="0.93 ≥ 0.40; next best: cat_meow 0.20",
)


def onset(sound: str | None = "baby_cry", number: int = 1, **changes: Any) -> Event:
    """A sound that begins."""
    values: dict[str, Any] = {
        "id": f"nursery-{number}",
        "kind": EventKind.SOUND,
        "phase": Phase.ONSET,
        "node": "nursery",
        "urgency": Urgency.URGENT,
        "sound": sound,
        "onset_utc": ONSET,
        "onset_s": 12.0,
        "detection": DETECTION,
        "latency_ms": 1480.04,
        "clock_synchronised": True,
        "decided_monotonic_s": 1000.0,
    }
    return Event(**(values | changes))


def offset(sound: str | None = "baby_cry", number: int = 1, **changes: Any) -> Event:
    """The same sound, ended 8.25 s later."""
    ended: dict[str, Any] = {
        "phase": Phase.OFFSET,
        "offset_utc": ONSET.replace(second=27, microsecond=769_000),
        "offset_s": 20.25,
        "reason": "data",
    }
    return onset(sound, number, **(ended | changes))


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that offers nothing to wait on."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE_S:.0f} s in vain: {what}")
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A mosquitto of our own, on a port of our own."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and return once it listens."""
        program = shutil.which(
            "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
        )
        if program is None:
            pytest.skip("mosquitto is not installed")
        conf = self.folder / "mosquitto.conf"
        # `user root`: run as root, it would otherwise give up the right to read our files
        conf.write_text(f"user root\nlistener {self.port} 127.0.0.1\n{self.settings}\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", conf], stdout=log, stderr=log)
        until(self._listens, f"mosquitto on port {self.port}")

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it; without persistence it forgets everything."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def reload(self) -> None:
        """Have it read its passwords and access rules anew."""
        self._signal(signal.SIGHUP)

    def freeze(self) -> None:
        """It hangs: connections stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@dataclass(frozen=True)
class Seen:
    """A message that arrived."""

    topic: str
    payload: str
    retained: bool
    qos: int
    expiry_s: int | None


class Watcher:
    """A client that reads everything and may say something."""

    def __init__(self, port: int, *, username: str | None = None, password: str = "") -> None:
        self.seen: list[Seen] = []
        self._subscribed = threading.Event()
        self._arrived = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if username is not None:
            self.client.username_pw_set(username, password)
        self.client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        seen = Seen(
            message.topic,
            message.payload.decode(errors="replace"),
            message.retain,
            message.qos,
            expiry_s,
        )
        with self._arrived:
            self.seen.append(seen)
            self._arrived.notify_all()

    def say(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def wait_for(self, topic: str, payload: str | None = None, *, count: int = 1) -> Seen:
        """The ``count``-th message on the topic, now or when it comes."""

        def found() -> list[Seen]:
            return [s for s in self.seen if s.topic == topic and payload in (None, s.payload)]

        with self._arrived:
            if not self._arrived.wait_for(lambda: len(found()) >= count, PATIENCE_S):
                pytest.fail(f"no {topic} {payload or ''} among {[s.topic for s in self.seen]}")
            return found()[count - 1]

    def forget(self) -> None:
        """Begin to watch anew."""
        with self._arrived:
            self.seen.clear()

    def topics(self) -> list[str]:
        """Topics in the order of arrival."""
        with self._arrived:
            return [seen.topic for seen in self.seen]

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = None  # else the two would keep each other, and sockets open


class Cable:
    """A TCP connection to the broker that can be cut."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._plugged = True
        self._frozen = False
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let none through until ``mend``."""
        with self._lock:
            self._plugged = False
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Swallow what the broker says: nothing is acknowledged any more."""
        self._frozen = True

    def mend(self) -> None:
        """Let new connections through."""
        self._frozen = False
        self._plugged = True

    def close(self) -> None:
        """Remove it."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._plugged:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target_port))
            with self._lock:
                self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(
                    target=self._carry, args=(source, sink, source is far), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, from_broker: bool) -> None:  # noqa: FBT001 - a thread's argument
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not (from_broker and self._frozen):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """A broker while it is needed."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
