"""What a person is told when the broker is not there for us."""

import socket
import ssl

import pytest

from detector.alerts.broker_errors import connect_failure, loss, refusal

ADDRESS = "broker.lan:1883"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "nobody knows this name"),
        (ConnectionRefusedError(), "it refuses the connection (does the broker run"),
        (ConnectionResetError(), "it hangs up at once (does this port speak TLS?"),
        (TimeoutError(), "it does not answer"),
        (ssl.SSLError(1, "[SSL] wrong version number"), "TLS failed"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_way_not_to_connect_is_told_apart(error: Exception, words: str) -> None:
    """In one line that names the broker and the settings to look at."""
    line = connect_failure(error, ADDRESS)
    assert line.startswith(f"broker {ADDRESS}: ")
    assert words in line
    assert "see mqtt." in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (134, "it does not let user ears in: why (see mqtt.username and mqtt.password_file)"),
        (135, "it does not let user ears in: why"),
        (132, 'it refuses this version of MQTT: why (try mqtt.protocol: "3.1.1")'),
        (136, "it refuses the connection: why"),
    ],
)
def test_each_refusal_is_told_apart(code: int, words: str) -> None:
    """By the reason codes of MQTT 5."""
    assert words in refusal(code, "why", ADDRESS, "ears")


@pytest.mark.parametrize(
    ("accepted", "brief", "words"),
    [
        (False, False, "before it let us in (does it want TLS or a client certificate?"),
        (True, True, "soon after it was made: why (does another client call itself me?"),
        (True, False, "the connection is lost: why"),
    ],
)
def test_each_loss_is_told_apart(*, accepted: bool, brief: bool, words: str) -> None:
    """By how far the connection had come."""
    assert words in loss("why", ADDRESS, "me", accepted=accepted, brief=brief)
