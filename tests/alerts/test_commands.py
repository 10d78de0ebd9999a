"""From text on a topic to a command."""

import pytest

from detector.alerts.commands import CommandRefusedError, parse_command
from detector.alerts.topics import Topics
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
from tests.alerts.tools import SOUNDS

TOPICS = Topics("detector", "nursery")
THRESHOLD = TOPICS.threshold_set("baby_cry")


def parse(topic: str, payload: bytes, *, retained: bool = False) -> Command | None:
    """A command for the nursery."""
    return parse_command(topic, payload, retained=retained, topics=TOPICS, sounds=SOUNDS)


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        (THRESHOLD, b"0.5", SetThreshold("baby_cry", 0.5)),
        (THRESHOLD, b" 0.05\n", SetThreshold("baby_cry", 0.05)),
        (THRESHOLD, b"0.99", SetThreshold("baby_cry", 0.99)),
        (THRESHOLD, b"", SetThreshold("baby_cry", None)),
        (TOPICS.armed_set, b"ON", SetArmed(armed=True)),
        (TOPICS.armed_set, b"OFF", SetArmed(armed=False)),
        (TOPICS.command, b"test_alert", TestAlert()),
        (TOPICS.command, b"selftest", SelfTest()),
        (TOPICS.command, b"test_alert smoke_alarm", TestAlert("smoke_alarm")),
        (TOPICS.command, b"feedback wrong", Feedback(Judgement.WRONG)),
        (TOPICS.command, b"feedback right baby_cry", Feedback(Judgement.RIGHT, "baby_cry")),
        (TOPICS.command, b"feedback missed baby_cry", Feedback(Judgement.MISSED, "baby_cry")),
        (TOPICS.command, b"feedback wrong n-1-ab", Feedback(Judgement.WRONG, event="n-1-ab")),
        (TOPICS.command, b"feedback undo baby_cry", TakeBack("baby_cry")),
    ],
)
def test_a_command_is_understood(topic: str, payload: bytes, command: Command) -> None:
    """As Home Assistant or a person writes it."""
    assert parse(topic, payload) == command


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        (THRESHOLD, b"0.049", "not a number from 0.05 to 0.99"),
        (THRESHOLD, b"1", "not a number from 0.05 to 0.99"),
        (THRESHOLD, b"nan", "not a number"),
        (THRESHOLD, b"inf", "not a number"),
        (THRESHOLD, b"-inf", "not a number"),
        (THRESHOLD, b"half", "'half' is not a number"),
        (THRESHOLD, b"0,5", "not a number"),
        (TOPICS.threshold_set("dog_bark"), b"0.5", "'dog_bark' is not listened for; sounds are"),
        (TOPICS.threshold_set("a/b"), b"0.5", "not listened for"),
        (TOPICS.armed_set, b"on", "'on' is neither ON nor OFF"),
        (TOPICS.command, b"", "no command"),
        (TOPICS.command, b"PRESS", "'PRESS' is no command; known is test_alert"),
        (TOPICS.command, b"test_alert baby_cry now", "no command"),
        (TOPICS.command, b"selftest now", "no command"),
        (TOPICS.command, b"feedback", "selftest or feedback"),
        (TOPICS.command, b"feedback missed", "no command"),
        (TOPICS.command, b"feedback undo", "no command"),
        (TOPICS.command, b"feedback wrong dog_bark", "'dog_bark' is not listened for"),
        (TOPICS.command, b"feedback missed n-1-ab", "'n-1-ab' is not listened for"),
        (TOPICS.command, b"feedback undo dog_bark", "'dog_bark' is not listened for"),
        (TOPICS.command, b"SELFTEST", "known is test_alert, test_alert <sound>, selftest"),
        (TOPICS.command, b"test_alert dog_bark", "'dog_bark' is not listened for"),
        (TOPICS.command, b"\xff", "not UTF-8"),
        (TOPICS.command, b"x" * 257, "257 bytes; a command has at most 256"),
    ],
)
def test_a_bad_command_is_refused_with_one_line(topic: str, payload: bytes, why: str) -> None:
    """Naming the topic, and what would be right."""
    with pytest.raises(CommandRefusedError) as refused:
        parse(topic, payload)
    assert str(refused.value).startswith(f"{topic}: ")
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("topic", [THRESHOLD, TOPICS.armed_set, TOPICS.command])
def test_a_retained_command_is_refused_whatever_it_says(topic: str) -> None:
    """It would be obeyed anew at every connection."""
    with pytest.raises(CommandRefusedError, match="retained"):
        parse(topic, b"0.5", retained=True)


def test_a_command_of_exactly_the_limit_is_read() -> None:
    """256 bytes are allowed, 257 are not."""
    assert parse(THRESHOLD, b"0.5".ljust(256)) == SetThreshold("baby_cry", 0.5)


@pytest.mark.parametrize("topic", ["homeassistant/status", TOPICS.event, "detector/other/cmd"])
def test_other_topics_hold_no_commands(topic: str) -> None:
    """None, not an error."""
    assert parse(topic, b"x" * 1000) is None


def test_what_clears_a_retained_switch_is_no_command() -> None:
    """Whoever retained OFF by mistake must be able to take it away again."""
    assert parse(TOPICS.armed_set, b"") is None
