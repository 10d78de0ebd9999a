"""A client of the broker, set up as configured. The only module that knows paho."""

import contextlib
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.alerts.topics import Message
from detector.config.schema import MqttConfig, TlsConfig
from detector.core.errors import ConfigError, MqttError, Problem

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONNECT_TIMEOUT_S = 5.0
"""For the network's answer, and for each step of a TLS handshake."""
UNDELIVERABLE_S = 15.0
"""After this long without an acknowledgement of the other machine the kernel gives up."""
_QUEUE_FULL = 15
"""What paho returns where it holds MOST_WAITING messages."""
MOST_WAITING = 5000
"""Messages that paho may hold; it is never as many while the broker answers."""


def broker_address(config: MqttConfig) -> str:
    """Host and port, for people. Raises ConfigError where there is no host."""
    if config.host is None:
        raise ConfigError([Problem("", "mqtt.host", "is not set; it names the broker")])
    return f"{config.host}:{_port(config)}"


def _port(config: MqttConfig) -> int:
    return config.port or (8883 if config.tls.enabled else 1883)


def new_client(config: MqttConfig, client_id: str, will: Message, password: str | None) -> "Client":
    """A client that is set up and not connected. Raises MqttError for unusable certificates."""
    import paho.mqtt.client as paho  # slow to import, and not always needed
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=paho.MQTTv5 if config.protocol == "5" else paho.MQTTv311,
        clean_session=None if config.protocol == "5" else True,
        reconnect_on_failure=False,
    )
    if config.username is not None:
        client.username_pw_set(config.username, password)
    if config.tls.enabled:
        _set_tls(client, config.tls)
    client.will_set(will.topic, will.payload, will.qos, will.retain)
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_queued_messages_set(MOST_WAITING)
    return client


def connect(client: "Client", config: MqttConfig) -> None:
    """Reach the broker, and ask to be let in. Raises OSError where nobody answers.

    What the kernel cannot get across it forgets after UNDELIVERABLE_S, and the connection with it:
    else it would hand an alert over when the network returns, however old that is by then.  And it
    sends at once: to gather small packets first costs every alert 40 ms and more.
    """
    client.connect(config.host or "", _port(config), config.keepalive_seconds)
    connection: Any = client.socket()
    if connection is not None:
        wait_ms = round(1000 * UNDELIVERABLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, wait_ms)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def ask_for_more(client: "Client") -> None:
    """Acknowledge at once what has come: the broker may wait for that with the next packet."""
    connection: Any = client.socket()
    if connection is not None:
        with contextlib.suppress(OSError):  # it is gone already
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def cut(client: "Client") -> None:
    """End a connection without a word; what has not gone out yet is dropped."""
    connection: Any = client.socket()
    if connection is None:
        return
    with contextlib.suppress(OSError):  # it is gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The plain socket's: that of TLS would take the encryption away from under paho's thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def end_thread(client: "Client") -> None:
    """End paho's thread, or find that it is ending by itself."""
    with contextlib.suppress(AttributeError):  # it forgets its thread while it looks for it
        client.loop_stop()


def publish(client: "Client", message: Message, *, protocol: str) -> int | None:
    """Hand a message to paho, which returns at once; its id, or None where too many wait."""
    tells_expiry = protocol == "5" and message.expiry_s is not None
    properties = _properties(message) if tells_expiry else None
    info = client.publish(message.topic, message.payload, message.qos, message.retain, properties)
    return None if info.rc == _QUEUE_FULL else info.mid


def subscribe(client: "Client", topic_filter: str) -> int | None:
    """Ask for messages; the request's id, or None where there is no connection any more."""
    return client.subscribe(topic_filter, qos=1)[1]


def _set_tls(client: "Client", tls: TlsConfig) -> None:
    """Check the files one by one, so that the error names the right one."""
    for key, path in (
        ("ca_file", tls.ca_file),
        ("certificate_file", tls.certificate_file),
        ("key_file", tls.key_file),
    ):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise MqttError(f"mqtt.tls.{key}: {path} cannot be read: {error.strerror}") from None
    try:
        client.tls_set(
            ca_certs=_text(tls.ca_file),
            certfile=_text(tls.certificate_file),
            keyfile=_text(tls.key_file),
            keyfile_password="",  # an encrypted key is an error, not a question on the terminal
        )
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error
        paths = (tls.ca_file, tls.certificate_file, tls.key_file)
        files = ", ".join(str(path) for path in paths if path is not None)
        raise MqttError(f"mqtt.tls: these certificates cannot be used: {files}: {reason}") from None
    client.tls_insecure_set(tls.insecure)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _properties(message: Message) -> Any:
    """What MQTT 5 says beside the payload."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = message.expiry_s
    return properties
