"""Every setting: its type, default, bounds and meaning.

This is the only description there is: the loader checks against it, ``detector config schema``
prints it, and a test holds ``config/detector.yaml`` and the README to it.  What is heard and the
sounds stand in modules of their own, and are to be had here as well.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from detector.config.hearing import AudioConfig, ModelConfig
from detector.config.setting import (
    HOST_PATTERN,
    NODE_PATTERN,
    TIME_PATTERN,
    TOPIC_MEANS,
    TOPIC_PATTERN,
    Origin,
    setting,
)
from detector.config.sound import (
    CalibrationConfig,
    EvidenceConfig,
    FittedFor,
    Pooling,
    RefinementConfig,
    SecondStageConfig,
    SoundConfig,
)

__all__ = [
    "AudioConfig",
    "CalibrationConfig",
    "Config",
    "EvidenceConfig",
    "FittedFor",
    "LogConfig",
    "ModelConfig",
    "MqttConfig",
    "Pooling",
    "RefinementConfig",
    "SecondStageConfig",
    "SelfTestConfig",
    "SoundConfig",
    "TlsConfig",
    "default_node",
]


def default_node() -> str:
    """The host's name, as far as it makes a topic level and a Home Assistant id."""
    name = socket.gethostname().split(".")[0]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in name)
    return kept.lstrip("_-")[:40] or "detector"


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
        "baby_cry, doorbell and smoke_alarm. Beside them, what `detector learn` has learnt.",
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
    left_out: tuple[str, ...] = field(default=(), compare=False)
    """Sounds of one's own that cannot be listened for, as they are damaged or gone. Not a setting.
    """
    uncalibrated: "Config | None" = field(default=None, compare=False, repr=False)
    """What it was before a calibration file went over it; None without one. Not a setting."""

    @property
    def enabled_sounds(self) -> Mapping[str, SoundConfig]:
        """The sounds that are listened for: those not switched off."""
        return {name: sound for name, sound in self.sounds.items() if sound.enabled}
