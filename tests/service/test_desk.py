"""The desk: what people may ask of the running daemon."""

import json
from pathlib import Path

import pytest

from detector.core.errors import ControlError
from detector.core.events import (
    Command,
    EventKind,
    OffsetReason,
    Phase,
    SelfTest,
    SetArmed,
    SetThreshold,
    TestAlert,
    Urgency,
)
from detector.events.sounds import SoundReading
from detector.service.desk import SAVE_AGAIN_S
from tests.service.bench import PATIENCE_S, YAML, Bench, bark, configured
from tests.service.conftest import MakeBench
from tests.service.office import OpenDesk


class Office(OpenDesk):
    """Where all is asked at the desk itself."""

    def carry_out(self, command: Command, by: str = "MQTT") -> str:
        """Do it, on the worker's thread too."""
        done = self.desk.carry_out(command, by)
        self.desk.look()
        self.bench.serve()
        return done

    def wait(self, seconds: float) -> None:
        """Let time go by, and look."""
        self.bench.clock.now_s += seconds
        self.desk.look()

    def reading(self, sound: str) -> SoundReading:
        """What the sound looks like now."""
        return self.bench.ask(lambda pipeline: pipeline.detectors[sound].reading())


@pytest.fixture
def office(bench: Bench, tmp_path: Path) -> Office:
    """A desk with nothing overridden."""
    return Office(bench, tmp_path)


def test_at_first_the_configured_values_are_shown(office: Office) -> None:
    """And in force: armed, each sound at its threshold; nothing is told about that."""
    assert office.outputs.thresholds == {"dog_bark": 0.5, "baby_cry": 0.5}
    assert office.outputs.armed == [True]
    assert office.told == []


def test_a_threshold_is_put_into_force_shown_and_kept(office: Office) -> None:
    """All three at once."""
    done = office.carry_out(SetThreshold("dog_bark", 0.8))
    assert done == "threshold of dog_bark is now 0.8"
    assert office.outputs.thresholds["dog_bark"] == 0.8
    office.bench.hear(bark(0, 0.7))
    assert office.bench.told == []
    office.bench.hear(bark(1, 0.81))
    assert [event.phase for event in office.bench.told] == [Phase.ONSET]
    assert "release 0.30" in office.reading("dog_bark").why


def test_a_threshold_outlives_a_restart(office: Office, tmp_path: Path) -> None:
    """For that sound alone."""
    office.carry_out(SetThreshold("dog_bark", 0.8))
    again = Office(office.bench, tmp_path)
    assert again.outputs.thresholds == {"dog_bark": 0.8, "baby_cry": 0.5}
    assert again.reading("dog_bark").threshold == 0.8


def test_a_lowered_threshold_takes_the_release_along(office: Office) -> None:
    """Else the sound would begin below the score at which it ends, and flicker."""
    office.carry_out(SetThreshold("dog_bark", 0.25))
    office.bench.hear(bark(0, 0.26))
    assert office.reading("dog_bark").why == "on for 1.0 s; 0.26 ≥ release 0.15"


