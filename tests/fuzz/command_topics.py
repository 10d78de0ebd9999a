"""Target: messages on command topics, from the broker's hands to what they change."""

import logging
import random
from contextlib import suppress
from pathlib import Path

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.messages import threshold_bounds
from detector.alerts.mqtt_sink import MqttSink
from detector.alerts.session import Received
from detector.alerts.topics import Topics
from detector.config import MqttConfig
from detector.core.errors import DetectorError
from detector.core.events import Command, Event
from detector.service.desk import Desk
from detector.service.overrides import Overrides
from tests.fuzz.mutations import damaged_bytes, odd_number, odd_text
from tests.fuzz.target import Target, require
from tests.service.bench import Bench, NotedOutputs

NODE = "nursery"
TOPICS = Topics("detector", NODE)
SOUNDS = ("dog_bark", "baby_cry")


class CommandTopics(Target):
    """What is not a right command changes nothing and is counted; what is, changes what it says."""

    name = "commands"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._bench = Bench()
        self._bench.worker.start()
        self._outputs = NotedOutputs(self._bench.clock)
        self._told: list[Event] = []
        self._obeyed = 0
        self._overrides = Overrides(folder, NODE)
        self._desk = self._open_desk()
        self._sink = MqttSink(
            MqttConfig(host="127.0.0.1", port=1),
            node=NODE, name="Fuzzed", area="", sounds=self._bench.config.enabled_sounds,
            device=DeviceInfo(software="1.2.3"), on_command=self._on_command,
            clock=self._bench.clock, environ={}, birth_delay_s=lambda: 0.0,
        )  # fmt: skip

    def _open_desk(self) -> Desk:
        desk = Desk(
            self._bench.config, overrides=self._overrides, worker=self._bench.worker,
            outputs=self._outputs, clock=self._bench.clock, tell=self._told.extend,
        )  # fmt: skip
        desk.apply_overrides(self._bench.pipeline(self._bench.config))
        return desk

    def _on_command(self, command: Command, by: str) -> None:
        self._obeyed += 1
        with suppress(DetectorError):  # as the daemon does, with a line in the log
            self._desk.carry_out(command, by)

    def make(self, rng: random.Random) -> Received:
        """A message."""
        return received(rng)

    def feed(self, made: Received) -> bool:
        """Receive it as paho's thread does."""
        armed, refused, obeyed = self._overrides.armed, self._sink.refused_commands, self._obeyed
        self._sink._on_message(made)  # noqa: SLF001 - what the broker's client calls
        accepted = self._obeyed > obeyed
        require(not (accepted and made.retained), "a retained command was obeyed")
        require(
            accepted or self._sink.refused_commands > refused or not _must_be_refused(made),
            "neither obeyed nor counted as refused",
        )
        if self._overrides.armed is not armed:
            wanted = b"ON" if self._overrides.armed else b"OFF"
            require(made.topic == TOPICS.armed_set, f"armed by {made.topic}")
            require(made.payload.decode().strip().encode() == wanted, "armed by no switch")
        self._check_thresholds()
        self._let_time_pass()
        return accepted

    def _check_thresholds(self) -> None:
        for name, sound in self._bench.config.enabled_sounds.items():
            low, high = threshold_bounds(sound)
            shown = self._outputs.thresholds[name]
            require(low <= shown <= high, f"the threshold of {name} is {shown}")

    def _let_time_pass(self) -> None:
        """So that neither due work nor what the fakes note piles up."""
        self._bench.clock.advance(0.5)
        self._desk.look()
        self._told.clear()
        self._outputs.armed.clear()
        self._bench.serve()

    def close(self) -> None:
        """The pipeline has what was told last."""
        thresholds = self._outputs.thresholds
        require(set(thresholds) == set(SOUNDS), f"thresholds of {sorted(thresholds)}")
        self._bench.source.give(None)
        self._bench.worker.stop()


def received(rng: random.Random) -> Received:
    """A message, on a command topic more often than not."""
    topic, payload = _almost_right(rng) if rng.random() < 0.4 else (_topic(rng), _payload(rng))
    return Received(topic, payload, retained=rng.random() < 0.1)


def _must_be_refused(made: Received) -> bool:
    """Whether it is on a command topic and can be no command, nor a ping, nor a clearing."""
    if made.topic not in (TOPICS.armed_set, TOPICS.command):
        return False
    text = made.payload.decode(errors="replace").strip()
    return bool(text) and not text.startswith("ping")


def _almost_right(rng: random.Random) -> tuple[str, bytes]:
    """A right command, or one with a byte or two that are not."""
    sound = rng.choice(SOUNDS)
    topic, text = rng.choice(
        (
            (TOPICS.threshold_set(sound), repr(round(rng.random(), rng.randint(0, 6)))),
            (TOPICS.threshold_set(sound), odd_number(rng)),
            (TOPICS.armed_set, rng.choice(("ON", "OFF"))),
            (TOPICS.command, rng.choice(("test_alert", f"test_alert {sound}"))),
        )
    )
    payload = text.encode()
    return topic, damaged_bytes(payload, rng, most=2) if rng.random() < 0.3 else payload


def _topic(rng: random.Random) -> str:
    sound = rng.choice((*SOUNDS, *SOUNDS, "yodel", "", "+", "#", "a/b", odd_text(rng, most=12)))
    return rng.choice(
        (
            TOPICS.armed_set,
            TOPICS.command,
            TOPICS.threshold_set(sound),
            TOPICS.threshold_set(sound),
            TOPICS.threshold_state(sound),
            "homeassistant/status",
            f"homeassistant/device/detector_{NODE}/config",
            f"homeassistant/device/{NODE}/config",
            TOPICS.armed_set + rng.choice(("/", "x", " ", "\0")),
            odd_text(rng),
        )
    )


def _payload(rng: random.Random) -> bytes:
    sound = rng.choice((*SOUNDS, "yodel", odd_text(rng, most=20)))
    text = rng.choice(
        (
            lambda: odd_number(rng),
            lambda: repr(round(rng.random(), 3)),
            lambda: rng.choice(("ON", "OFF", "on", "Off", " ON ", "ON\n", "ONN", "OFF\0", "1", "")),
            lambda: f"test_alert{rng.choice((' ', '  ', '', chr(9)))}{sound}",
            lambda: rng.choice(("test_alert", "ping", "ping 1", "selftest", "self_test", "online")),
            lambda: rng.choice(("feedback", "feedback undo", f"feedback missed{sound}")),
            lambda: odd_text(rng),
            lambda: odd_text(rng, most=6) * rng.randint(1, 400),
            lambda: '{"cmps": ' * rng.randint(0, 1500) + rng.choice(("1", '{"a":{"p":1}}', "")),
            lambda: f'{{"cmps": {{"{odd_text(rng, most=5)}": {odd_number(rng)}}}}}',
            lambda: '{"cmps": {"baby_cry": {"p": "binary_sensor"}, "x": {"p": "sensor"}}}',
        )
    )()  # fmt: skip
    raw = text.encode(errors="surrogatepass")
    if rng.random() < 0.1:
        raw += rng.randbytes(rng.randint(1, 12))
    return raw
