"""The process that plays the self-test's tone: ``python -m detector.audio.speaker_child OUTPUT S``.

It ends when it has played, with its parent (its standard input closes, and the kernel sees to it),
and after S seconds whatever it hangs in.  It tells what it does on standard output: ``playing``,
then ``done``, or ``error`` and why.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import numpy as np

from detector.audio.childhood import await_the_end, begin
from detector.audio.devices import one_line
from detector.audio.portaudio import load_sound_system
from detector.audio.tone import LEAD_SECONDS, tone_samples
from detector.core.audio import Samples
from detector.core.errors import AudioError

TAIL_SECONDS = 0.3


class SoundOutput(Protocol):
    """What we use of the module ``sounddevice`` to play; a fake may stand in."""

    @property
    def PortAudioError(self) -> type[Exception]:  # noqa: N802 - sounddevice's name
        """What it raises."""

    def query_devices(self) -> Sequence[Mapping[str, Any]]:
        """All devices."""

    def query_hostapis(self) -> Sequence[Mapping[str, Any]]:
        """ALSA and the like."""

    def check_output_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        """Raise PortAudioError where the device cannot be opened so."""

    def OutputStream(self, **settings: Any) -> Any:  # noqa: N802 - sounddevice's name
        """Open a device."""


def play(system: SoundOutput, output: str, *, playing: Callable[[], None]) -> None:
    """Play the tone in this process. Raises AudioError in one line."""
    try:
        number, device = _find(system, output)
        rate_hz = round(device["default_samplerate"])
        channels = _channels(system, number, rate_hz, int(device["max_output_channels"]))
        samples = _framed(tone_samples(rate_hz), rate_hz)
        stream = system.OutputStream(
            device=number, samplerate=rate_hz, channels=channels, dtype="float32"
        )
        with stream:
            playing()
            stream.write(np.repeat(samples[:, np.newaxis], channels, axis=1))
    except (system.PortAudioError, ValueError) as error:
        raise AudioError(f"selftest.output {output} fails: {one_line(error)}") from error


def _framed(tone: Samples, rate_hz: int) -> Samples:
    lead, tail = (
        np.zeros(round(seconds * rate_hz), np.float32) for seconds in (LEAD_SECONDS, TAIL_SECONDS)
    )
    return np.concatenate([lead, tone, tail])


def _find(system: SoundOutput, wanted: str) -> tuple[int, Mapping[str, Any]]:
    """The output that ``selftest.output`` means, as ``audio.device`` means an input."""
    outputs = {
        number: device
        for number, device in enumerate(system.query_devices())
        if device["max_output_channels"] > 0
    }
    found = _matching(system, outputs, wanted.strip())
    if len(found) == 1:
        return found[0], outputs[found[0]]
    names = {number: str(device["name"]) for number, device in outputs.items()}
    listed = "; ".join(f"{names[n]} [{n}]" for n in found or names) or "none"
    verb = "fits several outputs:" if found else "is not there; there is"
    raise AudioError(f"selftest.output {wanted} {verb} {listed}")


def _matching(
    system: SoundOutput, outputs: Mapping[int, Mapping[str, Any]], wanted: str
) -> list[int]:
    if wanted == "default":
        chosen = {int(api["default_output_device"]) for api in system.query_hostapis()}
        return [number for number in outputs if number in chosen][:1]
    if wanted.isdecimal():
        return [number for number in outputs if number == int(wanted)]
    part = wanted.lower()
    named = {number: str(device["name"]).lower() for number, device in outputs.items()}
    # hw:1,1 is part of hw:1,10 as well: an id must be the whole of what stands in brackets.
    exact = [number for number, name in named.items() if part == name or f"({part})" in name]
    return exact or [number for number, name in named.items() if part in name]


def _channels(system: SoundOutput, number: int, rate_hz: int, most: int) -> int:
    """Two where it can be, for a loudspeaker at either side; else what it insists on."""
    for channels in dict.fromkeys((min(2, most), 1, most)):
        try:
            system.check_output_settings(
                device=number, channels=channels, dtype="float32", samplerate=rate_hz
            )
        except (system.PortAudioError, ValueError):
            continue
        return channels
    return min(2, most)  # opening it will tell why not


def main(arguments: list[str]) -> None:
    """Play through the output that is the first argument; the second is the limit in seconds."""
    output, limit_s = arguments[0], float(arguments[1])
    out = begin()
    signal.setitimer(signal.ITIMER_REAL, limit_s)  # its default action ends us, hung or not
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        system = cast(SoundOutput, load_sound_system())
        play(system, output, playing=lambda: _say(out, "playing"))
    except AudioError as error:
        _say(out, f"error {error}")
    else:
        _say(out, "done")
    os._exit(0)  # without PortAudio's own farewell, which may hang


def _say(out: int, text: str) -> None:
    with suppress(BrokenPipeError):
        os.write(out, " ".join(text.split()).encode(errors="backslashreplace") + b"\n")


def _end_with_parent() -> None:
    await_the_end()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
