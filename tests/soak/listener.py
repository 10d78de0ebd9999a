"""Counts what the broker hands out, and what the database says was decided."""

import json
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from detector.service.outputs import outbox_path

AT = "detector/soak"


class Listener:
    """A subscriber of events and health."""

    def __init__(self, port: int) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        """How often each (id, phase) came."""
        self.sounds: Counter[str] = Counter()
        """Beginnings, by sound."""
        self.late = 0
        self.health: dict[str, Any] = {}
        self._bodies: dict[tuple[str, str], int] = {}
        self.contradictions = 0
        """Messages whose (id, phase) had come with other contents."""
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"{AT}/event", 1), (f"{AT}/event/backlog", 1), (f"{AT}/health", 0)]
        )
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @property
    def delivered(self) -> int:
        """Different messages that came."""
        with self._lock:
            return len(self.events)

    @property
    def duplicated(self) -> int:
        """Messages that came again."""
        with self._lock:
            return self.events.total() - len(self.events)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        document = json.loads(message.payload)
        if message.topic == f"{AT}/health":
            self.health = document
            return
        key = (document["id"], document["phase"])
        with self._lock:
            self.late += bool(document.pop("late", False))
            document.pop("age_s", None)
            document.pop("latency_ms", None)
            body = hash(json.dumps(document, sort_keys=True))
            self.contradictions += self._bodies.setdefault(key, body) != body
            self.events[key] += 1
            if document["phase"] == "onset":
                self.sounds[str(document.get("sound"))] += 1


def decided(state: Path) -> int:
    """Messages decided in all: rows are numbered without reuse, also those that were pruned."""
    path = outbox_path(state, "soak")
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10.0)) as db:
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def database_mb(state: Path) -> float:
    """What the state directory holds."""
    return sum(path.stat().st_size for path in state.glob("*") if path.is_file()) / 1e6
