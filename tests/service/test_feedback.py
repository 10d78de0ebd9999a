"""Feedback: what people say of sounds changes them, is told, and can be taken back."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import ControlError
from detector.core.events import (
    Command,
    EventKind,
    Feedback,
    Judgement,
    Phase,
    SetThreshold,
    TakeBack,
    Urgency,
)
from detector.events.heads import Sphere
from detector.events.veto import Veto
from detector.service.feedbackfile import FeedbackFile, feedback_folder
from tests.service.bench import PATIENCE_S, YAML, Bench, bark, configured
from tests.service.conftest import MakeBench
from tests.service.office import OpenDesk

WRONG = Feedback(Judgement.WRONG, "dog_bark")
MISSED = Feedback(Judgement.MISSED, "dog_bark")


@dataclass
class House(OpenDesk):
    """A bark is a second."""

    heard: int = 0

    def hear(self, *scores: float) -> None:
        """Barks, and silence enough after each that the next is another event."""
        for score in scores:
            for one in (score, 0.0, 0.0, 0.0):
                self.bench.hear(bark(self.heard, one))
                self.heard += 1

    def say(self, command: Feedback | TakeBack) -> str:
        """Say it, and wait until it is in force."""
        self.bench.clock.now_s += 1.0
        future = self.desk.feedbacks.start(command, "MQTT")
        return self.settled(future)

    def settled(self, future: "Future[str]") -> str:
        """What came of it."""
        self.desk.look()
        self.bench.serve()
        return future.result(PATIENCE_S)

    @property
    def file(self) -> FeedbackFile:
        """What was said of dogs."""
        identity = self.bench.worker.pipeline.identities["dog_bark"]
        return FeedbackFile(feedback_folder(self.folder, "nursery"), "dog_bark", identity)

    @property
    def threshold(self) -> float:
        """Of dogs, in force."""
        return self.bench.ask(lambda pipeline: pipeline.detectors["dog_bark"].threshold)


MakeHouse = Callable[..., House]


@pytest.fixture
def make_house(bench: Bench, tmp_path: Path) -> MakeHouse:
    """Makes one whose desk has what takes its time done by ``ask``."""
    return lambda **changes: House(bench, tmp_path, **changes)


@pytest.fixture
def house(bench: Bench, tmp_path: Path) -> House:
    """Where nothing was said yet."""
    return House(bench, tmp_path)


def test_what_was_wrong_is_not_raised_any_more(house: House) -> None:
    """The threshold moves above it: in force, shown, kept, and told in one line."""
    house.hear(0.55)
    line = house.say(WRONG)
    assert line == "dog_bark: wrong examples raised: 1 of 1 → 0 of 1; threshold 0.5 → 0.587"
    assert (house.threshold, house.outputs.thresholds["dog_bark"]) == (0.587, 0.587)
    house.hear(0.55)
    onsets = [event for event in house.bench.told if event.phase is Phase.ONSET]
    assert len(onsets) == 1


def test_a_change_is_an_event_and_a_line_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing changes in silence."""
    house.hear(0.55)
    with caplog.at_level("INFO"):
        line = house.say(WRONG)
    assert f"feedback by MQTT: {line}" in caplog.text
    told = house.told[-1]
    assert (told.kind, told.urgency, told.sound) == (EventKind.FEEDBACK, Urgency.INFO, None)
    assert told.reason == f"{line}, by MQTT"


def test_what_was_missed_is_found_the_next_time(house: House) -> None:
    """In the last minute, where it came nearest."""
    house.hear(0.45)
    assert house.bench.told == []
    line = house.say(MISSED)
    assert line.startswith("dog_bark: missed examples told: 0 of 1 → 1 of 1; threshold 0.5 → 0.41")
    house.hear(0.45)
    assert house.bench.told[0].phase is Phase.ONSET


def test_what_is_nothing_like_the_sound_was_not_missed(house: House) -> None:
    """No threshold would have told it, and none is moved for it."""
    house.hear(0.01)
    with pytest.raises(
        ControlError, match=r"^nothing of the last minute that was not told was like dog_bark"
    ):
        house.say(MISSED)
    assert not house.file.path.exists()


