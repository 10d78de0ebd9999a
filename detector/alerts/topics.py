"""Where on MQTT things are told: the topics of a node, and a message on one of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish."""

    topic: str
    payload: str
    """Empty and retained: the broker forgets what it kept on the topic."""
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    """With MQTT 5, seconds after which the broker hands it to nobody any more."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one node, below ``<base_topic>/<node>``."""

    base_topic: str
    node: str

    def _at(self, path: str) -> str:
        return f"{self.base_topic}/{self.node}/{path}"

    @property
    def status(self) -> str:
        """Whether the process lives: retained, and the last will."""
        return self._at("status")

    @property
    def mic_status(self) -> str:
        """Whether it hears: retained."""
        return self._at("mic/status")

    @property
    def event(self) -> str:
        """Events as they happen: never retained."""
        return self._at("event")

    @property
    def backlog(self) -> str:
        """Events that could not be told in time: never retained."""
        return self._at("event/backlog")

    @property
    def level(self) -> str:
        """Sound level: not retained."""
        return self._at("level")

    @property
    def health(self) -> str:
        """Health: retained."""
        return self._at("health")

    @property
    def self_test(self) -> str:
        """What the last self-test found: retained."""
        return self._at("selftest")

    @property
    def armed_state(self) -> str:
        """Whether it listens for sounds: retained."""
        return self._at("armed/state")

    @property
    def armed_set(self) -> str:
        """Command: ON or OFF."""
        return self._at("armed/set")

    @property
    def command(self) -> str:
        """Command: ``test_alert``, ``test_alert <sound>``, ``selftest`` or ``feedback …``."""
        return self._at("cmd")

    @property
    def every_threshold_set(self) -> str:
        """Filter for the threshold commands of all sounds."""
        return self.threshold_set("+")

    def sound_state(self, sound: str) -> str:
        """ON while the sound is heard: retained."""
        return self._at(f"sound/{sound}/state")

    def sound_attributes(self, sound: str) -> str:
        """What the state rests on: retained."""
        return self._at(f"sound/{sound}/attributes")

    def threshold_state(self, sound: str) -> str:
        """The sound's effective threshold: retained."""
        return self._at(f"sound/{sound}/threshold/state")

    def threshold_set(self, sound: str) -> str:
        """Command: a threshold, or nothing to take the override back."""
        return self._at(f"sound/{sound}/threshold/set")

    def retained_of(self, sound: str) -> tuple[str, str, str]:
        """What the broker keeps of a sound."""
        return (
            self.sound_state(sound),
            self.sound_attributes(sound),
            self.threshold_state(sound),
        )
