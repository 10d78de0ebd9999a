"""Finding, reading and understanding a configuration file."""

import logging
import os
from pathlib import Path

import pytest

from detector.config.loader import load_config, parse_config
from detector.config.schema import Config
from detector.config.sounds import shipped_sounds
from detector.core.errors import ConfigError

NOWHERE = Path("/nonexistent/detector.yaml")
NOBODY = 65534
"""The user id of nobody, by convention."""


def written(folder: Path, text: str, name: str = "detector.yaml") -> Path:
    """A configuration file with this text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(path: Path) -> Config:
    """The configuration of a file named by hand."""
    return load_config(path, environ={}, system_path=NOWHERE)


def failure(path: Path) -> str:
    """The lines that loading a file ends with."""
    with pytest.raises(ConfigError) as caught:
        loaded(path)
    return str(caught.value)


def test_nothing_at_all_gives_every_default() -> None:
    """An empty document, comments alone and no file are the same configuration."""
    nothing = load_config(None, environ={}, system_path=NOWHERE)
    assert nothing == parse_config("", "x") == parse_config("# nothing\n", "x")
    assert nothing.audio.source == "microphone"
    assert nothing.mqtt.host is None
    assert list(nothing.sounds) == ["baby_cry", "doorbell", "smoke_alarm"]


def test_three_lines_are_a_whole_configuration(tmp_path: Path) -> None:
    """A broker and the sounds to listen for are enough."""
    config = loaded(
        written(tmp_path, "mqtt:\n  host: 192.168.1.10\nsounds: [baby_cry, dog_bark]\n")
    )
    assert config.mqtt.host == "192.168.1.10"
    assert list(config.sounds) == ["baby_cry", "dog_bark"]
    assert config.audio == parse_config("", "x").audio


def test_every_kind_of_value_is_understood() -> None:
    """Choices, texts, numbers, truth, lists, and sections that are empty."""
    config = parse_config(
        """
        node: Nursery-2
        area: "Baby's room"
        audio: {source: stdin, channel: 2, block_seconds: 1, stdin_rate_hz: 48_000, realtime: no}
        model: {hop_seconds: 0.24, threads: 2, sha256: null}
        mqtt: {host: broker, port: 8883, protocol: 5, base_topic: a/b, late_after_seconds: 1e2}
        log:
        """,
        "x",
    )
    assert (config.node, config.area) == ("Nursery-2", "Baby's room")
    assert (config.audio.source, config.audio.channel) == ("stdin", 2)
    assert config.audio.block_seconds == 1.0
    assert isinstance(config.audio.block_seconds, float)
    assert (config.audio.stdin_rate_hz, config.audio.realtime) == (48_000, False)
    assert (config.model.hop_seconds, config.model.sha256) == (0.24, None)
    assert (config.mqtt.protocol, config.mqtt.base_topic) == ("5", "a/b")
    assert config.mqtt.late_after_seconds == 100.0
    assert config.log.level == "info"


def test_paths_are_relative_to_the_file_and_know_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process was started from plays no part."""
    monkeypatch.setenv("HOME", "/home/someone")
    written(tmp_path, "secret", "password")
    text = "mqtt: {host: h, password_file: password}\nstate_directory: ~/state\n"
    config = loaded(written(tmp_path, text))
    assert config.mqtt.password_file == tmp_path / "password"
    assert config.state_directory == Path("/home/someone/state")


def test_the_variable_comes_before_the_users_and_the_systems_file(tmp_path: Path) -> None:
    """$DETECTOR_CONFIG, then ~/.config/detector/detector.yaml, then the system's, then none."""
    named = written(tmp_path, "name: named\n", "other.yaml")
    user = written(tmp_path / "home/.config/detector", "name: user\n")
    system = written(tmp_path / "etc", "name: system\n")
    environ = {"HOME": str(tmp_path / "home"), "DETECTOR_CONFIG": str(named)}
    names = []
    for step in (lambda: environ.pop("DETECTOR_CONFIG"), user.unlink, system.unlink, lambda: 0):
        names.append(load_config(None, environ=environ, system_path=system).name)
        step()
    assert names == ["named", "user", "system", "Sound detector"]