def test_what_was_right_holds_against_what_was_wrong(house: House) -> None:
    """At the same level nothing moves, and it is said why."""
    house.hear(0.6)
    house.say(Feedback(Judgement.RIGHT))
    house.hear(0.6)
    line = house.say(WRONG)
    assert "wrong examples raised: 1 of 1 → 1 of 1; right examples told: 1 of 1 → 1 of 1" in line
    assert "threshold 0.5 as it was; the rest stays: to put it right would cost too much" in line
    assert house.threshold == 0.5


def test_an_event_of_the_past_can_be_named(house: House) -> None:
    """Rather than the latest."""
    house.hear(0.52, 0.9)
    first = house.bench.told[0].id
    house.say(Feedback(Judgement.WRONG, event=first))
    kept = house.file.read().examples[0]
    assert kept.event == first
    assert kept.moment.probabilities.max() == pytest.approx(0.52)


def test_the_last_step_is_taken_back_exactly(house: House) -> None:
    """Threshold, examples, and what is kept on the disk."""
    house.hear(0.52)
    house.say(WRONG)
    before, content = house.threshold, house.file.path.read_bytes()
    house.hear(0.56)
    house.say(WRONG)
    assert house.threshold > before
    line = house.say(TakeBack("dog_bark"))
    assert line.startswith("taken back: dog_bark: wrong examples raised: 0 of 2 → 1 of 2")
    assert (house.threshold, house.file.path.read_bytes()) == (before, content)
    house.say(TakeBack("dog_bark"))
    assert house.threshold == 0.5
    assert house.overrides.thresholds == {}
    with pytest.raises(ControlError, match="there is nothing to take back"):
        house.say(TakeBack("dog_bark"))


def test_a_threshold_that_somebody_set_since_stays(house: House) -> None:
    """Taking feedback back does not take that back."""
    house.hear(0.55)
    house.say(WRONG)
    house.desk.carry_out(SetThreshold("dog_bark", 0.8), "MQTT")
    line = house.say(TakeBack("dog_bark"))
    assert line.endswith("the threshold was set since, and stays")
    assert house.threshold == 0.8


def test_it_outlives_a_restart_with_its_origin(house: House, tmp_path: Path) -> None:
    """As any threshold that is set at run time."""
    house.hear(0.55)
    house.say(WRONG)
    again = House(house.bench, tmp_path)
    assert again.threshold == 0.587
    assert again.overrides.thresholds["dog_bark"].origin == "feedback"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (Feedback(Judgement.WRONG, "doorbell"), "'doorbell' is not listened for"),
        (TakeBack("doorbell"), "'doorbell' is not listened for"),
        (Feedback(Judgement.MISSED), "missed: which sound"),
        (Feedback(Judgement.MISSED, "dog_bark", "an-id"), "missed: what was missed is no event"),
        (Feedback(Judgement.WRONG), "nothing was told since the last start"),
        (Feedback(Judgement.WRONG, event="no\nid"), r"'no\\nid' is not remembered"),
        (MISSED, "nothing was heard yet that could have been dog_bark"),
        (TakeBack("dog_bark"), "there is nothing to take back"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    house: House, command: Feedback | TakeBack, why: str
) -> None:
    """And nothing is changed."""
    with pytest.raises(ControlError, match=f"^{why}"):
        house.say(command)
    assert (house.threshold, house.file.path.exists()) == (0.5, False)


def test_an_alarm_by_its_beeps_is_left_alone(make_bench: MakeBench, tmp_path: Path) -> None:
    """And it is said why."""
    beeps = "evidence: [{classes: [Bark]}, {kind: cadence, cadence: t3}]"
    config = configured(YAML.replace("evidence: [{classes: [Bark, Dog]}]", beeps))
    house = House(make_bench(config=config), tmp_path)
    with pytest.raises(ControlError, match="told by the beeps of a standard, and feedback leaves"):
        house.say(WRONG)
    house.hear(0.9)
    with pytest.raises(ControlError, match="feedback leaves it alone"):
        house.say(Feedback(Judgement.WRONG))


