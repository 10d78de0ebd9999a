"""From a message on a command topic to a command, or a reason why not."""

import re
from collections.abc import Mapping

from detector.alerts.messages import OFF, ON, threshold_bounds
from detector.alerts.topics import Topics
from detector.config.schema import SoundConfig
from detector.config.setting import NAME_PATTERN
from detector.core.errors import DetectorError
from detector.core.events import (
    Command,
    Feedback,
    Judgement,
    SelfTest,
    SetArmed,
    SetThreshold,
    TakeBack,
    TestAlert,
)

PING = "ping"
"""What `detector doctor` sends to see whether it comes back; a daemon passes over it."""
MAX_BYTES = 256
"""No command is longer; whatever is, is a mistake or mischief."""


class CommandRefusedError(DetectorError):
    """A command that is not obeyed, and why."""


def parse_command(
    topic: str, payload: bytes, *, retained: bool, topics: Topics, sounds: Mapping[str, SoundConfig]
) -> Command | None:
    """The command in a message; None where there is none.

    That is so on topics that are no command topics, for a ping, and for the empty message that
    clears a retained switch.

    Raises CommandRefusedError for one that is retained (it would be obeyed anew at every
    connection), too long, malformed, or about a sound that is not listened for.
    """
    sound = _threshold_of(topic, topics)
    if sound is None and topic not in (topics.armed_set, topics.command):
        return None
    text = _text(topic, payload, retained=retained)
    if sound is not None:
        return SetThreshold(sound, _threshold(topic, text, _known(topic, sound, sounds)))
    if topic == topics.armed_set:
        # Empty is what clears a topic that somebody retained: no command.
        return SetArmed(_switch(topic, text)) if text else None
    return None if text.startswith(PING) else _ordered(topic, text, sounds)


def _threshold_of(topic: str, topics: Topics) -> str | None:
    before, after = topics.threshold_set("\0").split("\0")
    if not (topic.startswith(before) and topic.endswith(after)):
        return None
    return topic[len(before) : -len(after)]


def _text(topic: str, payload: bytes, *, retained: bool) -> str:
    if retained:
        raise CommandRefusedError(
            f"{topic}: a retained command is not obeyed; publish it unretained"
        )
    if len(payload) > MAX_BYTES:
        raise CommandRefusedError(
            f"{topic}: {len(payload)} bytes; a command has at most {MAX_BYTES}"
        )
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise CommandRefusedError(f"{topic}: {payload[:40]!r} is not UTF-8 text") from None


def _known(topic: str, sound: str, sounds: Mapping[str, SoundConfig]) -> SoundConfig:
    if sound not in sounds:
        names = ", ".join(sounds)
        raise CommandRefusedError(
            f"{topic}: {sound[:40]!r} is not listened for; sounds are {names}"
        )
    return sounds[sound]


def _threshold(topic: str, text: str, sound: SoundConfig) -> float | None:
    if not text:
        return None
    low, high = threshold_bounds(sound)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise CommandRefusedError(f"{topic}: {text[:40]!r} is not a number from {low} to {high}")
    return value


def _switch(topic: str, text: str) -> bool:
    if text not in (ON, OFF):
        raise CommandRefusedError(f"{topic}: {text[:40]!r} is neither ON nor OFF")
    return text == ON


def _ordered(topic: str, text: str, sounds: Mapping[str, SoundConfig]) -> Command:
    match text.split():
        case ["selftest"]:
            return SelfTest()
        case ["test_alert"]:
            return TestAlert()
        case ["test_alert", sound]:
            _known(topic, sound, sounds)
            return TestAlert(sound)
        case ["feedback", "undo", sound]:
            _known(topic, sound, sounds)
            return TakeBack(sound)
        case ["feedback", ("right" | "wrong") as said]:
            return Feedback(Judgement(said))
        case ["feedback", ("right" | "wrong" | "missed") as said, of]:
            return _judged(topic, Judgement(said), of, sounds)
        case _:
            right = "test_alert, test_alert <sound>, selftest or feedback …"
            raise CommandRefusedError(f"{topic}: {text[:40]!r} is no command; known is {right}")


def _judged(
    topic: str, judgement: Judgement, of: str, sounds: Mapping[str, SoundConfig]
) -> Feedback:
    """Of a sound, or of an event by its id, which no sound's name can be."""
    if judgement is not Judgement.MISSED and not re.fullmatch(NAME_PATTERN, of):
        return Feedback(judgement, event=of)
    _known(topic, of, sounds)
    return Feedback(judgement, of)
