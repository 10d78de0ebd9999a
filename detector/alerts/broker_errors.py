"""What went wrong between us and the broker, in one line for a person."""

import socket
import ssl
from dataclasses import dataclass

BAD_PASSWORD, NOT_AUTHORISED = 134, 135
UNSUPPORTED_PROTOCOL = 132
KEEPALIVE_TIMEOUT, TAKEN_OVER = 141, 142
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
        case PermissionError():
            why = "this machine does not let us reach it"
            hint = "is there an IPAddressDeny= in the service's unit, or a firewall?"
        case TimeoutError():
            why, hint = "it does not answer", "see mqtt.host and mqtt.port"
        case _:
            why, hint = str(error), "see mqtt.host, mqtt.port and mqtt.tls"
    return f"broker {address}: {why} ({hint})"


def refusal(code: int, reason: str, address: str, username: str | None) -> str:
    """Why the broker did not accept the connection it got; ``reason`` is its own word."""
    who = f"user {_name(username)}" if username else "a user without a name"
    match code:
        case _ if code in (BAD_PASSWORD, NOT_AUTHORISED):
            why = f"it does not let {who} in: {reason}"
            hint = "see mqtt.username and mqtt.password_file"
        case _ if code == UNSUPPORTED_PROTOCOL:
            why, hint = f"it refuses this version of MQTT: {reason}", 'try mqtt.protocol: "3.1.1"'
        case _:
            why, hint = f"it refuses the connection: {reason}", "see the broker's log"
    return f"broker {address}: {why} ({hint})"


@dataclass(frozen=True, slots=True)
class Loss:
    """How a connection ended."""

    code: int
    reason: str
    """In the broker's or paho's words."""
    accepted: bool
    """Whether the broker had let us in."""
    brief: bool
    """Whether that was not long ago."""
    by_broker: bool
    """Whether the broker gave the reason itself; only MQTT 5 knows that."""

    @property
    def contested(self) -> bool:
        """Whether another client of our name may be behind it: they throw each other out."""
        if not self.accepted:
            return False
        return self.code == TAKEN_OVER if self.by_broker else self.brief

    def told(self, address: str, client_id: str) -> str:
        """One line for a person."""
        other = f"does another client call itself {client_id}? see node"
        if self.code == KEEPALIVE_TIMEOUT and not self.by_broker:
            return silence(address) if self.accepted else no_greeting(address)
        if not self.accepted:
            why = "it closed the connection before it let us in"
            hint = "does it want TLS or a client certificate? see mqtt.tls and the broker's log"
        elif self.by_broker and self.code == TAKEN_OVER:
            why, hint = "it gave our place to another client", other
        elif self.by_broker:
            return f"broker {address}: it ended the connection: {self.reason}"
        elif self.brief:
            why, hint = f"the connection is lost soon after it was made: {self.reason}", other
        else:
            return f"broker {address}: the connection is lost: {self.reason}"
        return f"broker {address}: {why} ({hint})"


def overdue(address: str) -> str:
    """Why there is no connection yet, while nobody has said anything."""
    why = "it has not answered yet; the attempt goes on"
    return f"broker {address}: {why} (does its name server answer? see mqtt.host and mqtt.port)"


def no_greeting(address: str) -> str:
    """Why an attempt was given up: it was reached, and said nothing."""
    why = "it can be reached, but does not let us in; it says nothing at all"
    return f"broker {address}: {why} (does it hang? does this port speak MQTT? see mqtt.port)"


def silence(address: str) -> str:
    """Why a connection was given up that nobody had closed."""
    return f"broker {address}: it does not answer any more; the connection is given up"


def subscription_denial(topic_filter: str) -> str:
    """Why messages will not reach us."""
    return f"reading {topic_filter} is denied by the broker: see the rules for this user"


def _name(username: str) -> str:
    """Without what may be a password behind it: ``me:secret`` is how other programs have it."""
    name, colon, rest = username.partition(":")
    return f"{name}:********" if colon and rest else name


def denial(topic: str) -> str:
    """Why a message did not get through."""
    return f"publish on {topic} is denied by the broker's access rules: see the rules for this user"