def test_the_xdg_folder_is_where_the_user_says_it_is(tmp_path: Path) -> None:
    """$XDG_CONFIG_HOME stands for ~/.config."""
    written(tmp_path / "xdg/detector", "name: user\n")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert load_config(None, environ=environ, system_path=NOWHERE).name == "user"


def test_without_a_configuration_a_calibration_may_lie_where_one_would_be(tmp_path: Path) -> None:
    """None is needed, so what was learnt must be in force without one too."""
    text = "version: 1\nsounds: {baby_cry: {threshold: 0.31}}\n"
    written(tmp_path / ".config/detector", text, name="calibration.yaml")
    environ = {"HOME": str(tmp_path)}
    config = load_config(None, environ=environ, system_path=NOWHERE)
    assert config.sounds["baby_cry"].threshold == 0.31
    bare = load_config(None, environ=environ, system_path=NOWHERE, calibrated=False)
    assert bare.sounds["baby_cry"].threshold == shipped_sounds()["baby_cry"].threshold


def test_the_log_and_the_origins_say_which_file_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A person can always find out what is in force."""
    path = written(tmp_path, "name: x\n")
    with caplog.at_level(logging.INFO):
        config = loaded(path)
        load_config(None, environ={}, system_path=NOWHERE)
    assert caplog.messages == [
        f"configuration: {path}",
        "no configuration file: every setting has its default",
    ]
    assert str(config.origins[""]) == str(path)
    assert str(config.origins["name"]) == f"{path}:1"


def test_every_value_has_an_origin() -> None:
    """From the file with its line, shipped with a sound, or the default."""
    text = "mqtt:\n  host: h\nsounds:\n  baby_cry:\n    threshold: 0.6\n"
    origins = {key: str(origin) for key, origin in parse_config(text, "d.yaml").origins.items()}
    assert origins[""] == "d.yaml"
    assert origins["mqtt.host"] == "d.yaml:2"
    assert origins["mqtt.port"] == origins["mqtt.tls.enabled"] == origins["node"] == "default"
    assert origins["sounds.baby_cry.threshold"] == "d.yaml:5"
    assert origins["sounds.baby_cry.hold_seconds"] == "shipped"
    assert origins["sounds.baby_cry.evidence[0].classes[1]"] == "shipped"


def test_a_file_that_the_variable_names_must_exist(tmp_path: Path) -> None:
    """A wrong $DETECTOR_CONFIG does not fall back to another file in silence."""
    path = tmp_path / "gone.yaml"
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ={"DETECTOR_CONFIG": str(path)}, system_path=NOWHERE)
    assert str(caught.value) == f"{path}: there is no such file ($DETECTOR_CONFIG names it)"


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    """Absent, a folder, or not text."""
    absent = tmp_path / "absent.yaml"
    assert failure(absent) == f"{absent}: there is no such file"
    assert failure(tmp_path) == f"{tmp_path}: is a folder, not a file"
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: x\narea: Küche\n".encode("latin-1"))
    assert failure(latin) == (f"{latin}:2: is not UTF-8 text (byte 0xfc): save the file as UTF-8")
    below = absent.with_name("latin.yaml") / "x"
    assert failure(below) == f"{below}: cannot be read: Not a directory"


def test_a_file_without_permission_is_one_clear_line(tmp_path: Path) -> None:
    """Root may read everything, so for this question root becomes somebody else."""
    path = written(tmp_path, "name: x\n")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        assert failure(path) == f"{path}: cannot be read: Permission denied"
    finally:
        os.seteuid(user)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A recording given by mistake costs no more than its first megabyte."""
    path = written(tmp_path, "# " + "x" * (1 << 20))
    assert failure(path) == f"{path}: is larger than 1024 KiB: not a configuration file"


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    """Some editors begin UTF-8 files with one."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\narea: y\r\n")
    assert loaded(path).area == "y"


def test_problems_name_the_file_as_it_was_given(tmp_path: Path) -> None:
    """So that a terminal can open it."""
    path = written(tmp_path, "name: x\nnam: y\n")
    assert failure(path) == f"{path}:2: nam: is not known; did you mean name?"


@pytest.mark.parametrize("host", ["broker", "broker.local", "192.168.1.2", "::1", "fe80::1%eth0"])
def test_a_broker_has_a_name_or_an_address(host: str) -> None:
    """Of either family."""
    assert parse_config(f"mqtt: {{host: '{host}'}}", "d.yaml").mqtt.host == host
