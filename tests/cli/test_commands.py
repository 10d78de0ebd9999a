"""The smaller commands: config, model, doctor, devices, test-alert, service, demo."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from detector.service.scene import SCENE_SOUNDS
from tests.cli.tools import Commands, daemon


def without_sound(detector: Commands) -> dict[str, str]:
    """What makes a machine one that has no sound device, whatever is plugged in."""
    path = detector.folder / "alsa.conf"
    path.write_text("pcm.gone { type hw card 31 }\n")
    return {"ALSA_CONFIG_PATH": str(path)}


def verdicts_of(out: str) -> dict[str, str]:
    """The doctor's verdicts by check."""
    words = [line.split(maxsplit=2) for line in out.splitlines() if line[:1].strip()]
    return {name: verdict for name, verdict, *_ in words}


def test_a_configuration_in_order_is_told_with_its_sounds(detector: Commands) -> None:
    """And its file and node."""
    outcome = detector("config", "check")
    config = detector.environment["DETECTOR_CONFIG"]
    assert (outcome.code, outcome.out) == (0, f"{config}: in order; node here, sounds: knock\n")


def test_show_tells_every_value_with_its_origin_and_no_secret(detector: Commands) -> None:
    """What it prints is a configuration again."""
    (detector.folder / "password").write_text("correct horse\n")
    text = "node: here\nmqtt: {host: h, username: u, password_file: password}\nsounds: [siren]\n"
    path = detector.config(text)
    outcome = detector("config", "show", "--config", path)
    assert outcome.code == 0
    assert "correct horse" not in outcome.out
    assert "detector.yaml:2" in outcome.out
    assert "default" in outcome.out
    assert "shipped" in outcome.out
    shown = yaml.safe_load(outcome.out)
    assert shown["mqtt"]["port"] in (None, 1883)
    assert list(shown["sounds"]) == ["siren"]
    again = detector.config(outcome.out)
    assert detector("config", "show", "--config", again).code == 0


def test_the_schema_describes_every_setting(detector: Commands) -> None:
    """For a person, and as a JSON Schema for an editor, which takes our configuration."""
    for_person = detector("config", "schema")
    assert for_person.code == 0
    for key in ("node", "hop_seconds", "late_after_seconds", "confirm_within_seconds"):
        assert key in for_person.out
    schema: dict[str, Any] = json.loads(detector("config", "schema", "--json").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    ours = yaml.safe_load(Path(detector.environment["DETECTOR_CONFIG"]).read_text())
    jsonschema.validate(ours, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"nod": "a"}, schema)


def test_the_model_is_found_and_described(detector: Commands) -> None:
    """One of our own, which is said."""
    model = detector.environment["DETECTOR_MODEL"]
    assert detector("model", "path").out == f"{model}\n"
    verified = detector("model", "verify")
    assert verified.code == 0
    facts = dict(line.split(maxsplit=1) for line in verified.out.splitlines())
    assert facts["file"] == model
    assert facts["identity"] == "not the official YAMNet"
    assert facts["window"] == "8000 samples at 16 kHz"
    assert facts["classes"] == "3"
    assert detector("model", "labels").out == "  0  knock\n  1  ring\n  2  cry\n"


def test_no_model_is_told_with_the_places_and_the_way_to_one(bare: Commands) -> None:
    """By the commands that only look, which fetch nothing."""
    for action in ("path", "labels"):
        line = bare("model", action).failed(5)
        assert line.startswith("no model; looked at ")
        assert line.endswith("Fetch it: detector model fetch")
        assert bare.environment["HOME"] in line


def test_the_doctor_without_microphone_and_broker(detector: Commands) -> None:
    """One fails and one is skipped, each with a remedy; the exit code says so."""
    outcome = detector.process("doctor", environment=without_sound(detector))
    assert outcome.code == 1
    verdicts = verdicts_of(outcome.out)
    assert list(verdicts) == [
        "machine",
        "config",
        "model",
        "microphone",
        "broker",
        "clock",
        "service",
    ]
    assert verdicts["machine"] == verdicts["config"] == verdicts["model"] == "ok"
    assert verdicts["microphone"] == "FAILED"
    assert "no microphone is connected" in outcome.out
    assert "→ see that it is plugged in, not muted" in outcome.out
    assert verdicts["broker"] == "skipped"
    assert "→ set mqtt.host for Home Assistant" in outcome.out


def test_the_doctor_is_content_where_nothing_fails(detector: Commands) -> None:
    """A source that is no microphone is none to check."""
    text = Path(detector.environment["DETECTOR_CONFIG"]).read_text()
    config = detector.config(text + "audio: {source: stdin}\n")
    outcome = detector("doctor", "--config", config)
    assert outcome.code == 0
    assert "FAILED" not in outcome.out
    assert verdicts_of(outcome.out)["microphone"] == "skipped"


def test_the_doctor_asks_the_service_where_it_runs(detector: Commands) -> None:
    """It has the microphone, and would not share it."""
    with daemon(detector) as one:
        one.wait()
        one.hear()
        outcome = detector.process("doctor")
        verdicts = verdicts_of(outcome.out)
        assert verdicts["service"] == "ok"
        assert "the service says " in outcome.out
        assert "runs: microphone " in outcome.out
        assert one.end().code == 0


