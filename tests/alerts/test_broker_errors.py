"""What a person is told when the broker is not there for us."""

import socket
import ssl

import pytest

from detector.alerts.broker_errors import Loss, connect_failure, refusal

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


KEEPALIVE, SHUTTING_DOWN, TAKEN_OVER, UNSPECIFIED = 141, 139, 142, 128


@pytest.mark.parametrize(
    ("code", "accepted", "brief", "by_broker", "words"),
    [
        (UNSPECIFIED, False, True, False, "before it let us in (does it want TLS or a client"),
        (UNSPECIFIED, True, True, False, "soon after it was made: why (does another client call"),
        (UNSPECIFIED, True, False, False, "the connection is lost: why"),
        (KEEPALIVE, True, False, False, "it does not answer any more"),
        (KEEPALIVE, False, True, False, "it can be reached, but does not let us in"),
        (SHUTTING_DOWN, True, True, True, "it ended the connection: why"),
        (TAKEN_OVER, True, False, True, "gave our place to another client (does another client"),
    ],
)
def test_each_loss_is_told_apart(
    *, code: int, accepted: bool, brief: bool, by_broker: bool, words: str
) -> None:
    """By how far the connection had come, and by what the broker says."""
    loss = Loss(code, "why", accepted=accepted, brief=brief, by_broker=by_broker)
    line = loss.told(ADDRESS, "me")
    assert words in line
    assert ADDRESS in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("code", "accepted", "brief", "by_broker", "contested"),
    [
        (TAKEN_OVER, True, False, True, True),
        (UNSPECIFIED, True, True, False, True),
        (UNSPECIFIED, True, False, False, False),
        (UNSPECIFIED, False, True, False, False),
        (SHUTTING_DOWN, True, True, True, False),
    ],
)
def test_only_some_losses_may_be_another_clients_doing(
    *, code: int, accepted: bool, brief: bool, by_broker: bool, contested: bool
) -> None:
    """Those a broker calls so, and those soon after the beginning if it gives no reason."""
    loss = Loss(code, "why", accepted=accepted, brief=brief, by_broker=by_broker)
    assert loss.contested is contested
