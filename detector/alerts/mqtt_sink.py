"""The sink that tells Home Assistant, and everybody else on the broker."""

import json
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from detector.alerts import homeassistant
from detector.alerts.board import StateBoard
from detector.alerts.commands import CommandRefusedError, parse_command
from detector.alerts.connection import RETRY_DELAYS_S, ConnectionState, MqttConnection
from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.messages import (
    OFFLINE,
    ONLINE,
    Health,
    Payload,
    SelfTestReport,
    clearing,
    event_message,
    level_payload,
    to_json,
)
from detector.alerts.session import Handlers, Received
from detector.alerts.sinks import Delivery, Receipt, all_of
from detector.alerts.topics import Message, Topics
from detector.alerts.unheard import with_unheard
from detector.config.schema import MqttConfig, SoundConfig
from detector.core.clock import Clock
from detector.core.events import Command, Event, EventKind, Phase

_log = logging.getLogger(__name__)

MAX_BIRTH_DELAY_S = 5.0
"""Home Assistant asks that devices do not all answer its birth message at once."""
REPAIR_S = 1.0
"""What somebody took from the broker is told anew after this, and no oftener."""


class MqttSink:
    """Tells events and states over MQTT, and hands commands to the service. Safe from any thread.

    Args:
        config: The broker.
        node: This listener's name in topics and ids.
        name: The device's name in Home Assistant.
        area: The room that Home Assistant should suggest; empty for none.
        sounds: What is listened for: those of the configuration that are enabled.
        unheard: Enabled ones that nothing in use can hear: unavailable in Home Assistant.
        device: What Home Assistant shows of the device.
        on_command: Takes a command and who gave it; called on paho's thread, must not block.
        clock: Tells how long a connection lasted.
        environ: Where systemd says that its credentials are.
        birth_delay_s: Seconds to wait after Home Assistant's birth message.
        retry_delays_s: See MqttConnection.
    """

    name = "MQTT"

    def __init__(
        self,
        config: MqttConfig,
        *,
        node: str,
        name: str,
        area: str,
        sounds: Mapping[str, SoundConfig],
        device: DeviceInfo,
        on_command: Callable[[Command, str], None],
        clock: Clock,
        environ: Mapping[str, str],
        unheard: Mapping[str, SoundConfig] | None = None,
        birth_delay_s: Callable[[], float] = lambda: random.uniform(0.0, MAX_BIRTH_DELAY_S),  # noqa: S311 - no secret
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        self._config = config
        self._device_name, self._area, self._device = name, area, device
        self._on_command = on_command
        self._birth_delay_s = birth_delay_s
        self._topics = Topics(config.base_topic, node)
        self._discovery_topic = homeassistant.discovery_topic(config.discovery_prefix, node)
        self._sounds, self._unheard = dict(sounds), dict(unheard or {})
        self._board = StateBoard(self._topics, self._sounds)
        self._orphans: dict[str, str] = {}
        """What must be taken out of Home Assistant: platform by component."""
        self._telling = threading.RLock()
        """Held from a change of state until paho has it, so that no older value overtakes."""
        self._announcing: threading.Timer | None = None
        self._own_discovery: deque[bytes] = deque(maxlen=8)
        """What we said there last: it comes back to us, and anything else is somebody else's."""
        self._leaving = False
        self._refused = 0
        self._connection = MqttConnection(
            config,
            client_id=f"detector-{node}",
            will=self._status(OFFLINE),
            handlers=Handlers(self._on_connected, self._on_message),
            clock=clock,
            environ=environ,
            retry_delays_s=retry_delays_s,
        )

    @property
    def ready(self) -> bool:
        """Whether the broker is there and has been told everything."""
        return self._connection.ready

    @property
    def state(self) -> ConnectionState:
        """How it stands with the broker."""
        return self._connection.state

    @property
    def refused_commands(self) -> int:
        """Commands that were not obeyed."""
        return self._refused

    def start(self) -> None:
        """Begin to connect; idempotent, returns at once. Raises as MqttConnection.start does."""
        self._leaving = False
        self._connection.start()

    def stop(self) -> None:
        """Say that we are offline, and disconnect; idempotent. Flush the outbox before."""
        with self._telling:
            self._leaving = True
            if self._announcing is not None:
                self._announcing.cancel()
        self._connection.stop(farewell=self._status(OFFLINE))

    def observe(self, event: Event) -> None:
        """Remember the sound's state, so that a later connection begins with the truth."""
        with self._telling:
            self._board.note(event)

    def deliver(self, delivery: Delivery) -> Receipt:
        """Publish the sound's attributes and state, then the event.

        What goes to the backlog is history, and brings no state of its own; but at an end the
        present state is told, since the beginning may have been told in time.  The end of a test
        alert changes the state only: its one event was at its beginning.
        """
        event, told = delivery.event, []
        with self._telling:
            states = [self._connection.publish(one) for one in self._states_for(delivery)]
            if not (event.kind is EventKind.TEST_ALERT and event.phase is Phase.OFFSET):
                expiry_s = round(self._config.late_after_seconds)
                told = [self._connection.publish(event_message(self._topics, delivery, expiry_s))]
            return all_of(told, beside=states)

    def set_threshold(self, sound: str, value: float) -> None:
        """Tell a sound's effective threshold."""
        with self._telling:
            self._connection.publish(self._board.set_threshold(sound, value))

    def set_armed(self, *, armed: bool) -> None:
        """Tell whether we listen for sounds."""
        with self._telling:
            self._connection.publish(self._board.set_armed(armed=armed))

    def set_microphone(self, *, available: bool) -> None:
        """Tell whether we hear."""
        with self._telling:
            self._connection.publish(self._board.set_microphone(available=available))

    def set_health(self, health: Health) -> None:
        """Tell how we fare; Home Assistant forgets it after three minutes."""
        with self._telling:
            self._connection.publish(self._board.set_health(health))

    def set_self_test(self, report: SelfTestReport) -> None:
        """Tell what a self-test found."""
        with self._telling:
            self._connection.publish(self._board.set_self_test(report))

    def set_level(self, rms_dbfs: float, peak_dbfs: float) -> None:
        """Tell the sound level; Home Assistant forgets it after half a minute."""
        payload = to_json(level_payload(rms_dbfs, peak_dbfs))
        self._connection.publish(Message(self._topics.level, payload, qos=0))

    def update_sounds(
        self, sounds: Mapping[str, SoundConfig], unheard: Mapping[str, SoundConfig] | None = None
    ) -> None:
        """Listen for other sounds: those that went leave Home Assistant and the broker.

        Sounds that stay keep their state and threshold; new ones begin with the configured one.
        """
        with self._telling:
            previous = self._discovery()
            self._sounds, self._unheard = dict(sounds), dict(unheard or {})
            self._orphans |= homeassistant.orphans(previous, self._discovery())
            self._orphans = {k: p for k, p in self._orphans.items() if self._is_orphan(k)}
            self._board.update_sounds(self._sounds)
            if self._connection.ready:
                self._announce()

    def _states_for(self, delivery: Delivery) -> tuple[Message, ...]:
        event = delivery.event
        if not delivery.backlog:
            return self._board.messages_for(event)
        if event.sound is None or event.phase is not Phase.OFFSET:
            return ()
        return self._board.messages_of(event.sound)

    def _is_orphan(self, key: str) -> bool:
        return key not in self._discovery()["cmps"]

    def _status(self, text: str) -> Message:
        return Message(self._topics.status, text, retain=True)

    def _discovery(self) -> Payload:
        of_unheard = self._discovery_of(self._unheard)
        return with_unheard(self._discovery_of(self._sounds), of_unheard, self._topics.status)

    def _discovery_of(self, sounds: Mapping[str, SoundConfig]) -> Payload:
        return homeassistant.discovery_payload(
            self._topics,
            name=self._device_name,
            area=self._area,
            sounds=sounds,
            device=self._device,
        )

    def _on_connected(self) -> None:
        with self._telling:
            for topic in self._subscriptions():
                self._connection.subscribe(topic)
            self._announce()

    def _subscriptions(self) -> list[str]:
        topics = [self._topics.armed_set, self._topics.every_threshold_set, self._topics.command]
        topics.append(self._topics.status)
        if self._config.discovery:
            topics += [self._config.birth_topic, self._discovery_topic]
        return topics

    def _announce(self) -> None:
        """Discovery, then every state, and only then that we are online: nothing stale flashes.

        Once we take leave, nothing may follow the farewell.
        """
        if self._leaving:
            return
        self._tell_discovery()
        for message in (*clearing(self._topics, self._unheard), *self._board.all_messages()):
            self._connection.publish(message)
        self._connection.publish(self._status(ONLINE))

    def _tell_discovery(self) -> None:
        """Take orphans away first, with a message of its own; then announce what there is."""
        gone, self._orphans = self._orphans, {}
        if gone:
            _log.info("removing what is no longer configured: %s", ", ".join(sorted(gone)))
        if self._config.discovery:
            payload = self._discovery()
            if gone:
                self._publish_payload(homeassistant.removal_payload(payload, gone))
            self._publish_payload(payload)
        for message in clearing(self._topics, homeassistant.sounds_of(gone)):
            self._connection.publish(message)

    def _publish_payload(self, payload: Payload) -> None:
        prefix, node = self._config.discovery_prefix, self._topics.node
        message = homeassistant.discovery_message(prefix, node, payload)
        self._own_discovery.append(message.payload.encode())
        self._connection.publish(message)

    def _on_message(self, message: Received) -> None:
        if message.topic == self._discovery_topic:
            if message.retained:
                self._on_previous_discovery(message.payload)
            elif message.payload not in self._own_discovery:
                self._repair("what lets Home Assistant find us")
        elif message.topic == self._topics.status:
            # Not ours, while we are here: the will of an earlier connection, or somebody's mistake.
            if message.payload != ONLINE.encode() and not message.retained:
                self._repair("that we are online")
        elif message.topic == self._config.birth_topic:
            if message.payload == ONLINE.encode() and not message.retained:
                self._on_birth()
        else:
            self._on_command_message(message)

    def _on_previous_discovery(self, text: bytes) -> None:
        """What an earlier run left on the broker; it came before what we have just published."""
        try:
            previous = json.loads(text)
        except (ValueError, RecursionError):
            _log.warning("%s held no JSON; it is overwritten", self._discovery_topic)
            return
        with self._telling:
            self._orphans |= homeassistant.orphans(previous, self._discovery())
            if self._orphans:
                self._tell_discovery()

    def _on_birth(self) -> None:
        self._announce_in(
            self._birth_delay_s(), "Home Assistant has started; telling it everything"
        )

    def _repair(self, what: str) -> None:
        self._announce_in(REPAIR_S, f"somebody took from the broker {what}; telling everything")

    def _announce_in(self, delay_s: float, why: str) -> None:
        """Not while the same is about to happen: so nobody can make us talk without end."""
        if self._leaving or (self._announcing is not None and self._announcing.is_alive()):
            return
        self._announcing = threading.Timer(delay_s, self._announce_anew, [why])
        self._announcing.name, self._announcing.daemon = "detector-announcing", True
        self._announcing.start()

    def _announce_anew(self, why: str) -> None:
        with self._telling:
            if self._connection.ready:
                _log.info("%s", why)
                self._announce()

    def _on_command_message(self, message: Received) -> None:
        try:
            command = parse_command(
                message.topic,
                message.payload,
                retained=message.retained,
                topics=self._topics,
                sounds=self._sounds,
            )
        except CommandRefusedError as error:
            self._refused += 1
            _log.warning("command refused: %s", error)
            return
        if command is not None:
            self._on_command(command, "MQTT")