def test_no_microphone_at_all_is_one_clear_line(detector: Commands) -> None:
    """With what to do."""
    environment = without_sound(detector)
    for options in ((), ("--json",)):
        line = detector.process("devices", *options, environment=environment).failed(4)
        assert line.startswith("no microphone found; plug one in")


def test_a_test_alert_without_a_service_is_told(detector: Commands) -> None:
    """With both reasons that there can be."""
    outcome = detector("test-alert", "--node", "no-such-node-anywhere")
    line = outcome.failed(7)
    assert line.startswith("no running service found")
    assert "detector run" in line
    assert "usermod -aG detector" in line


def test_the_service_is_disarmed_and_armed_again(detector: Commands) -> None:
    """Said while it lasts: by the command, by the doctor, and at the next start."""
    with daemon(detector) as one:
        one.wait()
        assert detector("arm", "--node", "here").out == "armed already\n"
        assert detector("disarm", "--node", "here").out == "disarmed\n"
        assert one.end().code == 0
    with daemon(detector) as one:
        one.wait()
        assert detector("arm", "--node", "here").out == "armed\n"
        outcome = one.end()
        assert "no sound is told until somebody arms it again" in outcome.err


def test_a_test_alert_is_sent_by_the_service(detector: Commands) -> None:
    """And told as one: ON and OFF."""
    with daemon(detector) as one:
        one.wait()
        sent = detector("test-alert", "knock", "--node", "here")
        assert sent.code == 0
        assert "knock" in sent.out
        assert one.process.stdout is not None
        event = json.loads(one.process.stdout.readline())
        assert (event["sound"], event["test"], event["phase"]) == ("knock", True, "onset")
        refused = detector("test-alert", "siren", "--node", "here")
        assert "siren" in refused.failed(7)
        assert one.end().code == 0


def test_a_self_test_is_taken_by_the_service(detector: Commands) -> None:
    """Step by step; nothing is heard on its standard input, so it is the microphone that fails."""
    with daemon(detector) as one:
        one.wait()
        outcome = detector("selftest", "--node", "here")
        assert outcome.code == 1
        words = [line.split()[:2] for line in outcome.out.splitlines()]
        assert words == [
            ["microphone", "FAILED"],
            ["model", "passed"],
            ["broker", "passed"],
            ["self-test", "FAILED"],
        ]
        assert "no loudspeaker is set (selftest.output)" in outcome.out
        assert one.process.stdout is not None
        event = json.loads(one.process.stdout.readline())
        assert (event["event_type"], event["urgency"]) == ("self_test", "urgent")
        told = json.loads(detector("selftest", "--json", "--node", "here").out)
        assert (told["passed"], told["trigger"]) == (False, "command")
        assert one.end().code == 0


def test_a_self_test_without_a_service_is_told(detector: Commands) -> None:
    """Nothing is proven by testing something else."""
    line = detector("selftest", "--node", "no-such-node-anywhere").failed(7)
    assert line.startswith("no running service found")


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_dry_run_says_each_step_and_takes_none(
    detector: Commands, tmp_path: Path, action: str
) -> None:
    """Below a root of our own, to be sure."""
    root = tmp_path / "root"
    root.mkdir()
    outcome = detector("service", action, "--dry-run", "--root", root)
    if "where the service cannot see it" in outcome.err:
        pytest.skip(outcome.failed(8))
    assert outcome.code == 0
    said = "write /etc/systemd/system/detector.service" if action == "install" else "keep /etc/det"
    assert said in outcome.out
    assert list(root.iterdir()) == []


def test_a_service_that_cannot_be_is_told(detector: Commands, tmp_path: Path) -> None:
    """Code 8, as the help says."""
    named = ("--instance", "two words", "--dry-run", "--root", tmp_path)
    assert "two words" in detector("service", "install", *named).failed(8)


@pytest.mark.model
def test_the_demo_finds_the_alarm(bare: Commands, model_path: Path) -> None:
    """As fast as the machine can; the cry, the siren and the telephone are told apart from it."""
    outcome = bare("demo", "--fast", "--model", model_path)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "playing 33 s: baby_cry, phone_ring, siren, smoke_alarm"
    found = [line.split()[1] for line in lines[1:-1]]
    assert {*SCENE_SOUNDS, "smoke_alarm_ended"} <= set(found)
    assert lines[-2] == f"told: {', '.join(SCENE_SOUNDS)}; not told: none"
    assert lines[-1].startswith("the smoke alarm was found; a synthetic one")


@pytest.mark.model
def test_the_demo_says_when_the_alarm_was_missed(bare: Commands, model_path: Path) -> None:
    """And its exit code is 1: here the threshold is out of reach."""
    text = "node: here\nsounds: {smoke_alarm: {threshold: 1.0, release_threshold: 0.9}}\n"
    outcome = bare("demo", "--fast", "--model", model_path, "--config", bare.config(text))
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1] == "the smoke alarm was missed"


@pytest.mark.system
@pytest.mark.timeout(90)
def test_the_demo_in_real_time(bare: Commands, any_model: Path) -> None:
    """As a newcomer runs it: 33 s, in a process of its own."""
    environment = {"DETECTOR_MODEL": os.fspath(any_model)}
    outcome = bare.process("demo", environment=environment, patience_s=80.0)
    assert outcome.code == 0
    assert "the smoke alarm was found" in outcome.out
    assert outcome.complaints == []
