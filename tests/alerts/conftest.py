"""Brokers, subscribers and sinks that are put away after each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.mqtt_sink import MqttSink
from detector.config import MqttConfig
from detector.core.events import Command
from tests.alerts.tools import SOUNDS, Broker, Cable, Watcher, running
from tests.clocks import HandClock


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that lets everybody in."""
    with running(Broker(tmp_path)) as started:
        yield started


@pytest.fixture
def cable(broker: Broker) -> Iterator[Cable]:
    """A way to that broker that can be cut."""
    made = Cable(broker.port)
    yield made
    made.close()


@pytest.fixture
def watcher(broker: Broker) -> Iterator[Watcher]:
    """A subscriber on that broker."""
    made = Watcher(broker.port)
    yield made
    made.close()


@pytest.fixture
def commands() -> list[Command]:
    """The commands that arrived at the sink."""
    return []


MakeSink = Callable[..., MqttSink]


@pytest.fixture
def make_sink(commands: list[Command]) -> Iterator[MakeSink]:
    """Makes sinks for a port; whatever differs from the usual is given by name."""
    made: list[MqttSink] = []

    def make(port: int, *, mqtt: dict[str, Any] | None = None, **changes: Any) -> MqttSink:
        here: dict[str, Any] = {"host": "127.0.0.1", "port": port}
        config = MqttConfig(**(here | (mqtt or {})))
        usual: dict[str, Any] = {
            "node": "nursery",
            "name": "Sound detector",
            "area": "Nursery",
            "sounds": SOUNDS,
            "device": DeviceInfo(software="1.2.3"),
            "on_command": lambda command, _by: commands.append(command),
            "clock": HandClock(1000.0),
            "birth_delay_s": lambda: 0.0,
            "retry_delays_s": (0.05,),
            "environ": {},
        }
        made.append(MqttSink(config, **(usual | changes)))
        return made[-1]

    yield make
    for sink in made:
        sink.stop()
