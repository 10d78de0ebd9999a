"""Where the broker's password comes from."""

from pathlib import Path

import pytest

from detector.alerts.credentials import find_password
from detector.config import MqttConfig
from detector.core.errors import ConfigError

SECRET = "hunter2 "


@pytest.mark.parametrize("text", [SECRET, SECRET + "\n", SECRET + "\r\n"])
def test_a_file_holds_the_password_and_perhaps_a_newline(tmp_path: Path, text: str) -> None:
    """Which is no part of it; a space is."""
    path = tmp_path / "password"
    path.write_bytes(text.encode())
    assert find_password(MqttConfig(username="u", password_file=path), {}) == SECRET


def test_a_credential_serves_where_no_file_is_named(tmp_path: Path) -> None:
    """And only then."""
    (tmp_path / "mqtt-password").write_text("credential")
    (tmp_path / "file").write_text("file")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_password(MqttConfig(username="u"), environ) == "credential"
    named = MqttConfig(username="u", password_file=tmp_path / "file")
    assert find_password(named, environ) == "file"


def test_without_file_and_credential_there_is_no_password(tmp_path: Path) -> None:
    """Some brokers want a name only; and a credential without a name serves nobody."""
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_password(MqttConfig(username="u"), {}) is None
    assert find_password(MqttConfig(username="u"), environ) is None
    (tmp_path / "mqtt-password").write_text("credential")
    assert find_password(MqttConfig(), environ) is None


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty; it must hold the password and nothing else"),
        (b"\n", "is empty"),
        (b"\xff\xfehunter2", "is not UTF-8 text"),
    ],
)
def test_an_unusable_file_is_named_with_its_key(
    tmp_path: Path, content: bytes | None, line: str
) -> None:
    """And says nothing of what is in it."""
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        find_password(MqttConfig(username="u", password_file=path), {})
    assert str(error.value).startswith(f"mqtt.password_file: {path} {line}")
    assert "hunter2" not in str(error.value)


def test_a_password_without_a_user_is_a_mistake(tmp_path: Path) -> None:
    """MQTT 3.1.1 has no such thing."""
    config = MqttConfig(password_file=tmp_path / "password")
    with pytest.raises(ConfigError, match=r"^mqtt\.username: is needed with mqtt\.password_file"):
        find_password(config, {})


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_credential_is_no_password(tmp_path: Path, content: str) -> None:
    """The unit hands one over where nobody has set a password: the service must start."""
    (tmp_path / "mqtt-password").write_text(content)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_password(MqttConfig(username="u"), environ) is None
