"""The daemon's life: started, watched, asked, reloaded, stopped; here in this very process."""

import faulthandler
import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.core.errors import AudioError, ConfigError, Problem
from detector.service.control import ControlServer
from detector.service.diary import Diary
from tests.alerts.tools import Broker, Watcher, running, until
from tests.service.bench import PATIENCE_S, YAML
from tests.service.clipmaking import by_loudness, write_clip_file
from tests.service.life import FailingRecogniser, HangingRecogniser, Life, tell


@pytest.fixture
def life(short_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Life]:
    """A daemon's life that is yet to be lived, and what it says."""
    caplog.set_level(logging.INFO)
    made = Life(short_path)
    yield made
    made.notifications.close()
    assert sys.__stderr__ is not None
    faulthandler.enable(file=sys.__stderr__)  # the daemon took it for itself


def events(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The events that were written as JSON lines since this was last asked."""
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_file_is_heard_to_its_end_and_that_is_a_success(
    life: Life, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """READY, then STOPPING; events as JSON lines; what is still on is ended there.

    What it is no substitute for is said at every start, and who listens for what.
    """
    life.listen_to(tell(life.folder / "dog.wav", 0.0, 0.9, 0.0, 0.0, 0.0, 0.9), realtime=False)
    assert life.run() == 0
    assert life.notifications.all() == ["READY=1", "STOPPING=1"]
    told = [(event["event_type"], event["reason"]) for event in events(capfd)]
    assert told == [
        ("dog_bark", None),
        ("dog_bark_ended", "data"),
        ("dog_bark", None),
        ("dog_bark_ended", "stopped"),
    ]
    assert "not a life-safety device" in caplog.text
    assert "listening as nursery for dog_bark, baby_cry" in caplog.text


def test_a_second_stage_answers_later_by_an_update(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """Asked aside, by a thread of its own; told like any event, and in the history."""
    path = write_clip_file(life.folder, by_loudness())
    stage = f"    second_stage: {{classifier: {path}, seconds: 2}}\n"
    life.listen_for(YAML.replace("  baby_cry:", f"{stage}  baby_cry:"))
    told: list[dict[str, Any]] = []

    def script() -> None:
        def is_told() -> bool:
            told.extend(events(capfd))
            return any(event["phase"] == "update" for event in told)

        until(is_told, "the update")

    life.listen_to(tell(life.folder / "dog.wav", *[0.9] * 60), realtime=True)
    assert life.run(script) == 0
    told += events(capfd)
    assert [one["event_type"] for one in told] == [
        "dog_bark",
        "dog_bark_updated",
        "dog_bark_ended",
    ]
    assert len({one["id"] for one in told}) == 1
    assert told[0]["second_stage"] is None
    assert told[1]["second_stage"]["classifier"] == "loudness"
    assert told[2]["second_stage"] == told[1]["second_stage"]


def test_a_sound_that_is_on_at_the_end_is_still_asked_about(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its second stage answers before the outlets are closed."""
    path = write_clip_file(life.folder, by_loudness())
    stage = f"    second_stage: {{classifier: {path}, seconds: 20}}\n"
    life.listen_for(YAML.replace("  baby_cry:", f"{stage}  baby_cry:"))
    life.listen_to(tell(life.folder / "dog.wav", *[0.9] * 4), realtime=False)
    assert life.run() == 0
    told = [event["event_type"] for event in events(capfd)]
    assert told == ["dog_bark", "dog_bark_ended", "dog_bark_updated"]


def test_sigterm_ends_it_and_leaves_nothing_on(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not even a test alert that was to end later; the socket is gone too."""

    def script() -> None:
        life.control.request("test_alert", sound="baby_cry")

    assert life.run(script) == 0
    assert [event["phase"] for event in events(capfd)] == ["onset", "offset"]
    assert not life.control.path.exists()


def test_it_can_be_asked_while_it_runs(life: Life, capfd: pytest.CaptureFixture[str]) -> None:
    """Status, windows, thresholds and arming, over the control socket."""

    def script() -> None:
        status = life.control.request("status")
        assert status["sounds"] == ["dog_bark", "baby_cry"]
        assert "silence.wav" in status["status"]
        stream = life.control.subscribe()
        until(lambda: "snapshot" in next(stream), "a window")
        assert life.control.request("recent")["windows"]
        life.control.request("disarm")
        until(lambda: "event" in next(stream), "the event")
        stream.close()
        assert life.control.request("status")["armed"] is False

    life.run(script)
    (disarmed,) = events(capfd)
    assert (disarmed["event_type"], disarmed["reason"]) == ("disarmed", "by the control socket")


def test_the_watchdog_is_fed_and_the_status_told(life: Life) -> None:
    """Only where systemd asked for it."""

    def script() -> None:
        life.notifications.wait_for("STATUS=microphone")
        life.notifications.wait_for("WATCHDOG=1")

    life.environ["WATCHDOG_USEC"] = "30000000"
    assert life.run(script) == 0


def test_the_watchdog_is_not_fed_while_the_worker_hangs(life: Life) -> None:
    """That is what it is for: systemd ends a daemon that lives and hears nothing."""
    hanging = HangingRecogniser()

    def script() -> None:
        assert hanging.busy.wait(PATIENCE_S)
        life.clock.leap_s += 6.0
        until(lambda: status_without_food(life), "a turn in which nothing was fed")
        hanging.let_go.set()
        life.notifications.wait_for("WATCHDOG=1")

    life.environ["WATCHDOG_USEC"] = "30000000"
    life.recogniser = hanging
    assert life.run(script) == 0


def status_without_food(life: Life) -> bool:
    """Whether the daemon went round from one status to the next, 5 s later, without feeding."""
    life.notifications.wait_for("STATUS=")
    already = len(life.notifications.heard)
    life.clock.leap_s += 5.0
    life.notifications.wait_for("STATUS=")
    return "WATCHDOG=1" not in life.notifications.heard[already:]


def test_a_test_alert_is_ended_by_the_daemon_itself(life: Life) -> None:
    """Three seconds later, without anybody asking."""

    def script() -> None:
        stream = life.control.subscribe()
        until(lambda: "snapshot" in next(stream), "a window")
        life.control.request("test_alert")
        life.clock.leap_s += 3.0
        until(lambda: next(stream).get("event", {}).get("phase") == "offset", "the end")
        stream.close()

    assert life.run(script) == 0


def test_without_a_watchdog_nothing_is_fed(life: Life) -> None:
    """Nor anybody else's."""
    life.environ |= {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    life.run(lambda: None)
    assert "WATCHDOG=1" not in life.notifications.all()


def test_a_second_daemon_goes_on_without_a_control_socket(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    """And leaves the first one's alone."""
    first = ControlServer(life.control.path)
    first.handlers = {"ping": lambda _request: {"node": "first"}}
    first.start()
    assert life.run(lambda: None) == 0
    assert life.control.request("ping")["node"] == "first"
    first.stop()
    assert "another detector is running here; going on without" in caplog.text


def test_a_file_that_cannot_be_decoded_is_an_audio_error(life: Life) -> None:
    """READY is never said; STOPPING is."""
    broken = life.folder / "broken.wav"
    broken.write_bytes(b"RIFF and then nothing of the kind")
    life.listen_to(broken, realtime=False)
    with pytest.raises(AudioError, match=r"broken\.wav cannot be decoded"):
        life.run()
    assert life.notifications.all() == ["STOPPING=1"]


def test_a_file_that_breaks_off_is_an_audio_error_after_what_could_be_heard(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sounds up to there are told."""
    whole = tell(life.folder / "whole.wav", 0.9, 0.0, 0.0, 0.0, 0.0, 0.0)
    torn = life.folder / "torn.wav"
    torn.write_bytes(whole.read_bytes()[:-80_000])
    life.listen_to(torn, realtime=False)
    with pytest.raises(AudioError, match="damaged or truncated"):
        life.run()
    assert [event["event_type"] for event in events(capfd)] == ["dog_bark", "dog_bark_ended"]


def test_a_defect_ends_it_with_a_traceback(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    """Restarting is systemd's business; going on deaf would be nobody's."""
    life.recogniser = FailingRecogniser(("Dog", "Bark", "Baby cry, infant cry", "Rain"))
    with pytest.raises(ZeroDivisionError):
        life.run()
    assert "the worker failed" in caplog.text
    assert life.notifications.all() == ["READY=1", "STOPPING=1"]


def test_sighup_takes_other_sounds_without_ceasing_to_listen(
    life: Life, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A test alert that was on is ended; the model is not loaded again."""

    def script() -> None:
        life.control.request("test_alert")
        life.listen_for(YAML.replace("dog_bark:", "hound:"))
        life.reload()
        assert life.control.request("status")["sounds"] == ["hound", "baby_cry"]
        life.control.request("set_threshold", sound="hound", value=0.9)

    assert life.run(script) == 0
    assert "configuration read anew: listening for hound, baby_cry" in caplog.text
    assert [event["phase"] for event in events(capfd)] == ["onset", "offset"]
    assert life.models_loaded == 1


def test_a_sound_of_ones_own_that_is_gone_is_told_and_the_others_go_on(life: Life) -> None:
    """At the start, and after a reload that has it again."""
    life.config = replace(life.config, left_out=("my_bell",))

    def script() -> None:
        status = life.control.request("status")
        assert status["sounds"] == ["dog_bark", "baby_cry"]
        assert status["health"]["model_warning"] == "not listened for: my_bell"
        life.config = replace(life.config, left_out=())
        life.reload()
        assert life.control.request("status")["health"]["model_warning"] is None

    assert life.run(script) == 0


def test_a_sound_that_is_on_is_ended_by_a_reload(
    life: Life, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its reason; the new configuration hears it anew."""
    life.listen_to(tell(life.folder / "dog.wav", *[0.9] * 60), realtime=True)

    def script() -> None:
        stream = life.control.subscribe()
        until(lambda: any(one["state"] == "on" for one in sounds(stream)), "an onset")
        life.reload()
        until(lambda: "event" in next(stream), "the offset")
        stream.close()

    life.run(script)
    told = [(event["event_type"], event["reason"]) for event in events(capfd)]
    assert told[:2] == [("dog_bark", None), ("dog_bark_ended", "reloaded")]


def sounds(stream: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the next line of a subscription says of the sounds."""
    found: list[dict[str, Any]] = next(stream).get("snapshot", {}).get("sounds", [])
    return found


def test_a_configuration_that_is_wrong_changes_nothing(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    """Every problem is logged, and systemd is told that it is ready again.

    That the model lacks a class is found before anything is replaced, too.
    """
    problems = [Problem("detector.yaml:3", "sounds.dog", "one"), Problem("", "node", "another")]

    def script() -> None:
        life.problem = ConfigError(problems)
        life.reload()
        life.problem = None
        life.listen_for(YAML.replace("[Bark, Dog]", "[Barc]"))
        life.reload()
        assert life.control.request("status")["sounds"] == ["dog_bark", "baby_cry"]

    assert life.run(script) == 0
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    refused = "the new configuration is refused; going on with the old one"
    assert errors[:3] == [*(str(problem) for problem in problems), refused]
    assert "Barc" in errors[3]
    assert errors[4:] == [refused]


def test_the_diary_is_written_at_the_stop_and_read_at_the_start(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    """So that the time in between is known to have been deaf."""
    before = Diary(life.folder / "state", life.config.node, life.clock)
    before.open()
    before.live(armed=True)
    life.clock.leap_s = 1000.0
    life.run(lambda: None)
    assert re.search(r"it did not run for 100\d s", caplog.text)
    path = life.folder / "state" / f"diary-{life.config.node}.json"
    document = json.loads(path.read_text())
    assert document["heartbeat"]["monotonic_s"] - before.lived_s >= 1000.0
    assert document["deaf_seconds"]["not_running"] >= 1000.0


def test_what_was_counted_outlives_a_reload(life: Life) -> None:
    """Also where all parts are new: uptime and deaf seconds go on, in the new node's diary."""
    told: list[dict[str, Any]] = []

    def script() -> None:
        life.clock.leap_s = 500.0
        life.config = replace(life.config, node="kitchen")
        life.reload()
        told.append(life.control.request("status")["health"])

    life.run(script)
    assert told[0]["uptime_s"] >= 500.0
    assert "not_running" in told[0]["deaf_seconds"]
    assert (life.folder / "state" / "diary-kitchen.json").exists()


def test_another_model_source_and_name_are_taken_by_a_reload(life: Life) -> None:
    """Outlets and source begin anew; the socket answers for the new ones.

    The model is loaded again only where its settings have changed.
    """

    def script() -> None:
        life.config = replace(life.config, model=replace(life.config.model, threads=2))
        life.reload()
        assert life.models_loaded == 2
        before = life.control.request("ping")["node"]
        life.listen_to(tell(life.folder / "other.wav", *[0.0] * 60), realtime=True)
        life.config = replace(life.config, node="attic")
        life.reload()
        after = life.control.request("ping")["node"]
        assert (before, after) == ("nursery", "attic")
        assert "other.wav" in life.control.request("status")["status"]

    assert life.run(script) == 0
    assert life.models_loaded == 2


def test_a_source_that_does_not_start_after_a_reload_brings_the_old_one_back(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    """A slip in the configuration must not leave a daemon that lives and is deaf."""

    def script() -> None:
        broken = life.folder / "broken.wav"
        broken.write_bytes(b"RIFF and then nothing of the kind")
        life.listen_to(broken, realtime=True)
        life.reload()
        assert "silence.wav" in life.control.request("status")["status"]
        stream = life.control.subscribe()
        until(lambda: "snapshot" in next(stream), "a window")
        stream.close()

    assert life.run(script) == 0
    assert "broken.wav cannot be decoded" in caplog.text
    assert "going on with the old one" in caplog.text


def test_a_reload_after_which_nothing_starts_any_more_ends_it(life: Life) -> None:
    """The old file is gone as well: there is nothing to go on with."""

    def script() -> None:
        (life.folder / "silence.wav").unlink()
        broken = life.folder / "broken.wav"
        broken.write_bytes(b"RIFF and then nothing of the kind")
        life.listen_to(broken, realtime=True)
        with pytest.raises(EOFError):
            life.reload()

    with pytest.raises(AudioError, match=r"silence\.wav"):
        life.run(script)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A real mosquitto."""
    with running(Broker(tmp_path)) as started:
        yield started


@pytest.mark.system
def test_commands_over_mqtt_are_obeyed_or_refused_but_never_fatal(
    life: Life, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """A test alert while every sound is disabled has nothing to send."""
    text = YAML.replace("_bark:", "_bark:\n    enabled: false")
    life.listen_for(text.replace("_cry:", "_cry:\n    enabled: false"))
    life.tell_broker(broker.port)
    watcher = Watcher(broker.port)

    def script() -> None:
        watcher.wait_for("detector/nursery/status", "online")
        watcher.say("detector/nursery/cmd", "test_alert")
        watcher.say("detector/nursery/armed/set", "OFF")
        watcher.wait_for("detector/nursery/armed/state", "OFF")
        disarmed = json.loads(watcher.wait_for("detector/nursery/event").payload)
        assert (disarmed["event_type"], disarmed["reason"]) == ("disarmed", "by MQTT")

    assert life.run(script) == 0
    watcher.wait_for("detector/nursery/status", "offline")
    watcher.close()
    assert "is not listened for; sounds are all disabled" in caplog.text
