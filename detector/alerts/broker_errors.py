"""What went wrong between us and the broker, in one line for a person."""

import socket
import ssl

BAD_PASSWORD, NOT_AUTHORISED = 134, 135
UNSUPPORTED_PROTOCOL = 132
REFUSED = 128
"""Reason codes of MQTT 5 from here on are refusals."""


def connect_failure(error: Exception, address: str) -> str:
    """Why there is no connection at all."""
    match error:
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
            hint = "see mqtt.tls.ca_file and mqtt.host"
        case ssl.SSLError():
            why = f"TLS failed: {getattr(error, 'reason', None) or error}"
            hint = "does this port speak TLS? see mqtt.port and mqtt.tls"
        case socket.gaierror():
            why, hint = f"nobody knows this name: {error.strerror}", "see mqtt.host"
        case ConnectionRefusedError():
            why = "it refuses the connection"
            hint = "does the broker run, and listen on this port? see mqtt.host and mqtt.port"
        case ConnectionResetError():
            why, hint = (
                "it hangs up at once",
                "does this port speak TLS? see mqtt.port and mqtt.tls",
            )
        case TimeoutError():
            why, hint = "it does not answer", "see mqtt.host and mqtt.port"
        case _:
            why, hint = str(error), "see mqtt.host, mqtt.port and mqtt.tls"
    return f"broker {address}: {why} ({hint})"


def refusal(code: int, reason: str, address: str, username: str | None) -> str:
    """Why the broker did not accept the connection it got; ``reason`` is its own word."""
    who = f"user {username}" if username else "a user without a name"
    match code:
        case _ if code in (BAD_PASSWORD, NOT_AUTHORISED):
            why = f"it does not let {who} in: {reason}"
            hint = "see mqtt.username and mqtt.password_file"
        case _ if code == UNSUPPORTED_PROTOCOL:
            why, hint = f"it refuses this version of MQTT: {reason}", 'try mqtt.protocol: "3.1.1"'
        case _:
            why, hint = f"it refuses the connection: {reason}", "see the broker's log"
    return f"broker {address}: {why} ({hint})"


def loss(reason: str, address: str, client_id: str, *, accepted: bool, brief: bool) -> str:
    """Why a connection ended.

    ``accepted``: the broker had let us in.  ``brief``: not long ago; two clients of one name throw
    each other out like that, and not every broker says so.
    """
    if not accepted:
        why = "it closed the connection before it let us in"
        hint = "does it want TLS or a client certificate? see mqtt.tls and the broker's log"
    elif brief:
        why = f"the connection is lost soon after it was made: {reason}"
        hint = f"does another client call itself {client_id}? see node"
    else:
        return f"broker {address}: the connection is lost: {reason}"
    return f"broker {address}: {why} ({hint})"


def denial(topic: str) -> str:
    """Why a message did not get through."""
    return f"publish on {topic} is denied by the broker's access rules: see the rules for this user"
