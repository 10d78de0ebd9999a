"""All outlets of one configuration: MQTT where there is a broker, else JSON lines."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.journal import Journal
from detector.alerts.jsonlines import JsonLinesSink
from detector.alerts.left import Left
from detector.alerts.messages import Health, MqttHealth, SelfTestReport
from detector.alerts.mqtt_sink import MqttSink
from detector.alerts.outbox import Outbox
from detector.alerts.sinks import Sink
from detector.config import Config, SoundConfig
from detector.core.clock import Clock
from detector.core.events import Command, Event

FLUSH_S = 0.8
"""How long a stop waits for events on their way; longer than the outbox waits for the disk."""


def outbox_path(directory: Path, node: str) -> Path:
    """The outbox's database, which is the history, in a state directory."""
    return directory / f"outbox-{node}.sqlite"


class Outputs:
    """The sinks, the outbox before them, and the journal of both.

    ``start`` and ``stop`` belong to one thread; ``tell`` and the states may come from any.
    ``on_left`` hears what an earlier run left undone, when that has been taken up again; it is
    called on the journal's thread, at the latest soon after ``start``.  ``unheard`` are sounds that
    are configured but not listened for.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        device: DeviceInfo,
        on_command: Callable[[Command, str], None],
        environ: Mapping[str, str],
        directory: Path,
        unheard: Mapping[str, SoundConfig] | None = None,
        on_left: Callable[[Left], None] = lambda _left: None,
        stream: TextIO | None = None,
    ) -> None:
        self._mqtt: MqttSink | None = None
        if config.mqtt.host is not None:
            self._mqtt = MqttSink(
                config.mqtt,
                node=config.node,
                name=config.name,
                area=config.area,
                sounds=config.enabled_sounds,
                unheard=unheard,
                device=device,
                on_command=on_command,
                clock=clock,
                environ=environ,
            )
        self._sinks: list[Sink] = [self._mqtt or JsonLinesSink(stream or sys.stdout)]
        self._on_left = on_left
        self._journal = Journal(
            outbox_path(directory, config.node),
            [sink.name for sink in self._sinks],
            clock,
            self._resume,
        )
        self._outbox = Outbox(
            self._sinks, clock, config.mqtt.late_after_seconds, journal=self._journal
        )

    @property
    def last_turn_s(self) -> float:
        """When the outbox's loop last came round."""
        return self._outbox.last_turn_s

    @property
    def description(self) -> str:
        """For the status line: ``mqtt up``, ``mqtt down: refused``, ``json lines``."""
        if self._mqtt is None:
            return "json lines"
        state = self._mqtt.state
        return "mqtt up" if state.connected else f"mqtt down: {state.last_error or 'connecting'}"

    @property
    def last_error(self) -> str | None:
        """What is wrong with the broker, if anything is."""
        return None if self._mqtt is None else self._mqtt.state.last_error

    @property
    def history(self) -> Path:
        """The database of all that was decided."""
        return self._journal.path

    @property
    def storage_error(self) -> str | None:
        """Why events are kept in memory only, if they are."""
        return self._journal.error

    def start(self) -> None:
        """Begin to deliver; a broker that is not there yet is tried again and again."""
        self._journal.start()
        for sink in self._sinks:
            sink.start()
        self._outbox.start()

    def stop(self) -> None:
        """Deliver what can be delivered in FLUSH_S, take leave, cease."""
        self._outbox.flush(FLUSH_S)
        self._outbox.stop()
        self._journal.stop()
        for sink in reversed(self._sinks):
            sink.stop()

    def take_over(self, before: "Outputs") -> None:
        """Have told what others, which have stopped, could neither deliver nor write down."""
        for event in before._journal.only_in_memory:  # noqa: SLF001 - of our own kind
            self._outbox.put(event)

    def tell(self, event: Event) -> None:
        """Have an event delivered; returns at once."""
        self._outbox.put(event)

    def is_delivered(self, event_id: str) -> bool:
        """Whether every outlet has acknowledged all that was told under this id."""
        return self._outbox.is_delivered(event_id)

    def update_sounds(
        self, config: Config, unheard: Mapping[str, SoundConfig] | None = None
    ) -> None:
        """Take the sounds of a new configuration; what belongs to sounds that went is removed."""
        if self._mqtt is not None:
            self._mqtt.update_sounds(config.enabled_sounds, unheard)

    def set_threshold(self, sound: str, value: float) -> None:
        """Show a threshold that is in force."""
        if self._mqtt is not None:
            self._mqtt.set_threshold(sound, value)

    def set_armed(self, *, armed: bool) -> None:
        """Show the armed switch."""
        if self._mqtt is not None:
            self._mqtt.set_armed(armed=armed)

    def set_microphone(self, *, available: bool) -> None:
        """Show whether it hears."""
        if self._mqtt is not None:
            self._mqtt.set_microphone(available=available)

    def set_level(self, rms_dbfs: float, peak_dbfs: float) -> None:
        """Show the sound level."""
        if self._mqtt is not None:
            self._mqtt.set_level(rms_dbfs, peak_dbfs)

    def set_health(self, health: Health) -> None:
        """Show how the daemon fares."""
        if self._mqtt is not None:
            self._mqtt.set_health(health)

    def set_self_test(self, report: SelfTestReport) -> None:
        """Show what a self-test found."""
        if self._mqtt is not None:
            self._mqtt.set_self_test(report)

    def mqtt_health(self) -> MqttHealth:
        """The broker's part of the health."""
        undelivered = self._outbox.undelivered
        dropped = self._outbox.dropped + self._journal.dropped
        if self._mqtt is None:
            return MqttHealth(undelivered=undelivered, dropped=dropped)
        state = self._mqtt.state
        return MqttHealth(
            connected=state.connected,
            reconnects=state.reconnects,
            undelivered=undelivered,
            dropped=dropped,
            denied=state.denied,
            refused_commands=self._mqtt.refused_commands,
        )

    def _resume(self, left: Left) -> None:
        self._outbox.resume(left)
        self._on_left(left)
