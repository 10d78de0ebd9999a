"""A device that is open and calls back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.audio.capture import Capture, Now
from detector.audio.devices import (
    InputDevice,
    SoundStream,
    SoundSystem,
    choose_format,
    find_device,
    one_line,
)
from detector.audio.format import Channel, Format
from detector.core.errors import AudioError

if TYPE_CHECKING:
    from detector.config.schema import AudioConfig

_SLOT_SECONDS = 4.0
"""Audio that waits for our thread before any is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of an AudioConfig concerns a device: its own module is too much for the child."""

    device: str
    channel: Channel
    block_seconds: float
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class OpenedDevice:
    """A device that is open; whoever opened it closes its stream."""

    device: InputDevice
    format: Format
    capture: Capture
    stream: SoundStream
    system: SoundSystem

    @property
    def active(self) -> bool:
        """Whether it is still being listened to. Raises AudioError where PortAudio fails."""
        try:
            return self.stream.active
        except self.system.PortAudioError as error:
            raise AudioError(f"{self.device} fails: {one_line(error)}") from error

    def __str__(self) -> str:
        return f"{self.device} at {self.format}"


def open_device(system: SoundSystem, config: "AudioConfig | Wanted", now: Now) -> OpenedDevice:
    """Find, open and start the configured device. Raises AudioError in one line."""
    try:
        device = find_device(system, config.device)
        form = choose_format(system, device, config.channel)
        block_frames = round(config.block_seconds * form.rate_hz)
        capture = Capture(
            slots=max(4, round(_SLOT_SECONDS / config.block_seconds)),
            block_frames=block_frames,
            channels=form.channels,
            now=now,
        )
        stream = system.RawInputStream(
            device=device.id,
            samplerate=form.rate_hz,
            channels=form.channels,
            dtype="float32",
            blocksize=block_frames,
            latency=config.latency_seconds,
            callback=capture,
        )
        _start(system, stream)
    except system.PortAudioError as error:
        raise AudioError(f"audio.device {config.device} fails: {one_line(error)}") from error
    return OpenedDevice(device, form, capture, stream, system)


def _start(system: SoundSystem, stream: SoundStream) -> None:
    try:
        stream.start()
    except system.PortAudioError:
        stream.close()
        raise