def test_one_is_taken_after_the_other(house: House) -> None:
    """Who presses twice is told so, and the first is taken."""
    house.hear(0.55)
    first = house.desk.feedbacks.start(WRONG, "MQTT")
    with pytest.raises(ControlError, match="still being taken"):
        house.desk.carry_out(WRONG, "MQTT")
    assert (house.told[-1].reason or "").startswith("not taken: the feedback before this one")
    assert "0 of 1" in house.settled(first)


def test_a_stop_breaks_off_what_is_not_kept_yet(make_house: MakeHouse) -> None:
    """Whoever waits is told so, and nothing of it comes afterwards: not even its file."""
    asked: list[Callable[[], None]] = []
    house = make_house(ask=asked.append)
    house.hear(0.55)
    first = house.desk.feedbacks.start(WRONG, "MQTT")
    house.desk.finish()
    with pytest.raises(ControlError, match="broken off"):
        first.result(PATIENCE_S)
    asked[0]()
    house.desk.look()
    assert (house.threshold, house.file.path.exists()) == (0.5, False)


def test_what_is_kept_already_is_put_into_force_before_a_stop(house: House) -> None:
    """Else the file would say what nobody was told."""
    house.hear(0.55)
    first = house.desk.feedbacks.start(WRONG, "MQTT")
    house.desk.finish()
    assert "0 of 1" in first.result(PATIENCE_S)
    assert house.overrides.thresholds["dog_bark"].value == 0.587


def test_a_threshold_set_meanwhile_stays(make_house: MakeHouse) -> None:
    """Somebody moves the slider while it is being settled."""
    asked: list[Callable[[], None]] = []
    house = make_house(ask=asked.append)
    house.hear(0.55)
    said = house.desk.feedbacks.start(WRONG, "MQTT")
    work = asked.pop()
    work()
    house.desk.carry_out(SetThreshold("dog_bark", 0.8), "MQTT")
    house.settled(said)
    assert house.threshold == 0.8
    assert (house.told[-1].reason or "").endswith("was set meanwhile, and stays, by MQTT")


def test_feedback_goes_on_from_a_threshold_that_somebody_set(house: House) -> None:
    """The second "wrong" does not bring it back below what was asked for."""
    house.desk.carry_out(SetThreshold("dog_bark", 0.7), "MQTT")
    house.hear(0.72)
    house.say(WRONG)
    first = house.threshold
    house.hear(0.755)
    house.say(WRONG)
    assert 0.72 < first < house.threshold
    house.say(TakeBack("dog_bark"))
    house.say(TakeBack("dog_bark"))
    assert house.overrides.thresholds["dog_bark"].origin == "command"
    assert house.threshold == 0.7


def test_pressing_missed_twice_is_said_once(house: House) -> None:
    """Of one moment; it does not weigh more."""
    house.hear(0.45)
    house.say(MISSED)
    once = house.threshold
    house.say(MISSED)
    assert len(house.file.read().examples) == 1
    assert house.threshold == once


def test_what_was_told_and_wrong_is_not_what_was_missed(house: House) -> None:
    """The vacuum that was taken for it came nearer than the quiet one that was missed."""
    house.hear(0.9)
    house.say(WRONG)
    house.hear(0.45)
    house.say(MISSED)
    missed = house.file.read().examples[-1]
    assert missed.judgement is Judgement.MISSED
    assert missed.moment.probabilities.max() == pytest.approx(0.45)


def test_what_was_said_of_other_evidence_counts_no_more(house: House, tmp_path: Path) -> None:
    """A head learnt anew gives other probabilities; back on the old, what was said counts again."""
    house.hear(0.55)
    house.say(WRONG)
    usual = house.bench.config
    house.bench.config = configured(YAML.replace("[Bark, Dog]", "[Dog]"))
    other = House(house.bench, tmp_path)
    assert (other.threshold, other.overrides.thresholds) == (0.5, {})
    assert other.file.read().examples == ()
    house.bench.config = usual
    assert len(House(house.bench, tmp_path).file.read().examples) == 1


