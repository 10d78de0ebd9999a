"""The microphone: found by name, opened as it can be, and found again when it was away."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from detector.audio.capture import Captured
from detector.audio.devices import (
    InputDevice,
    SoundSystem,
    input_devices,
    one_line,
    supported_rates,
)
from detector.audio.feed import Feed
from detector.audio.intime import HangError, in_time
from detector.audio.mixing import sanitise, to_mono
from detector.audio.opened import OpenedDevice, open_device
from detector.audio.ring import RingBuffer
from detector.config.schema import AudioConfig
from detector.core.audio import Block, End, Gap, Samples, SourceStatus
from detector.core.clock import Clock
from detector.core.errors import AudioError
from detector.core.level import rms_dbfs

_log = logging.getLogger(__name__)

_CHECK_SECONDS = 1.0
"""How long ``open_check`` listens."""

Load = Callable[[], SoundSystem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the microphone waits for what."""

    stall_s: float = 5.0
    """Without audio the device is opened anew; some plugins call in bursts of seconds."""
    open_s: float = 20.0
    """PortAudio may hang while it looks for devices or opens one; a slow one takes seconds."""
    close_s: float = 3.0
    """PortAudio may hang while it closes a device that was unplugged."""
    stop_s: float = 1.5
    """A stop waits no longer for PortAudio; the process ends all the same."""
    list_s: float = 60.0
    """To try all rates of all devices takes a while."""
    poll_s: float = 0.25
    """How often a silent device is looked at."""
    retry_s: tuple[float, ...] = (2.0, 3.0, 5.0)
    """Between attempts to open it; the last one from then on."""


PATIENCE = Patience()


def load_sound_system() -> SoundSystem:
    """Import sounddevice, which initialises PortAudio. Raises AudioError with the remedy."""
    try:
        import sounddevice  # initialises PortAudio
    except OSError as error:
        raise AudioError(
            "the PortAudio library, which microphones need, is missing: apt install libportaudio2"
        ) from error
    except ImportError as error:
        raise AudioError(
            "the Python package sounddevice, which microphones need, is missing: "
            "pip install sounddevice"
        ) from error
    except Exception as error:  # PortAudioError, of a module that is not there yet
        raise AudioError(f"the sound system fails: {one_line(error)}") from error
    return cast(SoundSystem, sounddevice)


def list_devices(
    load: Load = load_sound_system, *, patience: Patience = PATIENCE
) -> list[InputDevice]:
    """All input devices and the rates they accept now.

    For a process that is not listening itself.  Raises AudioError where PortAudio is missing,
    fails or hangs.
    """
    return in_time(lambda: _all_devices(load()), patience.list_s)


def _all_devices(system: SoundSystem) -> list[InputDevice]:
    try:
        found = input_devices(system)
    except system.PortAudioError as error:
        raise AudioError(f"the sound system fails: {one_line(error)}") from error
    return [replace(device, rates_hz=supported_rates(system, device)) for device in found]


@dataclass(frozen=True, slots=True)
class Checked:
    """A microphone that was opened for a moment; as a string, one line for a person."""

    opened_as: str
    """Device, rate and channels."""
    level_dbfs: float

    def __str__(self) -> str:
        return f"{self.opened_as}, level {self.level_dbfs:.1f} dBFS"


def open_check(
    config: AudioConfig,
    *,
    clock: Clock,
    load: Load = load_sound_system,
    patience: Patience = PATIENCE,
) -> Checked:
    """Open the configured microphone for a second; what it is and how loud.

    Raises AudioError where it is not there, cannot be opened, hangs, or delivers nothing.
    """
    opened = in_time(lambda: open_device(load(), config, clock.monotonic), patience.open_s)
    heard: list[Samples] = []
    try:
        while sum(len(frames) for frames in heard) < _CHECK_SECONDS * opened.format.rate_hz:
            captured = opened.capture.next(patience.stall_s)
            if captured is None:
                raise AudioError(f"{opened} was opened, but delivers no audio")
            heard.append(captured.frames)
    finally:
        in_time(opened.stream.close, patience.close_s)
    mono = to_mono(sanitise(np.concatenate(heard)).samples, config.channel)
    return Checked(str(opened), rms_dbfs(mono))


