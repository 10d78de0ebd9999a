"""The whole product: sounds played into a real microphone, read by a real MQTT subscriber."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from detector.service.standin import STANDS_IN
from tests.alerts.tools import Broker, Watcher, until
from tests.audio.tools import Room
from tests.system.made import Sounds

pytestmark = pytest.mark.system

CLIPS = {
    "baby_cry": "baby_cry/donateacry__10A40438-09AA-4A21-83B4-8119F03F7A11-1430848060-"
    "1.0-f-26-hu.flac",
    "dog_bark": "dog_bark/doggydaycare__169143__5demayo__dachshund-play-growling_1.flac",
    "siren": "siren/giulbia__2-72688-A.flac",
    "glass_breaking": "glass_breaking/giulbia__3-203373-A.flac",
}
NEGATIVE = "rain/esc10__1-17367-A.flac"
ROOM_TONE = "room_tone/precise_comm__bg_noise9.flac"

CONFIG = """
node: nursery
audio:
  device: roommic
mqtt:
  host: 127.0.0.1
  port: {port}
sounds:
"""
YAMNETS = "".join(f"  {sound}: {{hold_seconds: 2}}\n" for sound in CLIPS)
BEEPS = """
  baby_cry: {}
  smoke_alarm: {confirm_seconds: 2.5, possible_seconds: null, hold_seconds: 4}
  siren: {}
