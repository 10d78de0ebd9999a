"""The broker's password: from a file or a systemd credential, never from the configuration."""

from collections.abc import Mapping
from pathlib import Path

from detector.config.schema import MqttConfig
from detector.core.errors import ConfigError, Problem

CREDENTIAL = "mqtt-password"
KEY = "mqtt.password_file"


def find_password(config: MqttConfig, environ: Mapping[str, str]) -> str | None:
    """The password for ``config.username``; None where there is neither file nor credential.

    Raises ConfigError for a file that is missing, unreadable, empty or not text, or that comes
    without a user name; an empty credential is none.  The password is in no error.
    """
    path = config.password_file
    if path is None:
        credential = _credential(config, environ)
        # The unit hands over an empty line where nobody has set a password.
        return None if credential is None else _read(credential) or None
    if config.username is None:
        raise _error("mqtt.username", f"is needed with {KEY} ({path})")
    password = _read(path)
    if not password:
        raise _error(KEY, f"{path} is empty; it must hold the password and nothing else")
    return password


def _credential(config: MqttConfig, environ: Mapping[str, str]) -> Path | None:
    """The systemd credential, where there is one and a user to go with it."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or config.username is None:
        return None
    path = Path(directory) / CREDENTIAL
    return path if path.exists() else None


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _error(KEY, f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _error(KEY, f"{path} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _error(key: str, message: str) -> ConfigError:
    return ConfigError([Problem("", key, message)])
