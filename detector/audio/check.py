"""Looking at microphones once, for commands that end soon: here PortAudio runs in this process."""

from dataclasses import dataclass, replace

import numpy as np

from detector.audio.capture import Captured
from detector.audio.devices import (
    InputDevice,
    SoundSystem,
    input_devices,
    one_line,
    supported_rates,
)
from detector.audio.intime import in_time
from detector.audio.mixing import sanitise, to_mono
from detector.audio.opened import OpenedDevice, open_device
from detector.audio.portaudio import Load, load_sound_system
from detector.config.schema import AudioConfig
from detector.core.clock import Clock
from detector.core.errors import AudioError
from detector.core.level import rms_dbfs

_CHECK_SECONDS = 1.0
"""How long ``open_check`` listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a look may take: PortAudio may hang in any of its calls."""

    list_s: float = 60.0
    """To try all rates of all devices takes a while."""
    open_s: float = 20.0
    mute_s: float = 5.0
    """Some plugins call in bursts of seconds."""
    close_s: float = 3.0


LIMITS = Limits()


def list_devices(load: Load = load_sound_system, *, limits: Limits = LIMITS) -> list[InputDevice]:
    """All input devices and the rates they accept now.

    Raises AudioError where PortAudio is missing, fails or hangs.
    """
    return in_time(lambda: _all_devices(load()), limits.list_s)


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
    limits: Limits = LIMITS,
) -> Checked:
    """Open the configured microphone for a second; what it is and how loud.

    Raises AudioError where it is not there, cannot be opened, hangs, or delivers nothing.
    """
    opened = in_time(lambda: open_device(load(), config, clock.monotonic), limits.open_s)
    try:
        heard = b"".join(captured.data for captured in _listened(opened, limits.mute_s))
    finally:
        in_time(opened.stream.close, limits.close_s)
    frames = np.frombuffer(heard, np.float32).reshape(-1, opened.format.channels)
    mono = to_mono(sanitise(frames).samples, config.channel)
    return Checked(str(opened), rms_dbfs(mono))


def _listened(opened: OpenedDevice, mute_s: float) -> list[Captured]:
    wanted = round(_CHECK_SECONDS * opened.format.rate_hz) * opened.format.channels * 4
    heard: list[Captured] = []
    while sum(len(captured.data) for captured in heard) < wanted:
        captured = opened.capture.next(mute_s)
        if captured is None:
            raise AudioError(f"{opened} was opened, but delivers no audio")
        heard.append(captured)
    return heard
