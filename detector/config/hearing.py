"""The settings of what is heard, and of the model that hears it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detector.config.setting import SHA256_MEANS, SHA256_PATTERN, setting


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
        "How much audio the sound system hands over at a time, at most: it is a fraction of the "
        "hop, so that a window is complete with a block, and not within one.",
        default=0.24,
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
    rest: bool = setting(
        "Let the network rest while nothing rises above the room's own noise, as it was learnt "
        "from the last minute: at most 2 s at a time, and never while a sound is on or near. "
        "It finds the same sounds (docs/rest.md) and costs less; false looks at every window.",
        default=True,
    )
