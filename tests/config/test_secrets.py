"""A password that is written into the configuration by mistake is in no message about it."""

from pathlib import Path

import pytest

from detector.config.loader import parse_config
from detector.config.values import without_secrets
from detector.core.errors import ConfigError

SECRET = "hunter2-Kaese_%Brot"
MISTAKES = {
    "a setting of its own": "mqtt: {host: h, password: SECRET}",
    "at the top": "password: SECRET",
    "in the host": "mqtt: {host: 'mqtt://me:SECRET@broker.local'}",
    "in the host, without a scheme": "mqtt: {host: 'me:SECRET@broker.local'}",
    "in the host, with a port": "mqtt: {host: 'mqtts://me:SECRET@broker.local:8883/'}",
    "in the host, holding an at sign": "mqtt: {host: 'mqtt://me:SECRET@@broker.local'}",
    "in the host, holding a slash": "mqtt: {host: 'mqtt://me:a/SECRET@broker.local'}",
    "instead of its file": "mqtt: {host: h, username: u, password_file: SECRET}",
    "instead of its file, with a slash": "mqtt: {host: h, username: u, password_file: a/SECRET}",
    "without a colon": "mqtt:\n  password SECRET\n",
    "with an equals sign": "mqtt:\n  password=SECRET\n",
    "as a key": "mqtt: {host: h, 'password: SECRET': }",
    "in a list": "mqtt: [host, 'password: SECRET']",
    "beginning with a star": "mqtt: {host: h, password: *SECRET }",
    "unquoted and torn": "mqtt: {host: h, password: '*SECRET}",
    "as a tag": "mqtt: {host: h, password: !SECRET x}",
    "where a number belongs": "mqtt: {host: h, port: 'me:SECRET@broker'}",
    "on one line": "mqtt: password: SECRET",
}


@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_no_message_repeats_a_password(text: str, tmp_path: Path) -> None:
    """Whatever the mistake, the message is there and the password is not in it."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text.replace("SECRET", SECRET), "d.yaml", folder=tmp_path)
    assert "d.yaml" in str(caught.value)
    for part in (SECRET, "hunter2", "Kaese"):
        assert part not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "homeassistant.local:8883",
        "mqtt://broker.local",
        "/etc/detector/mqtt-password",
        "password",
        "me@home",
        "Baby cry, infant cry",
    ],
)
def test_what_holds_no_password_is_quoted_as_it_is(text: str) -> None:
    """Most mistakes are of another kind, and have to be seen."""
    assert without_secrets(text) == text


def test_the_rest_of_the_value_stays(tmp_path: Path) -> None:
    """So that a person finds it."""
    with pytest.raises(ConfigError) as caught:
        parse_config("mqtt: {host: 'mqtt://me:pw@broker.local'}", "d.yaml", folder=tmp_path)
    assert "mqtt://********@broker.local" in str(caught.value)


def test_a_missing_password_file_is_told_by_its_folder(tmp_path: Path) -> None:
    """The value may be the password itself, so that only what there is of its path is shown."""
    with pytest.raises(ConfigError) as caught:
        parse_config("mqtt: {host: h, username: u, password_file: x/y}", "d", folder=tmp_path)
    assert str(caught.value) == (
        f"d:1: mqtt.password_file: there is no such file in {tmp_path}; "
        "write the name of the password's file here"
    )
