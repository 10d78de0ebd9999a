"""From the configuration to a source."""

import sys
from typing import BinaryIO

from detector.audio.file import FileSource
from detector.audio.microphone import MicrophoneSource
from detector.audio.process import Launch, start_capture
from detector.audio.ring import RingBuffer
from detector.audio.stdin import StreamSource
from detector.config.schema import AudioConfig
from detector.core.audio import SAMPLE_RATE_HZ, Source
from detector.core.clock import Clock
from detector.core.errors import AudioError

_CAPACITY_SECONDS = 10.0
_MAX_LAG_SECONDS = 3.0
"""Recognition may hesitate this long (a busy disk, a swapped page) before audio is skipped."""


def open_source(
    config: AudioConfig,
    *,
    clock: Clock,
    keep_samples: int,
    launch: Launch = start_capture,
    stdin: BinaryIO | None = None,
) -> Source:
    """Make the source that is configured; nothing is opened before its ``start``.

    Args:
        config: What to listen to.
        clock: Tells capture times.
        keep_samples: Of a microphone: what a reader who fell behind finds, one window.
        launch: Of a microphone: starts its capture processes.
        stdin: Stands in for standard input.

    Raises AudioError where no file is named, or standard input is closed.
    """
    if config.source == "file":
        if config.path is None:
            raise AudioError("audio.source is file, but audio.path names none")
        return FileSource(
            config.path, realtime=config.realtime, channel=config.channel, clock=clock
        )
    if config.source == "stdin":
        return _standard_input(config, clock, stdin)
    return MicrophoneSource(config, ring=_ring(keep_samples), clock=clock, launch=launch)


def _standard_input(config: AudioConfig, clock: Clock, stdin: BinaryIO | None) -> StreamSource:
    if stdin is None and sys.stdin is None:
        raise AudioError("audio.source is stdin, but standard input is closed")
    return StreamSource(
        stdin or sys.stdin.buffer,
        rate_hz=config.stdin_rate_hz,
        channels=config.stdin_channels,
        channel=config.channel,
        clock=clock,
    )


def _ring(keep_samples: int) -> RingBuffer:
    lag_seconds = max(_MAX_LAG_SECONDS, 2 * keep_samples / SAMPLE_RATE_HZ)
    return RingBuffer(lag_seconds + _CAPACITY_SECONDS, keep_samples, lag_seconds)