class MicrophoneSource:
    """Hears a microphone into a ring buffer, in a thread of its own, for as long as it takes.

    A device that is missing, taken or unplugged is a state, not an error: ``status`` says it, the
    log says it once per reason, and it is tried again.  One that merely delivers nothing is opened
    anew, and stays available until it cannot be.  The one thing that ends the source is a sound
    system that hangs: then ``read`` gives End, and only a new process helps.

    ``start`` and ``stop`` belong to one thread, ``read`` to one; ``status`` from any.

    Args:
        config: The device, channel, block and latency.
        ring: Where the audio goes; this source is its only writer, and closes it.
        clock: Tells when blocks arrive.
        load: Gives the module ``sounddevice``.
        patience: How long to wait for what.
    """

    live = True

    def __init__(
        self,
        config: AudioConfig,
        *,
        ring: RingBuffer,
        clock: Clock,
        load: Load = load_sound_system,
        patience: Patience = PATIENCE,
    ) -> None:
        self._config = config
        self._ring = ring
        self._clock = clock
        self._load = load
        self._patience = patience
        self._feed = Feed(ring, config.channel)
        self._told = (False, "not opened yet")  # one object, for other threads read it
        self._stopping = threading.Event()
        self._opened: OpenedDevice | None = None
        self._thread: threading.Thread | None = None
        self._initialised = False
        self._hearing = False  # whether the device that is open has delivered

    @property
    def status(self) -> SourceStatus:
        """Which device is heard, or why none is."""
        available, description = self._told
        return SourceStatus(available, description, self._feed.overflows)

    def start(self) -> None:
        """Begin to look for the device; never raises for one that is not there."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="detector-source", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Release the device; the reader gets what is left, then End."""
        self._stopping.set()
        if self._opened is not None:
            self._opened.capture.wake()
        if self._thread is not None:
            self._thread.join(self._patience.stop_s)
            if self._thread.is_alive():
                _log.error("thread %s does not end: the sound system hangs", self._thread.name)
        self._ring.close("stopped")

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """Hand over what comes next, or None when nothing came within ``timeout_s``."""
        return self._ring.read(timeout_s)

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                heard = self._attempt()
                failures = 1 if heard else failures + 1
                steps = self._patience.retry_s
                self._stopping.wait(steps[min(failures, len(steps)) - 1])
            self._set_status(available=False, description="stopped")
            self._ring.close("stopped")
        except HangError as error:
            reason = "the sound system hangs; only a restart helps"
            self._set_status(available=False, description=reason)
            _log.critical("%s (%s)", reason, error)
            self._ring.close(reason)

    def _attempt(self) -> bool:
        """Open the device and hear it until that ends; whether anything was heard."""
        self._hearing = False
        try:
            self._hear()
        except HangError:
            raise
        except _StalledError as error:
            self._trouble(str(error), available=self.status.available)
        except AudioError as error:
            self._trouble(str(error), available=False)
        except Exception as error:  # noqa: BLE001 - hearing must outlive a defect
            _log.exception("bug: hearing failed; it begins anew")
            self._trouble(f"internal error: {error!r}", available=False)
        return self._hearing

    def _hear(self) -> None:
        """Hear the device until ``stop``. Raises AudioError where it ends before."""
        opened = in_time(self._open, self._patience.open_s)
        self._opened = opened
        self._feed.begin(rate_hz=opened.format.rate_hz, name=str(opened.device))
        try:
            self._pump(opened)
        finally:
            in_time(opened.stream.close, self._patience.close_s)
            self._feed.end()

    def _open(self) -> OpenedDevice:
        """Open the device among those that are there now: PortAudio looks at initialisation only.

        In a helper thread.
        """
        system = self._load()
        if self._initialised:
            _reinitialise(system)
        self._initialised = True
        return open_device(system, self._config, self._clock.monotonic)

    def _pump(self, opened: OpenedDevice) -> None:
        """Pass on audio until ``stop``. Raises AudioError where the stream ends before."""
        while not self._stopping.is_set():
            captured = opened.capture.next(self._patience.poll_s)
            if captured is not None:
                self._take(captured, opened)
            elif not opened.active:
                raise AudioError(_ended(opened, "the sound system ended the stream"))
            elif self._clock.monotonic() - opened.capture.last_s >= self._patience.stall_s:
                raise _StalledError(_ended(opened, f"no audio for {self._patience.stall_s:g} s"))

    def _take(self, captured: Captured, opened: OpenedDevice) -> None:
        self._feed.take(captured)
        if not self._hearing:
            self._hearing = True
            _log.info("listening to %s", opened)
            self._set_status(available=True, description=str(opened))

    def _trouble(self, reason: str, *, available: bool) -> None:
        if self._told != (available, reason):
            _log.warning("no microphone: %s", reason)
        self._set_status(available=available, description=reason)

    def _set_status(self, *, available: bool, description: str) -> None:
        self._told = (available, description)


class _StalledError(AudioError):
    """The device is there and open, but delivers nothing."""


def _ended(opened: OpenedDevice, why: str) -> str:
    error = opened.capture.error
    return f"{opened.device}: {why}" + (f"; a callback failed, a bug: {error}" if error else "")


def _reinitialise(system: SoundSystem) -> None:
    # sounddevice offers no public way to look for devices anew; its authors recommend this one.
    try:
        system._terminate()  # noqa: SLF001 - see above
    except system.PortAudioError:
        _log.debug("PortAudio was not initialised", exc_info=True)
    try:
        system._initialize()  # noqa: SLF001 - see above
    except system.PortAudioError as error:
        raise AudioError(f"the sound system fails: {one_line(error)}") from error
