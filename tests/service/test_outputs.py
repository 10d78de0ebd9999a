"""All outlets of one configuration: JSON lines alone, or a broker and no lines."""

import io
import json
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.messages import Health
from detector.config import Config, MqttConfig
from detector.core.audio import MicState
from detector.core.clock import Clock
from detector.core.events import Command, SetArmed
from detector.service.clock import SystemClock
from detector.service.outputs import Outputs
from tests.alerts.tools import Broker, Watcher, free_port, offset, onset, running, until
from tests.clocks import HandClock
from tests.service.bench import YAML, configured

AT = "detector/nursery"


def outputs(
    folder: Path,
    config: Config,
    commands: list[Command] | None = None,
    *,
    stream: io.StringIO | None = None,
    clock: Clock | None = None,
) -> Outputs:
    """Outputs that are not started."""
    obeyed: list[Command] = [] if commands is None else commands
    return Outputs(
        config,
        clock=clock or HandClock(),
        device=DeviceInfo(software="1.2.3"),
        on_command=lambda command, _by: obeyed.append(command),
        environ={},
        directory=folder,
        stream=stream,
    )


def with_broker(port: int, text: str = YAML) -> Config:
    """A configuration that tells a broker."""
    return replace(configured(text), mqtt=MqttConfig(host="127.0.0.1", port=port))


def test_without_a_broker_events_are_json_lines_in_order(tmp_path: Path) -> None:
    """What was told before a stop is written before it ends."""
    stream = io.StringIO()
    made = outputs(tmp_path, configured(), stream=stream)
    made.start()
    for number in range(20):
        made.tell(onset("dog_bark", number))
    made.stop()
    ids = [json.loads(line)["id"] for line in stream.getvalue().splitlines()]
    assert ids == [f"nursery-{number}" for number in range(20)]


def test_the_last_word_is_told_before_a_stop_though_the_disk_does_not_answer(
    tmp_path: Path,
) -> None:
    """Here another program holds the database: else the end of a sound would remain untold."""
    stream = io.StringIO()
    made = outputs(tmp_path, configured(), stream=stream, clock=SystemClock())
    made.start()
    with closing(sqlite3.connect(made.history, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        made.tell(offset("dog_bark"))
        made.stop()
    until(lambda: not journals(), "the journal, which goes on as soon as it can")
    assert json.loads(stream.getvalue())["event_type"] == "dog_bark_ended"


def journals() -> list[threading.Thread]:
    """Those that run."""
    return [thread for thread in threading.enumerate() if thread.name == "detector-journal"]


def test_lines_go_to_the_standard_output_of_the_moment(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where no other stream is given."""
    made = outputs(tmp_path, configured())
    made.start()
    made.tell(onset("dog_bark"))
    made.stop()
    assert json.loads(capsys.readouterr().out)["sound"] == "dog_bark"
    assert sys.stdout.writable()  # it is not ours to close


def test_without_a_broker_states_are_nobodys_business(tmp_path: Path) -> None:
    """They are dropped, and health says that there is no connection."""
    made = outputs(tmp_path, configured(), stream=io.StringIO())
    made.set_threshold("dog_bark", 0.7)
    made.set_armed(armed=False)
    made.set_microphone(available=True)
    made.set_level(-40.0, -20.0)
    made.set_health(Health(mic_state=MicState.OK))
    made.update_sounds(configured())
    made.tell(onset("dog_bark"))
    assert made.description == "json lines"
    assert made.last_error is None
    assert (made.mqtt_health().connected, made.mqtt_health().undelivered) == (False, 1)


def test_a_broker_that_is_away_is_named_with_its_reason(tmp_path: Path) -> None:
    """In the status line and in health; events wait."""
    made = outputs(tmp_path, with_broker(free_port()))
    assert made.description == "mqtt down: connecting"
    made.start()
    made.tell(onset("dog_bark"))
    until(lambda: made.last_error is not None, "a refused connection")
    assert made.description == f"mqtt down: {made.last_error}"
    assert made.mqtt_health().undelivered == 1
    made.stop()


def test_the_outbox_turns_while_it_runs(tmp_path: Path) -> None:
    """As the watchdog wants to know."""
    clock = HandClock()
    made = outputs(tmp_path, configured(), stream=io.StringIO(), clock=clock)
    made.start()
    clock.now_s = 200.0
    made.tell(onset("dog_bark"))
    until(lambda: made.last_turn_s == 200.0, "a turn")
    made.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A real mosquitto."""
    with running(Broker(tmp_path)) as started:
        yield started


@pytest.mark.system
def test_a_broker_is_told_everything_and_obeyed(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """States, events, and commands the other way; no line is written then."""
    watcher, commands = Watcher(broker.port), list[Command]()
    made = outputs(tmp_path, with_broker(broker.port), commands)
    made.start()
    watcher.wait_for(f"{AT}/status", "online")
    assert made.description == "mqtt up"
    made.set_threshold("dog_bark", 0.7)
    made.set_armed(armed=False)
    made.set_microphone(available=True)
    made.set_level(-40.0, -20.0)
    made.set_health(Health(mic_state=MicState.OK, mqtt=made.mqtt_health()))
    watcher.wait_for(f"{AT}/sound/dog_bark/threshold/state", "0.7")
    watcher.wait_for(f"{AT}/armed/state", "OFF")
    watcher.wait_for(f"{AT}/mic/status", "online")
    watcher.wait_for(f"{AT}/level")
    assert json.loads(watcher.wait_for(f"{AT}/health").payload)["mqtt"]["connected"] is True
    watcher.say(f"{AT}/armed/set", "ON")
    until(lambda: commands == [SetArmed(armed=True)], "a command")
    made.update_sounds(with_broker(broker.port, YAML.replace("dog_bark:", "hound:")))
    watcher.wait_for(f"{AT}/sound/hound/state", "OFF")
    made.tell(onset("hound"))
    made.tell(offset("hound"))
    made.stop()
    watcher.wait_for(f"{AT}/status", "offline")
    states = [seen.payload for seen in watcher.seen if seen.topic == f"{AT}/sound/hound/state"]
    assert states[-2:] == ["ON", "OFF"]
    watcher.close()
    assert capsys.readouterr().out == ""
