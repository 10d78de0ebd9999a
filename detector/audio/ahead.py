"""A capture process that is started before there is anybody to hear it.

The device takes a moment to open, and a window a second to fill; meanwhile everything else can be
made ready.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from detector.audio.process import Ear, Launch, start_capture
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError

KEEPS_S = 2.0
"""One that has waited for longer is not taken over: what it heard would not fit into the ring."""


@dataclass(slots=True)
class _Ahead:
    config: AudioConfig
    launch: Launch
    now: Callable[[], float]
    ear: Ear | None = None
    since_s: float = 0.0

    def begin(self) -> None:
        self.since_s = self.now()
        try:
            self.ear = self.launch(self.config)
        except AudioError:
            self.ear = None  # whoever needs one will tell of it

    def take(self, config: AudioConfig) -> Ear:
        """The one that was started, if it is still of use; else another, as ever."""
        ear, self.ear = self.ear, None
        if ear is not None:
            if config == self.config and self.now() - self.since_s <= KEEPS_S:
                return ear
            ear.end()
        return self.launch(config)

    def end(self) -> None:
        if self.ear is not None:
            self.ear.end()


@contextmanager
def started_ahead(
    config: AudioConfig,
    *,
    launch: Launch = start_capture,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Launch]:
    """Start to capture, where a microphone is wanted; who asks first is given that process.

    One that nobody asks for is ended.  What goes wrong is told to whoever asks.
    """
    ahead = _Ahead(config, launch, now)
    if config.source == "microphone":
        ahead.begin()
    try:
        yield ahead.take
    finally:
        ahead.end()
