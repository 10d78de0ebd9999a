"""Configurations that are wrong: one clear line each, and code 3."""

import os
from pathlib import Path

import pytest

from tests.cli.tools import KNOCK, Commands

NOBODY = 65534
"""The user id of nobody, by convention."""

WRONG = {
    "not YAML": ("node: a: b", "detector.yaml:1: is not YAML: "),
    "a list": ("- node: a", ":1: a list is not a mapping of settings"),
    "a scalar": ("42", ":1: 42 is not a mapping of settings"),
    "an unknown key": ("nod: a", "detector.yaml:1: nod: is not known; did you mean node?"),
    "an unknown section": ("mqqt: {host: a}", "did you mean mqtt?"),
    "a number out of bounds": (
        "mqtt: {host: h, port: 70000}",
        "detector.yaml:1: mqtt.port: 70000",
    ),
    "a number that is none": ("model: {hop_seconds: fast}", "model.hop_seconds: fast"),
    "a release above its threshold": (
        "sounds: {siren: {threshold: 0.4, release_threshold: 0.6}}",
        "sounds.siren.release_threshold: 0.6 is above threshold (0.4)",
    ),
    "an unknown sound": ("sounds: [smoke_alram]", "did you mean smoke_alarm?"),
    "a duplicate sound": ("sounds:\n  siren:\n  siren:", "siren"),
    "a duplicate sound in a list": ("sounds: [siren, siren]", "siren"),
    "a missing password file": (
        "mqtt: {host: h, username: u, password_file: gone}",
        "mqtt.password_file: ",
    ),
    "a missing model": ("model: {path: gone.tflite}", "model.path: "),
    "a missing audio file": ("audio: {source: file, path: gone.wav}", "audio.path: "),
    "a rate out of bounds": ("audio: {stdin_rate_hz: 100}", "audio.stdin_rate_hz: 100"),
}


@pytest.mark.parametrize("command", [("config", "check"), ("run",)], ids=" ".join)
@pytest.mark.parametrize(("document", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_configuration_is_one_clear_line(
    detector: Commands, command: tuple[str, ...], document: str, said: str
) -> None:
    """With the file, the line, the key, the value and what would be right."""
    path = detector.config(document)
    line = detector(*command, "--config", path).failed(3)
    assert line.startswith(str(path))
    assert said in line


def test_all_problems_are_told_at_once(detector: Commands) -> None:
    """Nobody mends ten lines in ten attempts."""
    path = detector.config("nod: a\nmqtt: {port: 0}\nsounds: [smoke_alram]\n")
    outcome = detector("config", "check", "--config", path)
    assert outcome.code == 3
    assert [line.split(": ")[1] for line in outcome.complaints] == [
        f"{path}:1",
        f"{path}:2",
        f"{path}:3",
    ]


@pytest.mark.parametrize("command", [("config", "check"), ("run", "--stdin")], ids=" ".join)
def test_a_class_that_the_model_does_not_have_is_told(
    detector: Commands, command: tuple[str, ...]
) -> None:
    """Which only the model knows."""
    path = detector.config(KNOCK.replace("[knock]", "[knok]"))
    line = detector(*command, "--config", path).failed(3)
    assert line == (
        f"{path}:5: sounds.knock.evidence[0].classes[0]: "
        '"knok" is not a class of the model; did you mean knock?'
    )


def test_without_a_model_the_classes_are_not_checked_and_that_is_said(bare: Commands) -> None:
    """The rest is in order."""
    path = bare.config("node: here\nsounds: [siren]\n")
    outcome = bare("config", "check", "--config", path)
    assert outcome.code == 0
    first, *stand_in, last = outcome.out.splitlines()
    assert first == "class names were not checked: there is no model yet (detector model fetch)"
    assert all(line.startswith("while the built-in model stands in: ") for line in stand_in)
    assert last == f"{path}: in order; node here, sounds: siren"


def test_a_file_that_is_not_there_is_one_clear_line(detector: Commands, tmp_path: Path) -> None:
    """Named by an option or by the environment."""
    path = tmp_path / "gone.yaml"
    assert detector("run", "--config", path).failed(3) == f"{path}: there is no such file"
    detector.environment["DETECTOR_CONFIG"] = str(path)
    assert detector("config", "show").failed(3) == (
        f"{path}: there is no such file ($DETECTOR_CONFIG names it)"
    )


def test_a_file_without_permission_is_one_clear_line(detector: Commands) -> None:
    """Root may read everything, so for this question root becomes somebody else."""
    path = detector.config(KNOCK)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        outcome = detector("config", "check", "--config", path)
    finally:
        os.seteuid(user)
    assert outcome.failed(3) == f"{path}: cannot be read: Permission denied"


def test_the_doctor_shows_a_wrong_configuration_with_a_remedy(detector: Commands) -> None:
    """And goes no further: nothing else could be relied on."""
    path = detector.config("nod: a\nmqtt: {port: 0}\n")
    outcome = detector("doctor", "--config", path)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[1].startswith("config       FAILED   ")
    assert "did you mean node?" in lines[1]
    assert "mqtt.port" in lines[2]
    assert lines[-1].strip() == "→ mend these lines, then run again"
    assert "model" not in outcome.out.split()
