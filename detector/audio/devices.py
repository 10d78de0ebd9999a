"""Which devices there are, which one is meant, and how it can be opened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from detector.audio.format import Channel, Format, check_channel
from detector.core.errors import AudioError

PREFERRED_RATES_HZ = (16_000, 48_000, 32_000, 44_100)
"""Ours (a test holds it: its constant would bring numpy into the capture process), then those that
resample well, then the one that every sound card has."""
_MOST_MIXED_CHANNELS = 8
"""More input channels than a microphone has: a plugin that would take any number."""


class SoundStream(Protocol):
    """What we use of an input stream of sounddevice."""

    @property
    def active(self) -> bool:
        """Whether the callback is still being called."""

    def start(self) -> None:
        """Begin to call back."""

    def close(self) -> None:
        """Release the device."""


class SoundSystem(Protocol):
    """What we use of the module ``sounddevice``; a fake may stand in."""

    @property
    def PortAudioError(self) -> type[Exception]:  # noqa: N802 - sounddevice's name
        """What it raises."""

    def query_devices(self) -> Sequence[Mapping[str, Any]]:
        """All devices."""

    def query_hostapis(self) -> Sequence[Mapping[str, Any]]:
        """ALSA and the like."""

    def check_input_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        """Raise PortAudioError where the device cannot be opened so."""

    def RawInputStream(self, **settings: Any) -> SoundStream:  # noqa: N802 - sounddevice's name
        """Open a device; its callback gets a buffer of bytes, so that numpy is not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDevice:
    """An input device."""

    id: int
    """PortAudio's index; not stable across reboots."""
    name: str
    host_api: str
    channels: int
    """The most input channels that it can be opened with."""
    default_rate_hz: int
    rates_hz: tuple[int, ...] = ()
    """Which of 16, 32, 44.1 and 48 kHz it can be opened at now; empty where nobody asked, or it
    is in use."""

    def __str__(self) -> str:
        return f"{self.name} [{self.id}]"

    def as_dict(self) -> dict[str, Any]:
        """For a JSON document."""
        return asdict(self)


def input_devices(system: SoundSystem) -> tuple[InputDevice, ...]:
    """All devices that have inputs, as PortAudio knew them when it was initialised."""
    host_apis = system.query_hostapis()
    return tuple(
        InputDevice(
            id=number,
            name=str(device["name"]),
            host_api=str(host_apis[device["hostapi"]]["name"]),
            channels=int(device["max_input_channels"]),
            default_rate_hz=round(device["default_samplerate"]),
        )
        for number, device in enumerate(system.query_devices())
        if device["max_input_channels"] > 0
    )


def find_device(system: SoundSystem, wanted: str) -> InputDevice:
    """The device that ``audio.device`` means. Raises AudioError where that is none, or several."""
    devices = input_devices(system)
    if not devices:
        raise AudioError(f"no microphone is connected; audio.device is {wanted}")
    found = _matching(system, devices, wanted.strip())
    if len(found) == 1:
        return found[0]
    if found:
        raise AudioError(f"audio.device {wanted} fits several devices: {_listed(found)}")
    raise AudioError(f"audio.device {wanted} is not there; there is {_listed(devices)}")


def supported_rates(system: SoundSystem, device: InputDevice) -> tuple[int, ...]:
    """Those of 16, 32, 44.1 and 48 kHz that it can be opened at, ascending."""
    return tuple(
        rate_hz
        for rate_hz in sorted(PREFERRED_RATES_HZ)
        if any(
            _refusal(system, device, Format(rate_hz, channels)) is None
            for channels in _channel_counts(device, "mix")
        )
    )


def choose_format(system: SoundSystem, device: InputDevice, channel: Channel) -> Format:
    """The first of our preferred formats that the device can. Raises AudioError if none."""
    check_channel(channel, device.channels, str(device))
    refusal = ""
    for rate_hz in dict.fromkeys((*PREFERRED_RATES_HZ, device.default_rate_hz)):
        for channels in _channel_counts(device, channel):
            wanted = Format(rate_hz, channels)
            reason = _refusal(system, device, wanted)
            if reason is None:
                return wanted
            refusal = refusal or reason
    raise AudioError(f"{device} cannot be opened; another program may be using it: {refusal}")


def one_line(error: Exception) -> str:
    """PortAudio's words without their line breaks."""
    return " ".join(str(error).split())


def _matching(
    system: SoundSystem, devices: Iterable[InputDevice], wanted: str
) -> tuple[InputDevice, ...]:
    if wanted == "default":
        chosen = {int(api["default_input_device"]) for api in system.query_hostapis()} - {-1}
        # PortAudio lists the host API it prefers first.
        return tuple(device for device in devices if device.id in chosen)[:1]
    if wanted.isdecimal():
        return tuple(device for device in devices if device.id == int(wanted))
    named = [(device, device.name.lower(), wanted.lower()) for device in devices]
    # hw:1,1 is part of hw:1,10 as well: an id must be the whole of what stands in brackets.
    exact = tuple(d for d, name, part in named if part == name or f"({part})" in name)
    return exact or tuple(d for d, name, part in named if part in name)


def _listed(devices: Sequence[InputDevice]) -> str:
    return "; ".join(f"{device} ({device.host_api})" for device in devices)


def _channel_counts(device: InputDevice, channel: Channel) -> tuple[int, ...]:
    """How many channels to try, best first: some cards insist on two, or on all they have."""
    most = device.channels
    if channel != "mix":
        counts = [channel, 2, most]
    elif most <= _MOST_MIXED_CHANNELS:
        counts = [most, 2, 1]
    else:
        # A plugin mixes down by itself, and would fill channels that are not there with silence.
        counts = [1, 2, most]
    least = 1 if channel == "mix" else channel
    return tuple(dict.fromkeys(count for count in counts if least <= count <= most))


def _refusal(system: SoundSystem, device: InputDevice, wanted: Format) -> str | None:
    try:
        system.check_input_settings(
            device=device.id,
            channels=wanted.channels,
            dtype="float32",
            samplerate=wanted.rate_hz,
        )
    except (system.PortAudioError, ValueError) as error:
        return one_line(error)
    return None
