"""One attempt at a connection to the broker, from a new client to its end.

Each attempt has a paho client of its own.  So paho never sends again, perhaps hours late, what
was on its way when a connection broke: the outbox decides what is told, and when.  It also brings
the true reason of a failure, the waits we want, and a new network thread in place of one that
died.

A connection that only looks alive is found in four ways, whichever is first: paho's own pings
(twice the keepalive), the kernel (nothing acknowledged by the other machine), and, from the
outside of paho, an answer to our greeting and acknowledgements that do not come.
"""

import functools
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ParamSpec

from detector.alerts import broker_errors, mqtt
from detector.alerts.pending import NotConnectedError, PendingReceipts
from detector.alerts.sinks import Receipt, failed
from detector.alerts.topics import Message
from detector.config.schema import MqttConfig
from detector.core.clock import Clock

if TYPE_CHECKING:
    from paho.mqtt.client import Client, DisconnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")

SUPERVISION_S = 2.0
CLOSE_S = 0.25
"""How long a connection may take to end in good order."""
BRIEF_S = 10.0
"""A connection that is lost sooner may have been lost to another client of our name."""
GREETING_S = 10.0
"""How long an attempt may take until the broker has let us in.

After a name server that took longer, the broker still has two looks' time to do so.
"""
SILENCE_S = 15.0
"""How long a message may wait for its acknowledgement before the connection counts as dead."""


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


class Stage(Enum):
    """How far an attempt has come."""

    CONNECTING = auto()
    ACCEPTED = auto()
    """The broker has let us in; it is being told everything."""
    READY = auto()
    ENDED = auto()


def _guarded(callback: Callable[_P, None]) -> Callable[_P, None]:
    """An exception that got into paho would end its thread, and nobody would notice."""

    @functools.wraps(callback)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:  # noqa: BLE001 - a defect must not end paho's thread
            _log.exception("bug: a callback of the broker connection failed")

    return safe


