"""The board of latest values."""

import json
from datetime import UTC, datetime
from typing import Any

from detector.alerts.board import StateBoard
from detector.alerts.messages import Health, SelfTestReport, SelfTestStep
from detector.alerts.topics import Message, Topics
from detector.core.audio import MicState
from detector.core.events import EventKind, LabelProbability, Phase, SecondStage
from tests.alerts.tools import SOUNDS, offset, onset

TOPICS = Topics("detector", "nursery")
ALERT: dict[str, Any] = {"kind": EventKind.TEST_ALERT, "test": True, "detection": None}


def states(board: StateBoard) -> dict[str, str]:
    """What the board would tell, by topic below the node."""
    return {
        message.topic.removeprefix("detector/nursery/"): message.payload
        for message in board.all_messages()
    }


def test_it_begins_quiet_armed_and_without_a_microphone() -> None:
    """What is not known yet is not claimed."""
    assert states(StateBoard(TOPICS, SOUNDS)) == {
        "mic/status": "offline",
        "armed/state": "ON",
        "sound/baby_cry/state": "OFF",
        "sound/baby_cry/threshold/state": "0.4",
        "sound/smoke_alarm/state": "OFF",
        "sound/smoke_alarm/threshold/state": "0.5",
    }


def test_the_latest_value_of_each_topic_counts() -> None:
    """Not their history."""
    board = StateBoard(TOPICS, SOUNDS)
    board.set_threshold("baby_cry", 0.123456)
    board.set_armed(armed=False)
    board.set_armed(armed=True)
    board.set_microphone(available=True)
    board.note(onset())
    board.note(offset())
    board.note(onset("smoke_alarm"))
    told = states(board)
    assert told["sound/baby_cry/threshold/state"] == "0.1235"
    assert (told["armed/state"], told["mic/status"]) == ("ON", "online")
    assert (told["sound/baby_cry/state"], told["sound/smoke_alarm/state"]) == ("OFF", "ON")


def test_everything_on_it_is_retained() -> None:
    """That is what it is for."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset())
    health = board.set_health(Health(mic_state=MicState.OK))
    assert (health.qos, health.retain) == (0, True)
    assert all(message.retain for message in board.all_messages())


def test_what_is_set_is_also_handed_over() -> None:
    """To be published now."""
    board = StateBoard(TOPICS, SOUNDS)
    assert board.set_armed(armed=False) == Message(
        "detector/nursery/armed/state", "OFF", retain=True
    )


def test_the_last_self_test_is_kept_and_told_anew() -> None:
    """A Home Assistant that starts later learns of it too; before the first there is none."""
    board = StateBoard(TOPICS, SOUNDS)
    assert "selftest" not in states(board)
    step = SelfTestStep(passed=True, detail="ok")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    report = SelfTestReport(at=at, trigger="button", steps={"a": step})
    message = board.set_self_test(report)
    assert (message.topic, message.retain) == ("detector/nursery/selftest", True)
    assert json.loads(states(board)["selftest"])["passed"] is True


def test_new_sounds_replace_old_ones_and_keep_common_ones() -> None:
    """What went is gone from the board."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset())
    board.note(onset("smoke_alarm"))
    board.update_sounds({"baby_cry": SOUNDS["baby_cry"], "dog_bark": SOUNDS["baby_cry"]})
    told = states(board)
    assert told["sound/baby_cry/state"] == "ON"
    assert told["sound/dog_bark/state"] == "OFF"
    assert not [topic for topic in told if "smoke_alarm" in topic]


def test_an_event_of_another_sound_leaves_no_trace() -> None:
    """It may have been removed meanwhile."""
    board = StateBoard(TOPICS, SOUNDS)
    before = board.all_messages()
    board.note(onset("dog_bark"))
    assert board.all_messages() == before
    assert board.messages_for(onset("dog_bark")) == ()


def test_a_possible_alarm_is_no_state() -> None:
    """It is noted without harm, and leaves none."""
    board = StateBoard(TOPICS, SOUNDS)
    before = board.all_messages()
    board.note(onset("smoke_alarm", phase=Phase.POSSIBLE))
    assert board.all_messages() == before


def test_a_test_alert_is_on_and_off_where_all_is_quiet() -> None:
    """The usual case."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset(**ALERT))
    assert states(board)["sound/baby_cry/state"] == "ON"
    board.note(offset(**ALERT))
    assert states(board)["sound/baby_cry/state"] == "OFF"


def test_a_test_alert_within_a_real_sound_changes_nothing_of_it() -> None:
    """Else the end of the test would hide that the alarm goes on."""
    board = StateBoard(TOPICS, SOUNDS)
    real = onset(number=1)
    board.note(real)
    before = board.all_messages()
    for alert in (onset(number=2, **ALERT), offset(number=2, **ALERT)):
        board.note(alert)
        assert board.all_messages() == before
        assert board.messages_for(alert) == board.messages_for(real)
    board.note(offset(number=1))
    assert states(board)["sound/baby_cry/state"] == "OFF"


def test_a_real_sound_that_begins_within_a_test_alert_outlives_it() -> None:
    """The state and what it rests on are the real one's."""
    board = StateBoard(TOPICS, SOUNDS)
    real = onset(number=2)
    board.note(onset(number=1, **ALERT))
    board.note(real)
    board.note(offset(number=1, **ALERT))
    assert board.messages_for(offset(number=1, **ALERT)) == board.messages_for(real)
    assert board.messages_of("baby_cry") == board.messages_for(real)


def test_the_end_of_an_earlier_event_leaves_a_sound_that_is_on() -> None:
    """What an earlier run left may be found long after the start, when the sound is on again."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset(number=2))
    left = offset(number=1, reason="interrupted")
    board.note(left)
    assert states(board)["sound/baby_cry/state"] == "ON"
    assert board.messages_for(left) == board.messages_for(onset(number=2))
    board.note(offset(number=2))
    assert states(board)["sound/baby_cry/state"] == "OFF"
    assert [one.payload for one in board.messages_for(left)][1:] == ["OFF"]


def test_a_sound_that_was_on_when_it_went_is_quiet_when_it_comes_back() -> None:
    """And a test alert of it has its beginning and its end."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset())
    board.update_sounds({})
    assert board.messages_of("baby_cry") == ()
    board.update_sounds(SOUNDS)
    told = [states(board)["sound/baby_cry/state"]]
    for alert in (onset(**ALERT), offset(**ALERT)):
        board.note(alert)
        told.append(states(board)["sound/baby_cry/state"])
    assert told == ["OFF", "ON", "OFF"]


def test_an_update_of_an_earlier_event_leaves_a_sound_that_is_on() -> None:
    """What its second stage said comes too late; one of the event that is on counts."""
    board = StateBoard(TOPICS, SOUNDS)
    board.note(onset(number=2))
    board.note(onset(number=1, phase=Phase.UPDATE))
    assert json.loads(states(board)["sound/baby_cry/attributes"])["event_id"] == "nursery-2"
    stage = SecondStage("reasons", (LabelProbability("hungry", 0.75),), 6.0)
    board.note(onset(number=2, phase=Phase.UPDATE, second_stage=stage))
    told = json.loads(states(board)["sound/baby_cry/attributes"])
    assert (told["event_id"], told["second_stage"]["label"]) == ("nursery-2", "hungry")
    assert states(board)["sound/baby_cry/state"] == "ON"
