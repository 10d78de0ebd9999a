"""Commands over a real broker, the good and the bad."""

import logging

import pytest

from detector.core.events import Command, SetArmed, SetThreshold, TestAlert
from tests.alerts.conftest import MakeSink
from tests.alerts.tools import Broker, Watcher, until

pytestmark = pytest.mark.system

AT = "detector/nursery"


def test_commands_arrive_as_what_they_mean(
    broker: Broker, watcher: Watcher, make_sink: MakeSink, commands: list[Command]
) -> None:
    """Every command there is, in the order given."""
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.say(f"{AT}/sound/baby_cry/threshold/set", "0.6")
    watcher.say(f"{AT}/sound/baby_cry/threshold/set", "")
    watcher.say(f"{AT}/armed/set", "OFF")
    watcher.say(f"{AT}/armed/set", "ON")
    watcher.say(f"{AT}/cmd", "test_alert")
    watcher.say(f"{AT}/cmd", "test_alert smoke_alarm")
    until(lambda: len(commands) == 6, "six commands")
    assert commands == [
        SetThreshold("baby_cry", 0.6),
        SetThreshold("baby_cry", None),
        SetArmed(armed=False),
        SetArmed(armed=True),
        TestAlert(),
        TestAlert("smoke_alarm"),
    ]


def test_bad_commands_are_told_once_each_counted_and_not_obeyed(
    broker: Broker,
    watcher: Watcher,
    make_sink: MakeSink,
    commands: list[Command],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A good one behind them still arrives."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.say(f"{AT}/sound/baby_cry/threshold/set", "nan")
    watcher.say(f"{AT}/sound/yodel/threshold/set", "0.5")
    watcher.say(f"{AT}/armed/set", "maybe")
    watcher.say(f"{AT}/cmd", b"\xff\xfe")
    watcher.say(f"{AT}/cmd", "x" * 100_000)
    watcher.say(f"{AT}/cmd", "test_alert")
    until(lambda: commands == [TestAlert()], "the good command")
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert sink.refused_commands == 5
    assert len(warnings) == 5
    assert all(len(warning) < 200 for warning in warnings)


def test_a_retained_command_is_not_obeyed_at_every_connection(
    broker: Broker,
    watcher: Watcher,
    make_sink: MakeSink,
    commands: list[Command],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Or a forgotten OFF would disarm the detector for ever."""
    watcher.say(f"{AT}/armed/set", "OFF", retain=True)
    sink = make_sink(broker.port)
    sink.start()
    until(lambda: sink.refused_commands == 1, "the refusal")
    assert commands == []
    assert "retained" in caplog.text


def test_a_handler_that_fails_does_not_end_the_connection(
    broker: Broker, watcher: Watcher, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in paho's thread would end it while it still claims to be connected."""
    calls: list[Command] = []

    def fail(command: Command, _by: str) -> None:
        calls.append(command)
        raise RuntimeError("a defect")

    make_sink(broker.port, on_command=fail).start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.say(f"{AT}/cmd", "test_alert")
    watcher.say(f"{AT}/armed/set", "ON")
    until(lambda: len(calls) == 2, "both calls")
    assert "a defect" in caplog.text