@dataclass(slots=True, eq=False)
class Session:
    """One attempt. Its callbacks run on paho's thread; nothing that others call ever blocks."""

    client: "Client"
    config: MqttConfig
    client_id: str
    handlers: Handlers
    pending: PendingReceipts
    clock: Clock
    stage: Stage = Stage.CONNECTING
    closing: bool = False
    error: str | None = None
    contested: bool = False
    """Whether another client of our name may have ended it."""
    ended: threading.Event = field(default_factory=threading.Event)
    _since_s: float = math.inf
    """When the attempt began; later, when the broker let us in."""
    _complaint: str | None = None
    """What the last look found wrong; a second look must find it too."""

    @property
    def accepted(self) -> bool:
        """Whether the broker has let us in, and has not gone."""
        return self.stage in (Stage.ACCEPTED, Stage.READY)

    @property
    def ready(self) -> bool:
        """Whether it has also been told everything."""
        return self.stage is Stage.READY

    @property
    def overdue(self) -> bool:
        """Whether an attempt takes so long that people should know."""
        waited_s = self.clock.monotonic() - self._since_s
        return self.stage is Stage.CONNECTING and waited_s > GREETING_S

    def run(self) -> None:
        """Connect, and return when it is over. Raises OSError where nobody answers."""
        self._attach()
        try:
            self._since_s = self.clock.monotonic()
            mqtt.connect(self.client, self.config)
            if self.closing:
                self.client.disconnect()
            self.client.loop_start()
            while not self.ended.wait(SUPERVISION_S):
                self._supervise()
            self.client.disconnect()
            mqtt.end_thread(self.client)
        finally:
            self.end("the connection ended")
            self._detach()

    def publish(self, message: Message) -> Receipt:
        """Hand a message to paho, which holds it no longer than this connection lasts."""
        address = mqtt.broker_address(self.config)
        if not self.accepted:
            return failed(NotConnectedError(f"there is no connection to broker {address}"))
        message_id = mqtt.publish(self.client, message, protocol=self.config.protocol)
        if message_id is None:
            return failed(NotConnectedError(f"too many messages wait for broker {address}"))
        return self.pending.expect(message_id, broker_errors.denial(message.topic))

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages; the broker's silence counts as that on any other message."""
        message_id = mqtt.subscribe(self.client, topic_filter) if self.accepted else None
        if message_id is not None:
            self.pending.expect(message_id, broker_errors.subscription_denial(topic_filter))

    def close(self) -> None:
        """End the connection in good order, or cut it where that takes too long.

        An attempt that has no connection yet is not waited for: it ends as soon as it has one.
        """
        self.closing = True
        self.client.disconnect()
        if self.client.socket() is not None and not self.ended.wait(CLOSE_S):
            mqtt.cut(self.client)

    def end(self, error: str) -> None:
        """Note that it is over; the first reason counts."""
        self.error = self.error or error
        self.stage = Stage.ENDED
        self.pending.close()
        self.ended.set()

    def _attach(self) -> None:
        self.client.on_connect = _guarded(self._on_connect)
        self.client.on_disconnect = _guarded(self._on_disconnect)
        self.client.on_publish = _guarded(self._on_publish)
        self.client.on_subscribe = _guarded(self._on_subscribe)
        self.client.on_message = _guarded(self._on_message)

    def _detach(self) -> None:
        """Free the client of us: it closes its last sockets only when nobody holds it any more."""
        self.client.on_connect = None
        self.client.on_disconnect = None
        self.client.on_publish = None
        self.client.on_subscribe = None
        self.client.on_message = None

    def _supervise(self) -> None:
        """End what is dead, but not at the first look: this process may have been the sleeper."""
        if not self._thread_alive():
            self.end("the network thread died; see the log")
            return
        complaint = self._wrong()
        if complaint is not None and complaint == self._complaint:
            self.end(complaint)
            mqtt.cut(self.client)
        self._complaint = complaint

    def _wrong(self) -> str | None:
        """What shows that the other side is dead, if anything does."""
        address = mqtt.broker_address(self.config)
        if self.overdue:
            return broker_errors.no_greeting(address)
        oldest_s = self.pending.oldest_s
        if oldest_s is None or self.clock.monotonic() - oldest_s <= SILENCE_S:
            return None
        return broker_errors.silence(address)

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, code: "ReasonCode", _p: Any) -> None:
        if code.is_failure:
            self.end(
                broker_errors.refusal(
                    code.value,
                    str(code),
                    mqtt.broker_address(self.config),
                    self.config.username,
                )
            )
            return
        self.stage = Stage.ACCEPTED
        self._since_s = self.clock.monotonic()
        try:
            self.handlers.on_connected()
        except Exception:
            self.end("a defect of ours ended the connection; see the log")
            raise
        if self.accepted:  # it may have been given up meanwhile
            self.stage = Stage.READY

    def _on_disconnect(
        self, _c: Any, _u: Any, flags: "DisconnectFlags", code: "ReasonCode", _p: Any
    ) -> None:
        loss = broker_errors.Loss(
            code.value,
            str(code),
            accepted=self.accepted,
            brief=self.clock.monotonic() - self._since_s < BRIEF_S,
            by_broker=flags.is_disconnect_packet_from_server,
        )
        self.contested = loss.contested
        self.end(loss.told(mqtt.broker_address(self.config), self.client_id))

    def _on_publish(self, _c: Any, _u: Any, mid: int, code: "ReasonCode", _p: Any) -> None:
        mqtt.ask_for_more(self.client)
        self.pending.acknowledge(mid, code.value)

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, codes: "list[ReasonCode]", _p: Any) -> None:
        self.pending.acknowledge(mid, max(code.value for code in codes))

    def _on_message(self, _c: Any, _u: Any, message: Any) -> None:
        self.handlers.on_message(Received(message.topic, message.payload, message.retain))

    def _thread_alive(self) -> bool:
        thread = self.client._thread  # noqa: SLF001 - paho itself says connected for ever
        return thread is not None and thread.is_alive()
