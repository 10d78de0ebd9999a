"""The latest value of everything that has a state, ready to be told anew at any time."""

import threading
from collections.abc import Mapping

from detector.alerts.messages import (
    OFF,
    OFFLINE,
    ON,
    ONLINE,
    Health,
    SelfTestReport,
    health_payload,
    number,
    self_test_payload,
    sound_messages,
    to_json,
)
from detector.alerts.topics import Message, Topics
from detector.config.schema import SoundConfig
from detector.core.events import Event, EventKind, Phase


class StateBoard:
    """Holds one message per retained topic. Safe from any thread.

    It begins with every sound OFF at its configured threshold, armed, and a microphone that is
    not heard yet.  ``status`` is not here: the connection tells that, last of all.
    """

    def __init__(self, topics: Topics, sounds: Mapping[str, SoundConfig]) -> None:
        self._topics = topics
        self._lock = threading.RLock()
        self._messages: dict[str, Message] = {}
        self._sounds: frozenset[str] = frozenset()
        self._heard: dict[str, str] = {}
        """Sounds that are on in earnest, and the event: the end of another must not end them."""
        self.set_microphone(available=False)
        self.set_armed(armed=True)
        self.update_sounds(sounds)

    def all_messages(self) -> tuple[Message, ...]:
        """Every state, for a connection or a Home Assistant that begins anew."""
        with self._lock:
            return tuple(self._messages.values())

    def note(self, event: Event) -> None:
        """Remember what an event makes of its sound; a sound no longer listened for is ignored."""
        with self._lock:
            if event.sound in self._sounds and event.kind is EventKind.SOUND:
                self._hear(event.sound, event)
            for message in self.messages_for(event):
                self._keep(message)

    def messages_for(self, event: Event) -> tuple[Message, ...]:
        """What an event makes of its sound.

        Of a sound that is on in earnest neither a test alert makes anything, nor the end or an
        update of another event, such as one that an earlier run left: what stands is told again.
        """
        with self._lock:
            if event.sound is None or event.sound not in self._sounds:
                return ()
            of_another = self._heard.get(event.sound, event.id) != event.id
            follows = event.phase in (Phase.OFFSET, Phase.UPDATE)
            if of_another and (follows or event.kind is EventKind.TEST_ALERT):
                return self.messages_of(event.sound)
            return sound_messages(self._topics, event)

    def messages_of(self, sound: str) -> tuple[Message, ...]:
        """A sound's attributes and state as they stand now; nothing of a sound that went."""
        topics = (self._topics.sound_attributes(sound), self._topics.sound_state(sound))
        with self._lock:
            return tuple(self._messages[topic] for topic in topics if topic in self._messages)

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

    def set_self_test(self, report: SelfTestReport) -> Message:
        """What the last self-test found."""
        text = to_json(self_test_payload(report))
        return self._keep(Message(self._topics.self_test, text, retain=True))

    def update_sounds(self, sounds: Mapping[str, SoundConfig]) -> None:
        """Take a new set of sounds: those that stay keep their state and threshold."""
        with self._lock:
            gone = self._sounds - set(sounds)
            new = [name for name in sounds if name not in self._sounds]
            self._sounds = frozenset(sounds)
            self._heard = {name: of for name, of in self._heard.items() if name not in gone}
            for topic in (topic for name in gone for topic in self._topics.retained_of(name)):
                self._messages.pop(topic, None)
            for name in new:
                self._keep(Message(self._topics.sound_state(name), OFF, retain=True))
                self.set_threshold(name, sounds[name].threshold)

    def _hear(self, sound: str, event: Event) -> None:
        if event.phase is Phase.ONSET:
            self._heard[sound] = event.id
        elif event.phase is Phase.OFFSET and self._heard.get(sound) == event.id:
            del self._heard[sound]

    def _keep(self, message: Message) -> Message:
        with self._lock:
            self._messages[message.topic] = message
        return message
