"""One attempt at a connection to the broker. The only module that knows paho.

Each attempt has a paho client of its own.  So paho never sends again, perhaps hours late, what
was on its way when a connection broke: the outbox decides what is told, and when.  It also brings
the true reason of a failure, the waits we want, and a new network thread in place of one that
died.
"""

import functools
import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any, ParamSpec

from detector.alerts import broker_errors
from detector.alerts.pending import NotConnectedError, PendingReceipts
from detector.alerts.sinks import Receipt, failed
from detector.alerts.topics import Message
from detector.config.schema import MqttConfig, TlsConfig
from detector.core.clock import Clock
from detector.core.errors import ConfigError, MqttError, Problem

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.reasoncodes import ReasonCode

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")

CONNECT_TIMEOUT_S = 5.0
SUPERVISION_S = 2.0
CLOSE_S = 0.25
"""How long a connection may take to end in good order."""
BRIEF_S = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message that the broker handed us."""

    topic: str
    payload: bytes
    retained: bool
    """Whether the broker had kept it; False for what is published while we listen."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the connection calls, on paho's network thread: none of it may block."""

    on_connected: Callable[[], None]
    """The broker has let us in: subscribe, and tell everything."""
    on_message: Callable[[Received], None]
    """A message came on a topic that we asked for."""


def broker_address(config: MqttConfig) -> str:
    """Host and port, for people. Raises ConfigError where there is no host."""
    if config.host is None:
        raise ConfigError([Problem("", "mqtt.host", "is not set; it names the broker")])
    return f"{config.host}:{_port(config)}"


def _port(config: MqttConfig) -> int:
    return config.port or (8883 if config.tls.enabled else 1883)


def _guarded(callback: Callable[_P, None]) -> Callable[_P, None]:
    """An exception that got into paho would end its thread, and nobody would notice."""

    @functools.wraps(callback)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:  # noqa: BLE001 - a defect must not end paho's thread
            _log.exception("bug: a callback of the broker connection failed")

    return safe


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
    return client


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


class Stage(Enum):
    """How far an attempt has come."""

    CONNECTING = auto()
    ACCEPTED = auto()
    """The broker has let us in; it is being told everything."""
    READY = auto()
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Session:
    """One attempt, from a new client to its end. Its callbacks run on paho's thread."""

    client: "Client"
    config: MqttConfig
    client_id: str
    handlers: Handlers
    pending: PendingReceipts
    clock: Clock
    stage: Stage = Stage.CONNECTING
    closing: bool = False
    error: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _accepted_s: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the broker has let us in, and has not gone."""
        return self.stage in (Stage.ACCEPTED, Stage.READY)

    @property
    def ready(self) -> bool:
        """Whether it has also been told everything."""
        return self.stage is Stage.READY

    def run(self) -> None:
        """Connect, and return when it is over. Raises OSError where nobody answers."""
        self._attach()
        try:
            self._connect()
            self.client.loop_start()
            while not self.ended.wait(SUPERVISION_S):
                if not self._thread_alive():
                    self.end("the network thread died; see the log")
            self.client.disconnect()
            self.client.loop_stop()
        finally:
            self.end("the connection ended")
            self._detach()

    def publish(self, message: Message) -> Receipt:
        """Hand a message to paho, which holds it no longer than this connection lasts."""
        if not self.accepted:
            address = broker_address(self.config)
            return failed(NotConnectedError(f"there is no connection to broker {address}"))
        tells_expiry = self.config.protocol == "5" and message.expiry_s is not None
        properties = _properties(message) if tells_expiry else None
        info = self.client.publish(
            message.topic, message.payload, message.qos, message.retain, properties
        )
        return self.pending.expect(info.mid, message.topic)

    def _attach(self) -> None:
        self.client.on_connect = _guarded(self._on_connect)
        self.client.on_disconnect = _guarded(self._on_disconnect)
        self.client.on_publish = _guarded(self._on_publish)
        self.client.on_message = _guarded(self._on_message)

    def _detach(self) -> None:
        """Free the client of us: it closes its last sockets only when nobody holds it any more."""
        self.client.on_connect = None
        self.client.on_disconnect = None
        self.client.on_publish = None
        self.client.on_message = None

    def _connect(self) -> None:
        host, keepalive_s = self.config.host or "", self.config.keepalive_seconds
        self.client.connect(host, _port(self.config), keepalive_s)
        if self.closing:
            self.client.disconnect()

    def close(self) -> None:
        """End the connection in good order, or cut it where that takes too long.

        An attempt that has no connection yet is not waited for: it ends as soon as it has one.
        """
        self.closing = True
        self.client.disconnect()
        if self.client.socket() is not None and not self.ended.wait(CLOSE_S):
            self._cut()

    def end(self, error: str) -> None:
        """Note that it is over; the first reason counts."""
        self.error = self.error or error
        self.stage = Stage.ENDED
        self.pending.close()
        self.ended.set()

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, code: "ReasonCode", _p: Any) -> None:
        if code.is_failure:
            self.end(
                broker_errors.refusal(
                    code.value, str(code), broker_address(self.config), self.config.username
                )
            )
            return
        self.stage = Stage.ACCEPTED
        self._accepted_s = self.clock.monotonic()
        try:
            self.handlers.on_connected()
        except Exception:
            self.end("a defect of ours ended the connection; see the log")
            raise
        self.stage = Stage.READY

    def _on_disconnect(self, _c: Any, _u: Any, _flags: Any, code: "ReasonCode", _p: Any) -> None:
        why = broker_errors.loss(
            str(code),
            broker_address(self.config),
            self.client_id,
            accepted=self.accepted,
            brief=self.clock.monotonic() - self._accepted_s < BRIEF_S,
        )
        self.end(why)

    def _on_publish(self, _c: Any, _u: Any, mid: int, code: "ReasonCode", _p: Any) -> None:
        self.pending.acknowledge(mid, code.value)

    def _on_message(self, _c: Any, _u: Any, message: Any) -> None:
        self.handlers.on_message(Received(message.topic, message.payload, message.retain))

    def _thread_alive(self) -> bool:
        thread = self.client._thread  # noqa: SLF001 - paho itself says connected for ever
        return thread is not None and thread.is_alive()

    def _cut(self) -> None:
        connection: Any = self.client.socket()
        try:
            connection.shutdown(SHUT_RDWR)
        except (AttributeError, OSError) as error:
            _log.debug("the connection was gone already: %s", error)
