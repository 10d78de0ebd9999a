"""The latest value of everything that has a state, ready to be told anew at any time."""

import threading
from collections.abc import Iterable, Mapping

from detector.alerts.messages import (
    OFF,
    OFFLINE,
    ON,
    ONLINE,
    Health,
    Message,
    Topics,
    health_payload,
    number,
    sound_messages,
    to_json,
)
from detector.config.schema import SoundConfig
from detector.core.events import Event


class StateBoard:
    """Holds one message per retained topic. Safe from any thread.

    It begins with every sound OFF at its configured threshold, armed, and a microphone that is
    not heard yet.  ``status`` is not here: the connection tells that, last of all.
    """

    def __init__(self, topics: Topics, sounds: Mapping[str, SoundConfig]) -> None:
        self._topics = topics
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}
        self._sounds: frozenset[str] = frozenset()
        self.set_microphone(available=False)
        self.set_armed(armed=True)
        self.update_sounds(sounds)

    def all_messages(self) -> tuple[Message, ...]:
        """Every state, for a connection or a Home Assistant that begins anew."""
        with self._lock:
            return tuple(self._messages.values())

    def note(self, event: Event) -> None:
        """Remember what an event makes of its sound; a sound no longer listened for is ignored."""
        if event.sound in self._sounds:
            self._keep(*sound_messages(self._topics, event))

    def messages_for(self, event: Event) -> tuple[Message, ...]:
        """What an event makes of its sound, whatever has happened since."""
        return sound_messages(self._topics, event) if event.sound in self._sounds else ()

    def set_threshold(self, sound: str, value: float) -> Message:
        """A sound's effective threshold."""
        text = str(number(value, 4))
        return self._keep(Message(self._topics.threshold_state(sound), text, retain=True))

    def set_armed(self, *, armed: bool) -> Message:
        """Whether it listens for sounds."""
        return self._keep(Message(self._topics.armed_state, ON if armed else OFF, retain=True))

    def set_microphone(self, *, available: bool) -> Message:
        """Whether it hears."""
        text = ONLINE if available else OFFLINE
        return self._keep(Message(self._topics.mic_status, text, retain=True))

    def set_health(self, health: Health) -> Message:
        """How the daemon fares."""
        text = to_json(health_payload(health))
        return self._keep(Message(self._topics.health, text, qos=0, retain=True))

    def update_sounds(self, sounds: Mapping[str, SoundConfig]) -> tuple[Message, ...]:
        """Take a new set of sounds; hand over what makes the broker forget those that went.

        Sounds that stay keep their state and threshold.
        """
        gone, new = self._sounds - set(sounds), set(sounds) - self._sounds
        self._sounds = frozenset(sounds)
        cleared = clearing(self._topics, sorted(gone))
        with self._lock:
            for message in cleared:
                self._messages.pop(message.topic, None)
        for name in (name for name in sounds if name in new):
            self._keep(Message(self._topics.sound_state(name), OFF, retain=True))
            self.set_threshold(name, sounds[name].threshold)
        return cleared

    def _keep(self, *messages: Message) -> Message:
        with self._lock:
            self._messages |= {message.topic: message for message in messages}
        return messages[-1]


def clearing(topics: Topics, sounds: Iterable[str]) -> tuple[Message, ...]:
    """Messages that make the broker forget what it retains of these sounds."""
    return tuple(
        Message(topic, "", retain=True) for sound in sounds for topic in topics.retained_of(sound)
    )
