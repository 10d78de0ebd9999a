"""Every setting: its type, default, bounds and meaning.

This is the only description there is: the loader checks against it, ``detector config schema``
prints it, and a test holds ``config/detector.yaml`` and the README to it.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from detector.config.setting import (
    HOST_PATTERN,
    NODE_PATTERN,
    SHA256_MEANS,
    SHA256_PATTERN,
    TIME_PATTERN,
    TOPIC_MEANS,
    TOPIC_PATTERN,
    Origin,
    setting,
)
from detector.core.events import Urgency

Pooling = Literal["max", "mean", "noisy_or"]
"""How the scores of several classes become one."""


def default_node() -> str:
    """The host's name, as far as it makes a topic level and a Home Assistant id."""
    name = socket.gethostname().split(".")[0]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in name)
    return kept.lstrip("_-")[:40] or "detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """Where sound comes from."""

    source: Literal["microphone", "file", "stdin"] = setting(
        "What to listen to: a microphone, an audio file, or raw signed 16-bit little-endian "
        "samples on standard input (so that arecord or ffmpeg can be piped in).",
        default="microphone",
    )
    device: str = setting(
        "The microphone: part of its name as `detector devices` lists it, a PortAudio or ALSA id "
        "such as `hw:1,0`, or `default`. A name survives reboots, an index does not.",
        default="default",
    )
    channel: Literal["mix"] | int = setting(
        "`mix` averages all channels; a number takes that one, the first being 1.",
        default="mix",
        minimum=1,
        maximum=64,
    )
    block_seconds: float = setting(
        "How much audio the sound system hands over at a time.",
        default=0.1,
        unit="s",
        minimum=0.01,
        maximum=1.0,
    )
    latency_seconds: float = setting(
        "Room in the sound system's own buffer: how long this process may be kept waiting "
        "before audio is lost.",
        default=0.3,
        unit="s",
        minimum=0.02,
        maximum=5.0,
    )
    path: Path | None = setting(
        "The file to listen to, with `source: file`: WAV, FLAC, OGG or MP3.", default=None
    )
    realtime: bool = setting(
        "With `source: file`: play it at its own pace (true) or as fast as possible (false).",
        default=True,
    )
    stdin_rate_hz: int = setting(
        "With `source: stdin`: the sample rate of what is piped in.",
        default=16_000,
        unit="Hz",
        minimum=4_000,
        maximum=384_000,
    )
    stdin_channels: int = setting(
        "With `source: stdin`: how many interleaved channels are piped in.",
        default=1,
        minimum=1,
        maximum=64,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which model recognises, and how often."""

    path: Path | None = setting(
        "A TFLite classifier with its label list packed inside. Default: YAMNet from the cache, "
        "fetched on first use.",
        default=None,
    )
    sha256: str | None = setting(
        "If given, a model file with any other SHA-256 is refused.",
        default=None,
        pattern=SHA256_PATTERN,
        pattern_means=SHA256_MEANS,
    )
    runtime: Literal["auto", "ai-edge-litert", "tflite-runtime"] = setting(
        "The TFLite interpreter: `auto` takes the first of the two that is installed.",
        default="auto",
    )
    threads: int = setting(
        "Threads of the interpreter. One is right for YAMNet, also on a Raspberry Pi.",
        default=1,
        minimum=1,
        maximum=16,
    )
    hop_seconds: float = setting(
        "Seconds from one window to the next. Smaller notices sooner and costs more.",
        default=0.48,
        unit="s",
        minimum=0.01,
        maximum=10.0,
        multiple_of=0.01,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFor:
    """What a calibration was fitted on; it is refused anywhere else."""

    recogniser: str = setting(
        "SHA-256 of the model file.",
        pattern=SHA256_PATTERN,
        pattern_means=SHA256_MEANS,
    )
    hop_seconds: float = setting("Hop it was fitted at.", unit="s", minimum=0.01, maximum=10.0)
    pooling: Pooling = setting("Pooling it was fitted with.")
    head: str | None = setting(
        "For a refinement: SHA-256 of the head's file.",
        default=None,
        pattern=SHA256_PATTERN,
        pattern_means=SHA256_MEANS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """From a pooled raw score to a probability."""

    method: Literal["identity", "platt"] = setting(
        "`identity` passes the raw score on, and events say `calibrated: false`. `platt` is a "
        "logistic curve over the score's logit: sigmoid(slope · logit(score) + offset).",
        default="identity",
    )
    slope: float = setting("For `platt`.", default=1.0, minimum=0.0, maximum=100.0)
    offset: float = setting("For `platt`.", default=0.0, minimum=-100.0, maximum=100.0)
    fitted_for: FittedFor | None = setting(
        "For `platt`: the model, hop and pooling it was fitted for; it is refused elsewhere.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinementConfig:
    """What recordings of one's own have taught about a probability: `detector calibrate`."""

    slope: float = setting(
        "1 with an offset of 0 changes nothing.", default=1.0, minimum=0.0, maximum=100.0
    )
    offset: float = setting("Added to the logit.", default=0.0, minimum=-100.0, maximum=100.0)
    fitted_for: FittedFor | None = setting(
        "The model, hop, pooling and head it was fitted for; it is not applied elsewhere.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """One road from audio to a sound's probability; of several, the largest counts."""

    kind: Literal["family", "head", "cadence"] = setting(
        "`family`: a family of model classes. `head`: a small classifier on what the model makes "
        "of the sound; where it does not fit the model, the family stands in for it. `cadence`: "
        "the beeps of an alarm, told by their times.",
        default="family",
    )
    classes: tuple[str, ...] = setting(
        "For `family` and `head`: names of model classes; see `detector model labels`.",
        default=(),
    )
    head: Path | None = setting(
        "For `head`: its file. Default: the one that is shipped for the sound.", default=None
    )
    cadence: Literal["t3", "t4"] | None = setting(
        "For `cadence`: `t3`, three beeps and a pause (smoke, ISO 8201), or `t4`, four short beeps "
        "and a longer pause (carbon monoxide).",
        default=None,
    )
    pooling: Pooling = setting(
        "How the scores of the classes become one: the largest, their mean, or the chance that "
        "at least one is right if they were independent.",
        default="max",
    )
    calibration: CalibrationConfig = setting(
        "From that score to a probability.", default=CalibrationConfig
    )
    refinement: RefinementConfig = setting(
        "For `head`: from the head's own probability to one that fits the recordings of one's "
        "own, sigmoid(slope · logit(probability) + offset). `detector calibrate` writes it.",
        default=RefinementConfig,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundConfig:
    """A sound to listen for."""

    label: str = setting("Name for people; default: from the sound's own name.", default="")
    enabled: bool = setting("Listen for it.", default=True)
    evidence: tuple[EvidenceConfig, ...] = setting("What tells it.")
    threshold: float = setting(
        "Probability at which it counts as heard (at or above).",
        default=0.5,
        minimum=0.01,
        maximum=1.0,
    )
    release_threshold: float = setting(
        "Probability below which it counts as gone; at most the threshold.",
        default=0.3,
        minimum=0.0,
        maximum=1.0,
    )
    confirm_seconds: float = setting(
        "Seconds of audio, seen by windows at or above the threshold, that raise it. 0: one "
        "window is enough (a window is 0.975 s long; two at a hop of 0.48 s cover 1.455 s).",
        default=0.0,
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    confirm_within_seconds: float = setting(
        "Span in which those seconds must lie.",
        default=3.0,
        unit="s",
        minimum=0.1,
        maximum=120.0,
    )
    possible_seconds: float | None = setting(
        "Seconds of such audio after which it is told as possible, before it is confirmed: an "
        "event `<sound>_possible`, and no state. Default: never.",
        default=None,
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    hold_seconds: float = setting(
        "Seconds without evidence before it ends.",
        default=5.0,
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    refractory_seconds: float = setting(
        "Seconds after its end in which it is not raised anew.",
        default=0.0,
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    max_duration_seconds: float = setting(
        "It ends after this long even if it is still heard, and may begin anew.",
        default=600.0,
        unit="s",
        minimum=1.0,
        maximum=86_400.0,
    )
    urgency: Urgency = setting(
        "How much it matters that a person knows now.", default=Urgency.NOTICE
    )
    icon: str = setting(
        "Icon in Home Assistant.",
        default="mdi:ear-hearing",
        pattern=r"[a-z0-9]+:[a-z0-9-]+",
        pattern_means="an icon such as mdi:bell",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Encryption to the broker."""

    enabled: bool = setting("Use TLS.", default=False)
    ca_file: Path | None = setting(
        "Certificate authority to trust; default: the system's.", default=None
    )
    certificate_file: Path | None = setting("Client certificate.", default=None)
    key_file: Path | None = setting("Key of the client certificate.", default=None)
    insecure: bool = setting(
        "Accept a certificate for another host name. Never outside a test.", default=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    """The broker. Without a host, events are JSON lines on standard output."""

    host: str | None = setting(
        "Broker's name or address.",
        default=None,
        pattern=HOST_PATTERN,
        pattern_means="a name or address alone, such as homeassistant.local; the port has a "
        "setting of its own, `port`, and encryption too, `tls`",
    )
    port: int | None = setting(
        "Default: 1883, with TLS 8883.", default=None, minimum=1, maximum=65_535
    )
    username: str | None = setting("User on the broker.", default=None)
    password_file: Path | None = setting(
        "File that holds the password and nothing else. Default: the systemd credential "
        "`mqtt-password`, if there is one. The password itself never stands in the configuration.",
        default=None,
    )
    protocol: Literal["5", "3.1.1"] = setting(
        "MQTT version. Only 5 tells when the broker denies a message.", default="5"
    )
    keepalive_seconds: int = setting(
        "The broker tells the others that we are gone after one and a half times this without a "
        "sign of life; we notice after twice this that it is.",
        default=10,
        unit="s",
        minimum=5,
        maximum=600,
    )
    base_topic: str = setting(
        "First level of all topics.",
        default="detector",
        pattern=TOPIC_PATTERN,
        pattern_means=TOPIC_MEANS,
    )
    discovery: bool = setting("Let Home Assistant find this device by itself.", default=True)
    discovery_prefix: str = setting(
        "Home Assistant's discovery prefix.",
        default="homeassistant",
        pattern=TOPIC_PATTERN,
        pattern_means=TOPIC_MEANS,
    )
    birth_topic: str = setting(
        "Where Home Assistant says that it has started.",
        default="homeassistant/status",
        pattern=TOPIC_PATTERN,
        pattern_means=TOPIC_MEANS,
    )
    late_after_seconds: float = setting(
        "An alert that could not be delivered for longer than this goes to the backlog topic "
        "instead of the live one, so that no lamp rings hours late.",
        default=120.0,
        unit="s",
        minimum=1.0,
        maximum=86_400.0,
    )
    tls: TlsConfig = setting("Encryption.", default=TlsConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestConfig:
    """The self-test, from the microphone through the model to the broker."""

    at: str | None = setting(
        "Time of day, on this machine's clock, at which it is run every day; null for never. "
        "Without an output it makes no sound.",
        default="10:00",
        pattern=TIME_PATTERN,
        pattern_means='a time from "00:00" to "23:59", in quotes',
    )
    output: str | None = setting(
        "A loudspeaker that the microphone can hear: part of its name, an id, or `default`, as "
        "for the microphone. It plays 2.5 s of a dial tone. null: nothing is played, and the "
        "tone is given to the model directly.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is told on standard error."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "Least important message that is shown.", default="info"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be set."""

    node: str = setting(
        "This listener's name in topics and ids; choose it once. Default: the host's name.",
        default=default_node,
        pattern=NODE_PATTERN,
        pattern_means="letters, digits, _ and -, at most 40, beginning with a letter or digit",
    )
    name: str = setting("The device's name in Home Assistant.", default="Sound detector")
    area: str = setting("Room that Home Assistant should suggest for it.", default="")
    audio: AudioConfig = setting("Where sound comes from.", default=AudioConfig)
    model: ModelConfig = setting("Which model recognises.", default=ModelConfig)
    sounds: Mapping[str, SoundConfig] = setting(
        "The sounds to listen for, by name; exactly those that stand here. A shipped sound needs "
        "its name only, and each setting given replaces the shipped one. Without this section: "
        "baby_cry, doorbell and smoke_alarm.",
        default=lambda: MappingProxyType({}),
    )
    calibration: Path | None = setting(
        "A file that `detector calibrate` has written: what it says of a sound (evidence, "
        "threshold, release_threshold) replaces what stands here. Default: `calibration.yaml` "
        "beside this file, if there is one.",
        default=None,
    )
    mqtt: MqttConfig = setting("The broker.", default=MqttConfig)
    selftest: SelfTestConfig = setting("The self-test.", default=SelfTestConfig)
    log: LogConfig = setting("What is told on standard error.", default=LogConfig)
    state_directory: Path | None = setting(
        "Where thresholds set from Home Assistant and the like are kept. Default: systemd's, "
        "else ~/.local/state/detector.",
        default=None,
    )
    origins: Mapping[str, Origin] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    """Where each value comes from, by key path. Not a setting."""

    @property
    def enabled_sounds(self) -> Mapping[str, SoundConfig]:
        """The sounds that are listened for: those not switched off."""
        return {name: sound for name, sound in self.sounds.items() if sound.enabled}
