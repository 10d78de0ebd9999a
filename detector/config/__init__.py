"""The one description of every setting, and the loader that reports all problems at once."""

from detector.config.schema import (
    AudioConfig,
    CalibrationConfig,
    Config,
    EvidenceConfig,
    FittedFor,
    LogConfig,
    ModelConfig,
    MqttConfig,
    SelfTestConfig,
    SoundConfig,
    TlsConfig,
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
    "SelfTestConfig",
    "SoundConfig",
    "TlsConfig",
]
