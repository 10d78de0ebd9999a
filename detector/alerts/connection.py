"""Keeps a connection to the broker: connects, watches, connects anew."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.alerts import broker_errors
from detector.alerts.credentials import find_password
from detector.alerts.mqtt import broker_address, new_client
from detector.alerts.pending import NotConnectedError, PendingReceipts
from detector.alerts.session import Handlers, Session
from detector.alerts.sinks import Receipt, failed
from detector.alerts.topics import Message
from detector.config.schema import MqttConfig
from detector.core.clock import Clock
from detector.core.errors import DetectorError

_log = logging.getLogger(__name__)

RETRY_DELAYS_S = (2.0, 3.0, 5.0)
"""Waits between attempts; the last one repeats."""
CONTEST_S = 30.0
"""The wait where another client of our name and we throw each other out by turns."""
CONTESTS = 2
"""So often in a row we try again at once: what is left of an earlier attempt of ours may be it."""
FAREWELL_S = 0.6
"""How long the broker may take to acknowledge our farewell."""
STOP_S = 1.1
"""How long a stop may take in all, also where the broker has fallen silent."""
UNANSWERED_S = 0.5
"""How long a stop waits for an attempt that the broker has not answered."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How it stands with the broker."""

    connected: bool
    reconnects: int
    denied: int
    """Messages refused by the broker's access rules."""
    last_error: str | None
    """Why there is no connection; None while there is one, and before the first attempt."""


class MqttConnection:
    """Keeps a connection to the broker, from a thread of its own. Safe from any thread.

    Args:
        config: The broker; ``host`` must be set.
        client_id: Must be this program's alone.
        will: What the broker tells the others when we vanish.
        handlers: See there.
        clock: Tells how long a connection lasted.
        environ: Where systemd says that its credentials are.
        retry_delays_s: Waits between attempts; the last one repeats.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        will: Message,
        handlers: Handlers,
        clock: Clock,
        environ: Mapping[str, str],
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        self._config = config
        self._client_id = client_id
        self._will = will
        self._handlers = handlers
        self._clock = clock
        self._retry_delays_s = retry_delays_s
        self._environ = environ
        self._stopping = threading.Event()
        """Each thread's own: one that a stop left behind must not go on at the next start."""
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._connections = 0
        self._denied = 0
        self._denials: set[str] = set()
        self._last_error: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the broker let us in and everything of ``on_connected`` was said."""
        session = self._session
        return session is not None and session.ready

    @property
    def state(self) -> ConnectionState:
        """How it stands with the broker."""
        session, error = self._session, self._last_error
        if error is None and session is not None and session.overdue:
            error = broker_errors.overdue(broker_address(self._config))
        reconnects = max(0, self._connections - 1)
        return ConnectionState(self.ready, reconnects, self._denied, error)

    def start(self) -> None:
        """Begin to connect, and go on until it works; idempotent, returns at once.

        Raises ConfigError for a missing host or an unusable password file, MqttError for
        unusable certificates.
        """
        if self._thread is not None:
            return
        broker_address(self._config)
        self._new_session()
        self._stopping = stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(stopping,), name="detector-mqtt", daemon=True
        )
        self._thread.start()

    def stop(self, farewell: Message | None = None) -> None:
        """Say farewell, and disconnect; idempotent, takes STOP_S at most.

        An attempt that waits for an answer, be it the network's or a name server's, cannot be
        broken off: its thread ends by itself within seconds, and takes leave of a broker at once.
        """
        if self._thread is None:
            return
        deadline_s = self._clock.monotonic() + STOP_S
        with self._lock:
            self._stopping.set()
            session, self._session = self._session, None
        answered = session is not None and session.accepted
        if session is not None:
            if farewell is not None and answered:
                _say(session, farewell)
            session.close()
        left_s = deadline_s - self._clock.monotonic() if answered else UNANSWERED_S
        _join(self._thread, max(0.1, left_s), answered=answered)
        self._thread = None

    def publish(self, message: Message) -> Receipt:
        """Hand a message over; the receipt is done once the broker acknowledged it.

        It fails with DeniedError where the access rules forbid the topic (MQTT 5 only), and with
        NotConnectedError where there is no connection, or none long enough: nothing is kept for
        later.
        """
        session = self._session
        if session is None:
            return failed(NotConnectedError("there is no connection to the broker"))
        return session.publish(message)

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages, from within ``on_connected``; the next connection must ask anew."""
        session = self._session
        if session is not None:
            session.subscribe(topic_filter)

    def _new_session(self) -> Session:
        password = find_password(self._config, self._environ)
        client = new_client(self._config, self._client_id, self._will, password)
        handlers = Handlers(self._on_connected, self._handlers.on_message)
        pending = PendingReceipts(self._on_denied, self._clock)
        return Session(client, self._config, self._client_id, handlers, pending, self._clock)

    def _run(self, stopping: threading.Event) -> None:
        failures = contests = 0
        while not stopping.is_set():
            before = self._connections
            error, contested = self._attempt(stopping)
            if stopping.is_set():
                return
            self._tell(error)
            if self._connections > before:
                failures = 0
                contests = contests + 1 if contested else 0
            stopping.wait(self._retry_delay_s(failures, contests))
            failures += 1

    def _retry_delay_s(self, failures: int, contests: int) -> float:
        if contests > CONTESTS:
            return CONTEST_S
        return self._retry_delays_s[min(failures, len(self._retry_delays_s) - 1)]

    def _attempt(self, stopping: threading.Event) -> tuple[str, bool]:
        """Connect until it is over; hand over why, and whether another client may be behind it."""
        try:
            session = self._new_session()
            with self._lock:
                if stopping.is_set():
                    return "we are stopping", False
                self._session = session
            session.run()
        except DetectorError as error:
            return str(error), False
        except (OSError, ValueError) as error:
            return broker_errors.connect_failure(error, broker_address(self._config)), False
        except Exception:  # noqa: BLE001 - a defect in one attempt must not end them all
            _log.exception("bug: the broker connection failed")
            return "a defect of ours; see the log", False
        return session.error or "the connection ended", session.contested

    def _tell(self, error: str) -> None:
        """A new reason is told once; the same again and again would fill the log."""
        level = logging.DEBUG if error == self._last_error else logging.WARNING
        _log.log(level, "%s; trying again", error)
        self._last_error = error

    def _on_connected(self) -> None:
        self._handlers.on_connected()
        self._connections += 1
        self._last_error = None
        _log.info("connected to broker %s", broker_address(self._config))

    def _on_denied(self, line: str) -> None:
        with self._lock:
            self._denied += 1
            new = line not in self._denials
            self._denials.add(line)
        if new:
            _log.warning("%s", line)


def _say(session: Session, farewell: Message) -> None:
    try:
        session.publish(farewell).result(FAREWELL_S)
    except TimeoutError:
        _log.warning("the broker did not acknowledge our farewell within %g s", FAREWELL_S)
    except DetectorError as error:
        _log.warning("the broker did not acknowledge our farewell: %s", error)


def _join(thread: threading.Thread, timeout_s: float, *, answered: bool) -> None:
    thread.join(timeout_s)
    if thread.is_alive() and answered:
        _log.error("bug: thread %s did not end", thread.name)
    elif thread.is_alive():
        _log.debug("thread %s still waits for an answer; it ends by itself", thread.name)