"""
"""Of an alarm one group of beeps is enough, so that little is waited for."""

NOWHERE = "http://127.0.0.1:9"
WITHOUT_YAMNET = {
    "DETECTOR_MODEL": "",
    **dict.fromkeys(("http_proxy", "https_proxy"), NOWHERE),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
}
"""None is named, and none can be fetched: nothing of the real world is reached."""


class Detector:
    """``detector run`` as a process of its own; without a ``model``, none can be had."""

    def __init__(self, room: Room, config: Path, model: Path | None) -> None:
        home = Path(room.environment["HOME"])
        self.notifications = home / "notify"
        environment = room.environment | {
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        environment |= WITHOUT_YAMNET if model is None else {"DETECTOR_MODEL": str(model)}
        self._log = (home / "detector.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "detector", "run", "--config", str(config)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.environment = environment

    @property
    def log(self) -> str:
        """What it has said so far."""
        return Path(self._log.name).read_text()

    def ask(self, *command: str) -> str:
        """Run another command beside it; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "detector", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr

    def stop(self) -> tuple[int, float]:
        """SIGTERM; its exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(15)
        return code, time.monotonic() - began

    def close(self) -> None:
        """Whatever happened, it is gone after this; a failing test shows its log."""
        print(self.log)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


@contextmanager
def room_tone(room: Room, recording: Path) -> Iterator[None]:
    """A quiet room for as long as it is wanted: without a player the sink gives digital zeros."""
    stopping = threading.Event()
    player: list[subprocess.Popen[bytes]] = []

    def play() -> None:
        while not stopping.is_set():
            player[:] = [
                subprocess.Popen(
                    ["paplay", "--device=room", recording],
                    env=room.environment,
                    stderr=subprocess.DEVNULL,
                )
            ]
            player[0].wait()

    thread = threading.Thread(target=play, name="room-tone")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        player[0].terminate()
        thread.join(10)


@contextmanager
def detector(
    room: Room, broker: Broker, tmp_path: Path, model: Path | None, *, listen_for: str = BEEPS
) -> Iterator[Detector]:
    """A daemon in that room, telling that broker."""
    config = tmp_path / "detector.yaml"
    config.write_text(CONFIG.format(port=broker.port) + listen_for)
    made = Detector(room, config, model)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def listening(
    room: Room,
    broker: Broker,
    tmp_path: Path,
    model: Path | None,
    tone: Path,
    *,
    listen_for: str = BEEPS,
) -> Iterator[tuple[Detector, Watcher]]:
    """The same once it hears, in a room that is never digitally silent; and who watches it."""
    with (
        room_tone(room, tone),
        detector(room, broker, tmp_path, model, listen_for=listen_for) as daemon,
    ):
        watcher = Watcher(broker.port)
        watcher.wait_for("detector/nursery/mic/status", "online")
        yield daemon, watcher


def states(watcher: Watcher, sound: str) -> list[str]:
    """ON and OFF of a sound as they came, without what was retained."""
    topic = f"detector/nursery/sound/{sound}/state"
    return [seen.payload for seen in watcher.seen if seen.topic == topic and not seen.retained]


def latency_ms(watcher: Watcher) -> float:
    """Of the first event: from the estimated beginning of the sound to the decision."""
    return float(json.loads(watcher.wait_for("detector/nursery/event").payload)["latency_ms"])


def told(watcher: Watcher, event_type: str) -> bool:
    """Whether such an event has come."""
    return event_type in event_types(watcher)


def event_types(watcher: Watcher) -> list[str]:
    """The events of sounds as they came."""
    events = [json.loads(s.payload) for s in watcher.seen if s.topic == "detector/nursery/event"]
    return [event["event_type"] for event in events if event["kind"] == "sound"]


def ends_well(daemon: Detector, watcher: Watcher, broker: Broker) -> None:
    """SIGTERM leaves ``offline`` and 0."""
    code, seconds = daemon.stop()
    print(f"stopped in {seconds:.2f} s")
    assert code == 0
    watcher.close()
    late = Watcher(broker.port)
    assert late.wait_for("detector/nursery/status").payload == "offline"
    assert late.wait_for("detector/nursery/mic/status").payload == "offline"
    late.close()
    assert "Traceback" not in daemon.log


@pytest.mark.model
@pytest.mark.recordings
@pytest.mark.timeout(240)
def test_from_the_sound_to_the_subscriber_and_a_clean_end(
    room: Room, broker: Broker, tmp_path: Path, model_path: Path, recordings: Path
) -> None:
    """Four sounds are told as ON, event, OFF; rain is not; SIGTERM leaves `offline` and 0."""
    tone = recordings / ROOM_TONE
    with listening(room, broker, tmp_path, model_path, tone, listen_for=YAMNETS) as (
        daemon,
        watcher,
    ):
        for sound, clip in CLIPS.items():
            watcher.forget()
            room.play(recordings / clip)
            watcher.wait_for(f"detector/nursery/sound/{sound}/state", "OFF")
            until(partial(told, watcher, f"{sound}_ended"), f"{sound}_ended")
            print(sound, event_types(watcher), "latency", latency_ms(watcher), "ms")
            assert states(watcher, sound)[0] == "ON"
            assert event_types(watcher)[0] == sound
            others = set(CLIPS) - {sound}
            assert not [name for name in others if states(watcher, name)]
        watcher.forget()
        room.play(recordings / NEGATIVE)
        time.sleep(2.0)  # whatever the last window brings would be here by now
        assert event_types(watcher) == []

        ends_well(daemon, watcher, broker)


def test_without_yamnet_an_alarm_is_told_all_the_same(
    room: Room, broker: Broker, tmp_path: Path, sounds: Sounds
) -> None:
    """The built-in model stands in: in the log, in health, in Home Assistant; beeps are told."""
    with listening(room, broker, tmp_path, None, sounds.quiet) as (daemon, watcher):
        assert STANDS_IN in daemon.log
        health = json.loads(watcher.wait_for("detector/nursery/health").payload)
        assert health["model_warning"] == STANDS_IN
        assert health["model"].startswith("built-in/")
        topic = "homeassistant/device/detector_nursery/config"
        problem = json.loads(watcher.wait_for(topic).payload)["cmps"]["stand_in"]
        assert (problem["name"], problem["dev_cla"]) == ("Model", "problem")
        watcher.forget()
        room.play(sounds.beeps)
        watcher.wait_for("detector/nursery/sound/smoke_alarm/state", "OFF")
        until(partial(told, watcher, "smoke_alarm_ended"), "smoke_alarm_ended")
        assert states(watcher, "smoke_alarm") == ["ON", "OFF"]
        assert event_types(watcher).count("smoke_alarm") == 1
        ends_well(daemon, watcher, broker)


def test_an_open_sound_is_switched_off_by_a_stop(
    room: Room, broker: Broker, tmp_path: Path, any_model: Path, sounds: Sounds
) -> None:
    """ON does not outlive the process."""
    with listening(room, broker, tmp_path, any_model, sounds.quiet) as (daemon, watcher):
        watcher.forget()
        player = threading.Thread(target=room.play, args=(sounds.beeps,))
        player.start()
        watcher.wait_for("detector/nursery/sound/smoke_alarm/state", "ON")
        code, seconds = daemon.stop()
        player.join()
        assert code == 0
        watcher.wait_for("detector/nursery/status", "offline")
        assert states(watcher, "smoke_alarm") == ["ON", "OFF"]
        ended = json.loads(watcher.wait_for("detector/nursery/event", count=2).payload)
        assert (ended["event_type"], ended["reason"]) == ("smoke_alarm_ended", "stopped")
        print(f"stopped in {seconds:.2f} s")
        watcher.close()


def test_commands_beside_the_running_service(
    room: Room, broker: Broker, tmp_path: Path, any_model: Path, sounds: Sounds
) -> None:
    """Listen, doctor and test-alert ask the daemon, which alone has the microphone."""
    with listening(room, broker, tmp_path, any_model, sounds.quiet) as (daemon, watcher):
        assert "baby_cry: ON now" in daemon.ask("test-alert").replace("test alert for ", "")
        watcher.wait_for("detector/nursery/sound/baby_cry/state", "ON")
        assert json.loads(watcher.wait_for("detector/nursery/event").payload)["test"] is True
        heard = daemon.ask("listen", "--seconds", "1", "--json")
        window = json.loads(heard.splitlines()[-1])["snapshot"]
        assert {one["sound"] for one in window["sounds"]} == {"baby_cry", "smoke_alarm", "siren"}
        config = str(tmp_path / "detector.yaml")
        doctor = daemon.ask("doctor", "--config", config)
        print(doctor)
        assert "the service says ok" in doctor
        assert "FAILED" not in doctor
        watcher.wait_for("detector/nursery/sound/baby_cry/state", "OFF", count=2)
        assert daemon.stop()[0] == 0
        watcher.close()


def test_home_assistant_commands_change_the_daemon_and_survive_a_restart(
    room: Room, broker: Broker, tmp_path: Path, any_model: Path
) -> None:
    """A threshold and the armed switch, set over MQTT, are echoed, kept, and told as events."""
    watcher = Watcher(broker.port)
    with detector(room, broker, tmp_path, any_model) as daemon:
        watcher.wait_for("detector/nursery/status", "online")
        watcher.say("detector/nursery/sound/siren/threshold/set", "0.75")
        watcher.wait_for("detector/nursery/sound/siren/threshold/state", "0.75")
        watcher.say("detector/nursery/armed/set", "OFF")
        watcher.wait_for("detector/nursery/armed/state", "OFF")
        disarmed = json.loads(watcher.wait_for("detector/nursery/event").payload)
        assert disarmed["event_type"] == "disarmed"
        watcher.say("detector/nursery/armed/set", "perhaps")
        until(lambda: "perhaps" in daemon.log, "a warning about the malformed command")
        assert daemon.stop()[0] == 0
    watcher.forget()
    with detector(room, broker, tmp_path, any_model) as daemon:
        watcher.wait_for("detector/nursery/status", "online")
        assert watcher.wait_for("detector/nursery/armed/state").payload == "OFF"
        assert watcher.wait_for("detector/nursery/sound/siren/threshold/state").payload == "0.75"
        assert daemon.stop()[0] == 0
    watcher.close()


def test_a_reload_takes_new_sounds_and_refuses_a_broken_configuration(
    room: Room, broker: Broker, tmp_path: Path, any_model: Path
) -> None:
    """SIGHUP with an error changes nothing; a good one adds and withdraws sounds."""
    config = tmp_path / "detector.yaml"
    with detector(room, broker, tmp_path, any_model) as daemon:
        watcher = Watcher(broker.port)
        watcher.wait_for("detector/nursery/status", "online")
        good = config.read_text()
        config.write_text(good.replace("  siren:", "  sirene:"))
        os.kill(daemon.process.pid, signal.SIGHUP)
        until(lambda: "is refused; going on with the old one" in daemon.log, "a refusal")
        assert "did you mean siren" in daemon.log
        config.write_text(good.replace("  siren:", "  doorbell:"))
        watcher.forget()
        os.kill(daemon.process.pid, signal.SIGHUP)
        watcher.wait_for("detector/nursery/sound/doorbell/state", "OFF")
        watcher.wait_for("detector/nursery/sound/siren/state", "")
        topic = "homeassistant/device/detector_nursery/config"
        until(lambda: "doorbell" in watcher.wait_for(topic).payload, "doorbell in the discovery")
        assert daemon.stop()[0] == 0
        watcher.close()


def test_neither_microphone_nor_broker_is_needed_to_start(
    room: Room, broker: Broker, tmp_path: Path, any_model: Path, sounds: Sounds
) -> None:
    """Both are told, both are tried again, and both are found when they come."""
    room.close()
    broker.stop()
    with detector(room, broker, tmp_path, any_model) as daemon:
        until(lambda: "no microphone" in daemon.log, "a word about the microphone")
        until(lambda: "microphone missing" in daemon.log, "the verdict: it is no slow opening")
        until(lambda: f"127.0.0.1:{broker.port}" in daemon.log, "a word about the broker")
        assert daemon.process.poll() is None
        broker.start()
        watcher = Watcher(broker.port)
        watcher.wait_for("detector/nursery/status", "online")
        assert watcher.wait_for("detector/nursery/mic/status").payload == "offline"
        room.open()
        with room_tone(room, sounds.quiet):
            until(
                lambda: any(
                    (seen.topic, seen.payload) == ("detector/nursery/mic/status", "online")
                    for seen in watcher.seen
                ),
                "the microphone",
            )
        assert daemon.stop()[0] == 0
        watcher.close()
