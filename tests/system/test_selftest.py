"""The self-test with a real loudspeaker, microphone, model, broker and command line."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from detector.model.embedded import is_embedded
from tests.alerts.tools import Broker, Watcher, until
from tests.audio.tools import Room
from tests.system.made import Sounds
from tests.system.test_daemon import Detector, room_tone

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

CONFIG = """
node: nursery
audio:
  device: roommic
mqtt:
  host: 127.0.0.1
  port: {port}
selftest:
  output: {output}
sounds: [baby_cry, smoke_alarm, co_alarm, doorbell, door_knock, glass_breaking, dog_bark, cat_meow,
  siren, phone_ring, water_running, cough, snore, scream, speech]
"""

Home = Callable[[str], AbstractContextManager[tuple[Detector, Watcher]]]


@pytest.fixture
def home(room: Room, broker: Broker, tmp_path: Path, any_model: Path, sounds: Sounds) -> Home:
    """A daemon that hears a quiet room, with this loudspeaker, and who watches it."""

    @contextmanager
    def made(output: str) -> Iterator[tuple[Detector, Watcher]]:
        config = tmp_path / "detector.yaml"
        config.write_text(CONFIG.format(port=broker.port, output=output))
        with room_tone(room, sounds.quiet):
            daemon = Detector(room, config, any_model)
            try:
                watcher = Watcher(broker.port)
                watcher.wait_for("detector/nursery/mic/status", "online")
                yield daemon, watcher
                watcher.close()
            finally:
                daemon.close()

    return made


def asked(daemon: Detector) -> tuple[int, dict[str, Any], float]:
    """The command's exit code, its result, and the seconds that it took."""
    began_s = time.monotonic()
    command = ["detector", "selftest", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=daemon.environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout), time.monotonic() - began_s


def told(watcher: Watcher) -> list[dict[str, Any]]:
    """The events so far."""
    topic = "detector/nursery/event"
    return [json.loads(seen.payload) for seen in watcher.seen if seen.topic == topic]


def test_a_tone_goes_from_the_loudspeaker_to_the_broker(home: Home, any_model: Path) -> None:
    """By command and by button; it is told as an event and a state, and raises no sound."""
    with home("roomspeaker") as (daemon, watcher):
        code, result, seconds = asked(daemon)
        assert (code, result["passed"], result["trigger"]) == (0, True, "command"), result
        assert seconds < 15.0
        assert "carried the tone" in result["steps"]["microphone"]["detail"]
        by_model = "it has no class for the tone" if is_embedded(any_model) else "through the room"
        assert by_model in result["steps"]["model"]["detail"]
        assert json.loads(watcher.wait_for("detector/nursery/selftest").payload) == result
        watcher.forget()
        watcher.say("detector/nursery/cmd", "selftest")
        again = json.loads(watcher.wait_for("detector/nursery/selftest").payload)
        assert (again["passed"], again["trigger"]) == (True, "button")
        events = told(watcher)
        assert [(one["event_type"], one["reason"], one["urgency"]) for one in events] == [
            ("self_test", "passed", "info")
        ]
        assert daemon.stop()[0] == 0
        assert "Traceback" not in daemon.log


def test_a_tone_that_is_played_elsewhere_fails_at_the_microphone(home: Home, room: Room) -> None:
    """As with a loudspeaker that is off; the model is tested all the same, and it is urgent."""
    for command in (
        ["load-module", "module-null-sink", "sink_name=elsewhere"],
        ["set-default-sink", "elsewhere"],
    ):
        subprocess.run(["pactl", *command], env=room.environment, check=True, timeout=10)
    with home("default") as (daemon, watcher):
        code, result, _ = asked(daemon)
        assert (code, result["passed"]) == (1, False)
        assert [step["passed"] for step in result["steps"].values()] == [False, True, True]
        assert "did not come back" in result["steps"]["microphone"]["detail"]
        (event,) = told(watcher)
        assert (event["event_type"], event["urgency"]) == ("self_test", "urgent")
        assert event["reason"].startswith("failed: microphone: ")
        assert daemon.stop()[0] == 0


def test_a_loudspeaker_that_is_not_there_is_named(home: Home) -> None:
    """With those that are."""
    with home("blue yeti") as (daemon, _watcher):
        _, result, _ = asked(daemon)
        detail = result["steps"]["microphone"]["detail"]
        assert detail.startswith("selftest.output blue yeti is not there; there is ")
        assert "roomspeaker" in detail
        assert daemon.stop()[0] == 0


def test_without_a_loudspeaker_and_without_a_broker(
    home: Home, broker: Broker, any_model: Path
) -> None:
    """The tone is given to the model; the broker's absence is found in bounded time."""
    with home("null") as (daemon, _watcher):
        assert asked(daemon)[0] == 0
        broker.stop()
        code, result, seconds = asked(daemon)
        assert (code, seconds < 15.0) == (1, True)
        steps = result["steps"]
        assert [step["passed"] for step in steps.values()] == [True, True, False]
        assert "no loudspeaker is set" in steps["microphone"]["detail"]
        by_model = "it has no class" if is_embedded(any_model) else "given to it directly"
        assert by_model in steps["model"]["detail"]
        assert "not acknowledged within 3 s" in steps["broker"]["detail"]
        broker.start()
        late = Watcher(broker.port)
        until(lambda: len(told(late)) == 2, "both events, once the broker is back")
        assert [one["reason"].split(":")[0] for one in told(late)] == ["passed", "failed"]
        assert json.loads(late.wait_for("detector/nursery/selftest").payload) == result
        late.close()
        assert daemon.stop()[0] == 0
