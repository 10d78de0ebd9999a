"""What the capture process tells: bytes there and back, however a pipe cuts them."""

import json
import os
import struct
import threading

import pytest

from detector.audio.capture import Captured
from detector.audio.inbox import Inbox
from detector.audio.wire import Decoder, Failure, Message, Opened, Trouble, encode, send
from detector.core.errors import AudioError

MESSAGES: list[Message] = [
    Opened("USB Audio: ß (hw:1,0)", 3, 48_000, 2, 100.25),
    Captured(bytes(range(256)) * 50, 100.5, overflowed=False, dropped=0),
    Captured(b"", 1e6, overflowed=True, dropped=2**32 - 1),
    Trouble("a callback failed"),
    Failure("it is over", "Traceback …"),
]


@pytest.mark.parametrize("piece", [1, 7, 4096, 10**6])
def test_messages_come_out_as_they_went_in(piece: int) -> None:
    """All kinds, in order, each as soon as its last byte is there."""
    told = b"".join(encode(message) for message in MESSAGES)
    decoder = Decoder()
    heard: list[Message] = []
    for start in range(0, len(told), piece):
        decoder.feed(told[start : start + piece])
        while (message := decoder.next()) is not None:
            heard.append(message)
    assert heard == MESSAGES
    assert decoder.next() is None


@pytest.mark.parametrize(
    "told",
    [
        struct.pack("<cI", b"X", 2) + b"{}",
        struct.pack("<cI", b"F", 3) + b"[1]",
        struct.pack("<cI", b"F", 2) + b"{}",
        struct.pack("<cI", b"T", 4) + b"\xff\xff\xff\xff",
        struct.pack("<cI", b"A", 3) + b"abc",
        struct.pack("<cI", b"A", 2**32 - 1),
    ],
)
def test_nonsense_is_refused_and_not_waited_for(told: bytes) -> None:
    """Something else on the pipe must not be taken for audio, nor fill the memory."""
    decoder = Decoder()
    decoder.feed(told)
    with pytest.raises(AudioError, match="tells nonsense"):
        decoder.next()


def test_a_message_longer_than_the_pipe_waits_for_its_reader() -> None:
    """A pipe holds 64 kB; a block may be longer."""
    reading, writing = os.pipe()
    message = Captured(os.urandom(300_000), 1.0, overflowed=False, dropped=0)
    writer = threading.Thread(target=send, args=(writing, message))
    writer.start()
    inbox = Inbox(reading)
    heard = None
    while heard is None:
        heard = inbox.next(10.0)
    writer.join(10)
    assert heard == message
    os.close(writing)
    with pytest.raises(EOFError):
        inbox.next(10.0)
    os.close(reading)


def test_nothing_is_waited_for_longer_than_was_asked() -> None:
    """The other end may hang in the middle of a message."""
    reading, writing = os.pipe()
    inbox = Inbox(reading)
    assert inbox.next(0) is None
    os.write(writing, encode(Trouble("half"))[:7])
    assert inbox.next(10.0) is None
    assert inbox.next(0) is None
    os.close(reading)
    os.close(writing)


def test_standard_error_is_drained_and_its_end_is_kept() -> None:
    """However much ALSA says there: a full pipe would block the process."""
    reading, writing = os.pipe()
    errors, saying = os.pipe()
    inbox = Inbox(reading, errors)

    def chatter() -> None:
        with os.fdopen(saying, "w") as stream:
            stream.writelines(f"ALSA lib: line {number}\n" for number in range(20_000))
        send(writing, Trouble("done"))

    talker = threading.Thread(target=chatter)
    talker.start()
    heard = None
    while heard is None:
        heard = inbox.next(10.0)
    assert heard == Trouble("done")
    said = inbox.last_words()
    assert said.endswith("ALSA lib: line 19999")
    assert len(said) <= 4096
    assert inbox.last_words() == said
    talker.join(10)
    for descriptor in (reading, writing, errors):
        os.close(descriptor)


def test_what_json_can_tell_is_what_a_message_holds() -> None:
    """The text is readable, so that a person can follow it in a trace."""
    told = encode(Failure("no microphone is connected"))
    assert json.loads(told[5:]) == {"text": "no microphone is connected", "traceback": ""}