def test_an_override_is_dropped_when_the_configured_value_changes(
    make_bench: MakeBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever edits the file means it; it is said, and gone from the disk."""
    Office(make_bench(), tmp_path).carry_out(SetThreshold("dog_bark", 0.8))
    edited = configured(YAML.replace("threshold: 0.5", "threshold: 0.6", 1))
    again = Office(make_bench(config=edited), tmp_path)
    assert again.outputs.thresholds["dog_bark"] == 0.6
    assert "threshold 0.8 of dog_bark, set at run time, is dropped" in caplog.text
    assert "is now 0.6" in caplog.text
    assert json.loads(again.overrides.path.read_text())["thresholds"] == {}


def test_an_override_of_a_sound_that_is_gone_is_dropped(
    make_bench: MakeBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would surprise whoever adds that sound again a year later."""
    Office(make_bench(), tmp_path).carry_out(SetThreshold("dog_bark", 0.8))
    renamed = configured(YAML.replace("dog_bark:", "hound:"))
    Office(make_bench(config=renamed), tmp_path)
    assert "the configured one is gone" in caplog.text


def test_an_override_can_be_taken_back(office: Office) -> None:
    """The configured value is in force again, also after a restart."""
    office.carry_out(SetThreshold("dog_bark", 0.8))
    done = office.carry_out(SetThreshold("dog_bark", None))
    assert done == "threshold of dog_bark is now 0.5"
    assert office.reading("dog_bark").threshold == 0.5
    assert office.outputs.thresholds["dog_bark"] == 0.5
    assert office.overrides.thresholds == {}
    office.carry_out(SetThreshold("dog_bark", None))  # nothing to take back is nothing


@pytest.mark.parametrize("value", [0.0, 0.049, -0.1, 0.991, 1.0, float("nan"), float("inf")])
def test_a_threshold_out_of_range_is_refused(office: Office, value: float) -> None:
    """As over MQTT; and nothing has changed."""
    with pytest.raises(ControlError, match=r"must be a number from 0\.05 to 0\.99"):
        office.carry_out(SetThreshold("dog_bark", value))
    assert office.reading("dog_bark").threshold == 0.5
    assert office.overrides.thresholds == {}


@pytest.mark.parametrize("command", [SetThreshold("doorbell", 0.5), TestAlert("doorbell")])
def test_a_sound_that_is_not_listened_for_is_refused(office: Office, command: Command) -> None:
    """With those that are."""
    with pytest.raises(ControlError, match=r"'doorbell' is not .* dog_bark, baby_cry$"):
        office.carry_out(command)


def test_a_disabled_sound_is_not_listened_for(make_bench: MakeBench, tmp_path: Path) -> None:
    """It has no threshold to show, and no test alert."""
    disabled = configured(YAML.replace("dog_bark:", "dog_bark:\n    enabled: false"))
    office = Office(make_bench(config=disabled), tmp_path)
    assert office.outputs.thresholds == {"baby_cry": 0.5}
    with pytest.raises(ControlError, match="sounds are baby_cry"):
        office.carry_out(TestAlert("dog_bark"))
    assert "baby_cry: ON now" in office.carry_out(TestAlert())


def test_a_test_alert_without_any_sound_is_refused(make_bench: MakeBench, tmp_path: Path) -> None:
    """Not a crash, when every sound is disabled."""
    text = YAML.replace("_bark:", "_bark:\n    enabled: false")
    text = text.replace("_cry:", "_cry:\n    enabled: false")
    office = Office(make_bench(config=configured(text)), tmp_path)
    with pytest.raises(ControlError, match="all disabled"):
        office.carry_out(TestAlert())


def test_disarming_ends_what_is_on_and_says_who_did_it(office: Office) -> None:
    """The sounds end, the switch shows it, and an event names the hand."""
    office.bench.hear(bark(0))
    office.carry_out(SetArmed(armed=False), by="the control socket")
    kinds = {event.kind: event for event in office.told}
    assert kinds[EventKind.SOUND].reason == OffsetReason.DISARMED
    disarmed = kinds[EventKind.DISARMED]
    assert disarmed.reason == "by the control socket"
    assert disarmed.urgency is Urgency.NOTICE
    assert office.outputs.armed == [True, False]
    office.bench.hear(bark(1))
    assert len(office.bench.told) == 1


def test_arming_says_who_did_it_and_listens_again(office: Office) -> None:
    """At a lower urgency: it is what one expects."""
    office.carry_out(SetArmed(armed=False))
    assert office.carry_out(SetArmed(armed=True)) == "armed"
    assert (office.told[-1].kind, office.told[-1].reason) == (EventKind.ARMED, "by MQTT")
    assert office.told[-1].urgency is Urgency.INFO
    office.bench.hear(bark(0))
    assert [event.phase for event in office.bench.told] == [Phase.ONSET]


def test_what_is_so_already_is_no_event(office: Office) -> None:
    """A switch that is pressed twice; it is shown again, to whoever believes otherwise."""
    assert office.carry_out(SetArmed(armed=True)) == "armed already"
    office.carry_out(SetArmed(armed=False))
    assert office.carry_out(SetArmed(armed=False)) == "disarmed already"
    assert [event.kind for event in office.told] == [EventKind.DISARMED]
    assert office.outputs.armed == [True, True, False, False]


def test_what_was_set_is_on_the_disk_by_the_next_look_or_the_stop(
    office: Office, tmp_path: Path
) -> None:
    """Writing takes its time on a card: not while somebody waits for the answer."""
    office.desk.carry_out(SetThreshold("dog_bark", 0.8), "MQTT")
    office.desk.look()
    assert Office(office.bench, tmp_path).outputs.thresholds["dog_bark"] == 0.8
    office.desk.carry_out(SetThreshold("dog_bark", 0.7), "MQTT")
    office.desk.finish()
    assert Office(office.bench, tmp_path).outputs.thresholds["dog_bark"] == 0.7


def test_disarmed_outlives_a_restart_and_is_warned_about(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is to believe that it listens."""
    office.carry_out(SetArmed(armed=False))
    caplog.clear()
    again = Office(office.bench, tmp_path)
    assert again.outputs.armed == [False]
    assert "no sound is told until somebody arms it again" in caplog.text
    assert not again.bench.ask(lambda pipeline: pipeline.armed)


def test_a_test_alert_is_on_and_after_three_seconds_off(office: Office) -> None:
    """By the clock, with one id, and marked as a test."""
    done = office.carry_out(TestAlert("baby_cry"))
    assert done == "test alert for baby_cry: ON now, OFF in 3 s"
    office.wait(2.9)
    (on,) = office.told
    assert (on.kind, on.phase, on.sound, on.test) == (
        EventKind.TEST_ALERT,
        Phase.ONSET,
        "baby_cry",
        True,
    )
    assert on.urgency is Urgency.URGENT
    office.wait(0.2)
    office.wait(60.0)
    (_, off) = office.told
    assert (off.id, off.phase, off.test) == (on.id, Phase.OFFSET, True)
    assert off.offset_utc is not None
    assert (off.offset_utc - off.onset_utc).total_seconds() == pytest.approx(3.1)


def test_a_test_alert_takes_the_first_sound_there_is(office: Office) -> None:
    """Where none is named."""
    office.carry_out(TestAlert())
    assert office.told[0].sound == "dog_bark"


def test_two_test_alerts_each_have_their_end(office: Office) -> None:
    """In their own time."""
    office.carry_out(TestAlert("dog_bark"))
    office.wait(2.0)
    office.carry_out(TestAlert("baby_cry"))
    office.wait(1.5)
    assert [event.phase for event in office.told] == [Phase.ONSET, Phase.ONSET, Phase.OFFSET]
    office.wait(1.5)
    assert [event.sound for event in office.told[2:]] == ["dog_bark", "baby_cry"]


def test_a_second_test_of_a_sound_ends_the_first(office: Office) -> None:
    """So that the first one's end does not cut the second short."""
    office.carry_out(TestAlert("dog_bark"))
    office.wait(2.0)
    office.carry_out(TestAlert("dog_bark"))
    office.wait(1.5)
    first, ended, second = office.told
    assert [first.phase, ended.phase, second.phase] == [Phase.ONSET, Phase.OFFSET, Phase.ONSET]
    assert ended.id == first.id != second.id
    office.wait(1.5)
    assert office.told[-1].id == second.id
    assert office.told[-1].phase is Phase.OFFSET


def test_a_test_alert_works_while_disarmed(office: Office) -> None:
    """One tests the road, not the ear."""
    office.carry_out(SetArmed(armed=False))
    office.carry_out(TestAlert())
    office.wait(3.0)
    phases = [event.phase for event in office.told if event.kind is EventKind.TEST_ALERT]
    assert phases == [Phase.ONSET, Phase.OFFSET]


def test_a_stop_leaves_no_test_alert_on(office: Office) -> None:
    """What would end later ends now, and once."""
    office.carry_out(TestAlert())
    office.desk.finish()
    office.desk.finish()
    office.wait(10.0)
    assert [event.phase for event in office.told] == [Phase.ONSET, Phase.OFFSET]


def test_a_self_test_is_begun_by_a_button_or_a_command_one_at_a_time(office: Office) -> None:
    """Who asks first has it; a stop breaks it off."""
    assert office.desk.carry_out(SelfTest(), "MQTT") == "self-test begun"
    with pytest.raises(ControlError, match="a self-test is running already"):
        office.desk.self_test()
    office.desk.finish()
    begun = office.desk.self_test()
    office.desk.finish()
    with pytest.raises(ControlError, match="was broken off"):
        begun.result(PATIENCE_S)


def test_what_the_disk_did_not_take_is_written_later(office: Office, tmp_path: Path) -> None:
    """A full disk that has room again needs nobody to set the threshold anew."""
    in_the_way = office.overrides.path.with_suffix(".new")
    in_the_way.mkdir()
    office.carry_out(SetThreshold("dog_bark", 0.8))
    in_the_way.rmdir()
    office.wait(SAVE_AGAIN_S + 1.0)
    assert Office(office.bench, tmp_path).outputs.thresholds["dog_bark"] == 0.8
