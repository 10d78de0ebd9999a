"""What the capture process tells, as bytes on a pipe.

Each message is a letter for its kind, the length of what follows as 4 bytes, and that: the audio
as it came, with its time and losses before it; everything else as JSON.
"""

import json
import os
import struct
from dataclasses import asdict, dataclass

from detector.audio.capture import Captured
from detector.audio.format import Format
from detector.core.errors import AudioError

_HEADER = struct.Struct("<cI")
_CAPTURED = struct.Struct("<d?I")
_LONGEST_BYTES = 2**27
"""More than a block of 1 s at 384 kHz and 64 channels."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The device is open."""

    name: str
    number: int
    """PortAudio's index."""
    rate_hz: int
    channels: int
    opened_s: float
    """Monotonic time."""

    @property
    def device(self) -> str:
        """For a person: the name and PortAudio's index."""
        return f"{self.name} [{self.number}]"

    @property
    def format(self) -> Format:
        """As what it was opened."""
        return Format(self.rate_hz, self.channels)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something is amiss, but it goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """It cannot be heard; the last message."""

    text: str
    """One line for a person."""
    traceback: str = ""
    """Given for a defect of ours."""


Message = Opened | Captured | Trouble | Failure

_KINDS: dict[bytes, type[Opened | Trouble | Failure]] = {b"O": Opened, b"T": Trouble, b"F": Failure}
_AUDIO = b"A"
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    """A message as bytes."""
    if isinstance(message, Captured):
        told = _CAPTURED.pack(message.arrived_s, message.overflowed, message.dropped)
        return _HEADER.pack(_AUDIO, len(told) + len(message.data)) + told + message.data
    text = json.dumps(asdict(message)).encode()
    return _HEADER.pack(_LETTERS[type(message)], len(text)) + text


def send(descriptor: int, message: Message) -> None:
    """Write a message, waiting for room. Raises BrokenPipeError where nobody reads any more."""
    rest = memoryview(encode(message))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class Decoder:
    """Bytes in, however they are cut; messages out. Owned by one thread."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._pending += data

    def next(self) -> Message | None:
        """The next whole message, if there is one. Raises AudioError for what is none."""
        if len(self._pending) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(self._pending)
        if length > _LONGEST_BYTES:
            raise AudioError(f"the capture process tells nonsense: a message of {length} bytes")
        end = _HEADER.size + length
        if len(self._pending) < end:
            return None
        body = bytes(memoryview(self._pending)[_HEADER.size : end])
        del self._pending[:end]
        return _decoded(kind, body)


def _decoded(kind: bytes, body: bytes) -> Message:
    try:
        if kind == _AUDIO:
            return Captured(body[_CAPTURED.size :], *_CAPTURED.unpack_from(body))
        return _KINDS[kind](**json.loads(body))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise AudioError(f"the capture process tells nonsense: {error!r}") from error
