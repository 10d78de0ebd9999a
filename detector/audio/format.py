"""What a sound card delivers, in words; light, for the capture process imports it.

*Frames* is PortAudio's word, used in this room alone: one frame is the samples of all channels at
one instant, so that interleaved audio has shape (frames, channels).  (The STFT's frames are
another thing.)
"""

from dataclasses import dataclass
from typing import Literal

from detector.core.errors import AudioError

Channel = Literal["mix"] | int
"""``mix`` averages all channels; a number takes that one, the first being 1."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a source delivers; as a string, for a person."""

    rate_hz: int
    channels: int

    def __str__(self) -> str:
        plural = "" if self.channels == 1 else "s"
        return f"{self.rate_hz} Hz, {self.channels} channel{plural}"


def check_channel(channel: Channel, channels: int, name: str) -> None:
    """Raise AudioError where ``name`` has no such channel."""
    if channel != "mix" and not 1 <= channel <= channels:
        raise AudioError(
            f"{name} has no channel {channel}: audio.channel can be 1 to {channels}, or mix"
        )
