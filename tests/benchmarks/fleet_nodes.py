"""Many nodes in one process: each with the sink, the outbox and the journal of the daemon.

What the daemon's process adds (audio, model, control socket) is left out; the threads that tell
alerts are the daemon's own, four for each node.
"""

import json
import logging
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from detector.alerts.connection import RETRY_DELAYS_S
from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.journal import Journal
from detector.alerts.mqtt_sink import MqttSink
from detector.alerts.outbox import Outbox
from detector.config.loader import parse_config
from detector.core.events import ClassScore, Detection, Event, EventKind, Phase, Urgency
from detector.service.clock import SystemClock

SOUND = "smoke_alarm"
_LOOK_S = 0.02
_SWITCH_S = 0.1
"""Hundreds of threads that wait for the interpreter would ask for it 200 times a second each."""
_DETECTION = Detection(
    probability=0.97,
    peak_probability=0.99,
    threshold=0.5,
    calibrated=True,
    classes=(ClassScore("Smoke detector, smoke alarm", 0.97), ClassScore("Beep, bleep", 0.4)),
    level_dbfs=-24.5,
    why="0.97 ≥ 0.50, 5.8 s of 5.6 s heard; next best: doorbell 0.03",
)


@dataclass(frozen=True, slots=True)
class Part:
    """The nodes of one process."""

    numbers: range
    """Theirs, of the whole fleet."""
    of: int
    """How many there are in all."""
    port: int
    """The broker's, on this machine."""
    folder: Path
    spread: float
    """How much a node's waits may differ from the usual ones: 0.5 is by half."""
    certificate: Path | None
    """The broker's, where it asks for TLS."""


class Node:
    """What a daemon tells by."""

    def __init__(self, number: int, part: Part) -> None:
        self.name = f"n{number:05d}"
        clock = SystemClock()
        broker: dict[str, object] = {"host": "127.0.0.1", "port": part.port}
        if part.certificate is not None:
            broker["tls"] = {"enabled": True, "ca_file": str(part.certificate)}
        told = {"node": self.name, "name": f"Node {number}", "mqtt": broker}
        config = parse_config(json.dumps(told), "fleet")
        self.sink = MqttSink(
            config.mqtt,
            node=self.name,
            name=config.name,
            area=config.area,
            sounds=config.enabled_sounds,
            device=DeviceInfo(software="0", model_id="yamnet", hardware="Raspberry Pi 4 Model B"),
            on_command=lambda _command, _by: None,
            clock=clock,
            environ={},
            retry_delays_s=_waits(part.spread),
        )
        path = part.folder / f"{self.name}.sqlite"
        self._journal = Journal(path, [self.sink.name], clock, self._resume)
        self.outbox = Outbox(
            [self.sink], clock, config.mqtt.late_after_seconds, journal=self._journal
        )

    def start(self) -> None:
        """As the daemon does."""
        self._journal.start()
        self.sink.start()
        self.outbox.start()
        self.sink.set_microphone(available=True)

    def stop(self) -> None:
        """As the daemon does, without waiting for what cannot be delivered."""
        self.outbox.stop()
        self._journal.stop()
        self.sink.stop()

    def alert(self, tag: str) -> float:
        """Put an alert; when that was."""
        now_s = time.monotonic()
        self.outbox.put(
            Event(
                id=f"{self.name}-{tag}",
                kind=EventKind.SOUND,
                phase=Phase.ONSET,
                node=self.name,
                urgency=Urgency.CRITICAL,
                sound=SOUND,
                onset_utc=datetime.now(UTC),
                detection=_DETECTION,
                latency_ms=6900.0,
                decided_monotonic_s=now_s,
            )
        )
        return now_s

    def _resume(self, left: object) -> None:
        """Nothing is left of an earlier run."""


def _waits(spread: float) -> Sequence[float]:
    factor = random.uniform(1.0 - spread, 1.0 + spread)
    return [factor * wait_s for wait_s in RETRY_DELAYS_S]


def run_nodes(ask: Connection, part: Part) -> None:
    """Serve what the benchmark asks for, until told to stop."""
    logging.getLogger("detector").setLevel(logging.ERROR)  # a node without a broker complains
    threading.stack_size(256 * 1024)
    sys.setswitchinterval(_SWITCH_S)
    nodes = [Node(number, part) for number in part.numbers]
    answers: dict[str, Callable[..., object]] = {
        "start": lambda at_s: _start(nodes, at_s),
        "ready": lambda until_s: _when_all(nodes, lambda one: one.sink.ready, until_s),
        "away": lambda until_s: _when_all(nodes, lambda one: not one.sink.ready, until_s),
        "alert": lambda at_s, tag: _alert(nodes, part, at_s, tag),
        "undelivered": lambda: sum(one.outbox.undelivered for one in nodes),
        "errors": lambda: sorted({str(one.sink.state.last_error) for one in nodes}),
    }
    ask.send("here")
    while (asked := ask.recv())[0] != "stop":
        ask.send(answers[asked[0]](*asked[1:]))
    for node in nodes:
        node.stop()
    ask.send("stopped")


def _start(nodes: list[Node], at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))
    for node in nodes:
        node.start()


def _when_all(
    nodes: list[Node], is_so: Callable[[Node], bool], until_s: float
) -> list[float | None]:
    """When each was first seen to be so; None where it was not until then."""
    when: list[float | None] = [None] * len(nodes)
    while None in when and time.monotonic() < until_s:
        now_s = time.monotonic()
        when = [now_s if at is None and is_so(n) else at for n, at in zip(nodes, when, strict=True)]
        time.sleep(_LOOK_S)
    return when


def _alert(nodes: list[Node], part: Part, at_s: float, tag: str) -> dict[str, float]:
    """One on every node, evenly within a second from ``at_s``; when, by id."""
    put = {}
    for number, node in zip(part.numbers, nodes, strict=True):
        time.sleep(max(0.0, at_s + number / part.of - time.monotonic()))
        put[f"{node.name}-{tag}"] = node.alert(tag)
    return put