def test_what_is_critical_is_never_told_less_often(make_bench: MakeBench, tmp_path: Path) -> None:
    """But what was missed of it is taken."""
    config = configured(YAML.replace("urgency: notice", "urgency: critical"))
    house = House(make_bench(config=config), tmp_path)
    house.hear(0.9)
    for command in (WRONG, Feedback(Judgement.WRONG)):
        with pytest.raises(ControlError, match="dog_bark is critical, and nothing teaches it to"):
            house.say(command)
    house.hear(0.45)
    assert "0 of 1 → 1 of 1" in house.say(MISSED)


def test_what_takes_long_to_be_told_takes_no_feedback(
    make_bench: MakeBench, tmp_path: Path
) -> None:
    """A moment does not hold it: rather a line than nothing for an answer."""
    long = "confirm_seconds: 40\n    confirm_within_seconds: 60\n    hold_seconds: 2"
    config = configured(YAML.replace("confirm_seconds: 0\n    hold_seconds: 2", long))
    house = House(make_bench(config=config), tmp_path)
    with pytest.raises(ControlError, match="dog_bark is told after 40 s of it, and feedback goes"):
        house.say(WRONG)


def test_a_veto_of_another_size_is_not_put_into_force(house: House, tmp_path: Path) -> None:
    """It would end the listener at the next window, and at each start again."""
    house.hear(0.55)
    house.say(WRONG)
    sphere = Sphere(np.zeros(5, np.float32), np.ones(5, np.float32))
    veto = Veto(sphere, np.ones((1, 5), np.float32), 0.8)
    house.file.write(replace(house.file.read(), veto=veto))
    assert House(house.bench, tmp_path).bench.pipeline(house.bench.config) is not None
    assert house.bench.ask(lambda pipeline: pipeline.detectors["dog_bark"].veto) is None


def test_an_alarm_with_something_said_of_it_earlier_is_left_out_of_the_list(
    house: House, make_bench: MakeBench, tmp_path: Path
) -> None:
    """Before its beeps were listened for; the others are still told."""
    house.hear(0.55)
    house.say(WRONG)
    beeps = "evidence: [{classes: [Bark]}, {kind: cadence, cadence: t3}]"
    config = configured(YAML.replace("evidence: [{classes: [Bark, Dog]}]", beeps))
    other = House(make_bench(config=config), tmp_path)
    house.file.path.rename(other.file.path)
    assert other.desk.feedbacks.listed(other.bench.worker.pipeline.identities) == []


def test_over_mqtt_what_cannot_be_is_told_as_well(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for the answer: who presses a button sees why nothing came of it."""
    command: Command = Feedback(Judgement.WRONG)
    house.desk.carry_out(command, "MQTT")
    house.desk.look()
    assert "feedback by MQTT: nothing was told since" in caplog.text
    reason = "not taken: nothing was told since the last start or reload, by MQTT"
    assert [(one.kind, one.reason) for one in house.told] == [(EventKind.FEEDBACK, reason)]


def test_a_flood_of_presses_is_no_flood_of_events(house: House) -> None:
    """What comes to nothing is told every five seconds at most."""
    for _ in range(20):
        house.desk.carry_out(Feedback(Judgement.WRONG), "MQTT")
        house.desk.look()
    assert len(house.told) == 1
    house.bench.clock.now_s += 5.0
    house.desk.carry_out(Feedback(Judgement.WRONG), "MQTT")
    house.desk.look()
    assert len(house.told) == 2


def test_what_cannot_be_written_changes_nothing(house: House) -> None:
    """A full disk."""
    house.hear(0.55)
    house.file.path.with_suffix(".new").mkdir(parents=True)
    with pytest.raises(ControlError, match="cannot be written; nothing was changed"):
        house.say(WRONG)
    assert house.threshold == 0.5


def test_all_that_was_said_can_be_listed(house: House) -> None:
    """With how it stands now."""
    house.hear(0.55)
    house.say(WRONG)
    (listed,) = house.desk.feedbacks.listed(house.bench.worker.pipeline.identities)
    assert (listed["sound"], listed["threshold"], listed["configured"]) == ("dog_bark", 0.587, 0.5)
    (example,) = listed["examples"]
    assert (example["judgement"], example["told_at"], example["is_told"]) == ("wrong", 0.55, False)
