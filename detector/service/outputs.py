"""All outlets of one configuration: MQTT where there is a broker, else JSON lines."""

import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.jsonlines import JsonLinesSink
from detector.alerts.messages import Health, MqttHealth
from detector.alerts.mqtt_sink import MqttSink
from detector.alerts.outbox import Outbox
from detector.alerts.sinks import Sink
from detector.config import Config
from detector.core.clock import Clock
from detector.core.events import Command, Event

FLUSH_S = 0.5
"""How long a stop waits for events on their way."""


class Outputs:
    """The sinks and the outbox before them.

    ``start`` and ``stop`` belong to one thread; ``tell`` and the states may come from any.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        device: DeviceInfo,
        on_command: Callable[[Command, str], None],
        environ: Mapping[str, str],
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
                device=device,
                on_command=on_command,
                clock=clock,
                environ=environ,
            )
        self._sinks: list[Sink] = [self._mqtt or JsonLinesSink(stream or sys.stdout)]
        self._outbox = Outbox(self._sinks, clock, config.mqtt.late_after_seconds)

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

    def start(self) -> None:
        """Begin to deliver; a broker that is not there yet is tried again and again."""
        for sink in self._sinks:
            sink.start()
        self._outbox.start()

    def stop(self) -> None:
        """Deliver what can be delivered in FLUSH_S, take leave, cease."""
        self._outbox.flush(FLUSH_S)
        self._outbox.stop()
        for sink in reversed(self._sinks):
            sink.stop()

    def tell(self, event: Event) -> None:
        """Have an event delivered; returns at once."""
        self._outbox.put(event)

    def update_sounds(self, config: Config) -> None:
        """Take the sounds of a new configuration; what belongs to sounds that went is removed."""
        if self._mqtt is not None:
            self._mqtt.update_sounds(config.enabled_sounds)

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

    def mqtt_health(self) -> MqttHealth:
        """The broker's part of the health."""
        if self._mqtt is None:
            return MqttHealth(undelivered=self._outbox.undelivered, dropped=self._outbox.dropped)
        state = self._mqtt.state
        return MqttHealth(
            connected=state.connected,
            reconnects=state.reconnects,
            undelivered=self._outbox.undelivered,
            dropped=self._outbox.dropped,
            denied=state.denied,
            refused_commands=self._mqtt.refused_commands,
        )
