"""A sound system without hardware, with the parts of sounddevice that we use."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from detector.audio.child import capture
from detector.audio.devices import SoundSystem
from detector.audio.inbox import Inbox
from detector.audio.wire import Message
from detector.config.schema import AudioConfig
from detector.core.audio import Samples
from detector.core.errors import AudioError


class FakePortAudioError(Exception):
    """What the fake raises."""


@dataclass(frozen=True)
class FakeDevice:
    """A device and what it can."""

    name: str
    channels: int = 1
    rates_hz: tuple[int, ...] = (16_000,)
    accepts: Callable[[int], bool] = lambda _: True
    """Whether it can be opened with so many channels."""
    busy: bool = False


class FakeStream:
    """An open device; the test calls back for it."""

    def __init__(self, system: "FakeSoundSystem", settings: dict[str, Any]) -> None:
        self.settings = settings
        self.closed = False
        self._system = system
        self._active = False

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        self._system.fail_if("active")
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        self._active = active

    def start(self) -> None:
        """Begin."""
        self._system.fail_if("start")
        self.active = True
        self._system.opened.put(self)

    def close(self) -> None:
        """Release; hangs for as long as the system is told to hang."""
        self._system.may_close.wait(30)
        self.active = False
        self.closed = True

    def deliver(self, samples: Samples, *, overflow: bool = False) -> None:
        """Call back with samples, shape (n,), on all channels; the buffer is used again."""
        indata = np.repeat(samples[:, np.newaxis], self.settings["channels"], axis=1)
        status = SimpleNamespace(input_overflow=True) if overflow else None
        self.settings["callback"](indata.data.cast("B"), len(indata), None, status)
        indata[:] = np.nan


class Mailbox:
    """Streams as they are opened."""

    def __init__(self) -> None:
        self._streams: list[FakeStream] = []
        self._changed = threading.Condition()

    def put(self, stream: FakeStream) -> None:
        """A stream was opened."""
        with self._changed:
            self._streams.append(stream)
            self._changed.notify_all()

    def next(self) -> FakeStream:
        """Wait for the next one."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._streams, 10), "nothing was opened"
            return self._streams.pop(0)


class FakeSoundSystem:
    """Stands in for the module ``sounddevice``.

    As with PortAudio, devices that come or go are seen at the next initialisation only.
    """

    PortAudioError = FakePortAudioError

    def __init__(self, devices: Sequence[FakeDevice], default: int = -1) -> None:
        self.connected = list(devices)
        self.default = default
        self.opened = Mailbox()
        self.failing: set[str] = set()
        self.may_close = threading.Event()
        self.may_close.set()
        self.may_open = threading.Event()
        self.may_open.set()
        self.initialisations = 0
        self._known = list(devices)

    def fail_if(self, what: str) -> None:
        """Raise where the test wants a call to fail."""
        if what in self.failing:
            raise FakePortAudioError(f"{what} fails\n[PaErrorCode -9999]")

    def query_devices(self) -> Sequence[Mapping[str, Any]]:
        """All devices that were there when it was initialised."""
        self.fail_if("query")
        return [
            {
                "name": device.name,
                "hostapi": 0,
                "max_input_channels": device.channels,
                "default_samplerate": float(device.rates_hz[0]),
            }
            for device in self._known
        ]

    def query_hostapis(self) -> Sequence[Mapping[str, Any]]:
        """ALSA only."""
        return [{"name": "ALSA", "default_input_device": self.default}]

    def check_input_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        """Raise where the device cannot."""
        found = self._known[device]
        assert dtype == "float32"
        if found.busy or found not in self.connected:
            raise FakePortAudioError("Device unavailable [PaErrorCode -9985]")
        if samplerate not in found.rates_hz or not found.accepts(channels):
            raise FakePortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def RawInputStream(self, **settings: Any) -> FakeStream:  # noqa: N802 - sounddevice's name
        """Open a device; hangs for as long as it is told to hang."""
        self.may_open.wait(30)
        self.fail_if("open")
        return FakeStream(self, settings)

    def load(self) -> "FakeSoundSystem":
        """Initialise it, as the import of sounddevice does in a new process."""
        if "initialise" in self.failing:
            raise AudioError("the sound system fails: initialise fails")
        self.initialisations += 1
        self._known = list(self.connected)
        return self


class FakeEar:
    """The capture process as a thread: its own code, over a real pipe.

    One that hangs cannot be killed, and is left behind.
    """

    def __init__(
        self, config: AudioConfig, load: Callable[[], SoundSystem], now: Callable[[], float]
    ) -> None:
        self._stopping = threading.Event()
        self._reading, self._writing = os.pipe()
        self._inbox = Inbox(self._reading)
        self._ended = ""

        def run() -> None:
            stopping = self._stopping
            capture(config, self._writing, load=load, now=now, stopping=stopping, look_s=0.01)
            os.close(self._writing)

        self._thread = threading.Thread(target=run, name="fake-capture", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Message | None:
        """As the real one."""
        return self._inbox.next(timeout_s)

    def end(self) -> str:
        """End the thread, or leave it."""
        if not self._ended:
            self._stopping.set()
            os.close(self._reading)
            self._thread.join(0.5)
            hung = self._thread.is_alive()
            self._ended = "hung, and was left" if hung else "ended with code 0"
        return self._ended
