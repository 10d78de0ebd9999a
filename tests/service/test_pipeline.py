"""The straight line from blocks to events, with a recogniser that is told what to see."""

from dataclasses import replace
from datetime import timedelta

import pytest

from detector.config.loader import parse_config
from detector.core.audio import Gap, GapCause
from detector.core.errors import ConfigError
from detector.core.events import Event, EventKind, OffsetReason, Phase, Urgency
from detector.core.recognition import SCORES, Heard
from detector.events.gate import Gate
from detector.events.sounds import SoundDetector
from detector.service.build import build_pipeline, build_sounds
from detector.service.eventmaker import EventMaker
from detector.service.pipeline import Pipeline, Snapshot
from tests.clocks import START, HandClock
from tests.service.bench import LABELS
from tests.service.fakes import ToldRecogniser, second

YAML = """
node: nursery
sounds:
  dog_bark:
    evidence: [{classes: [Bark, Dog]}]
    threshold: 0.5
    release_threshold: 0.3
    confirm_seconds: 0
    hold_seconds: 2
    refractory_seconds: 0
    max_duration_seconds: 600
    urgency: notice
"""


def pipeline(clock: HandClock, seen: list[Snapshot] | None = None, yaml: str = YAML) -> Pipeline:
    """A pipeline over the four classes."""
    show = None if seen is None else seen.append
    config = parse_config(yaml, "test.yaml")
    return build_pipeline(config, [ToldRecogniser(LABELS)], clock=clock, on_snapshot=show)


def feed(line: Pipeline, clock: HandClock, *scores: float, start: int = 0) -> list[Event]:
    """One second each with this score for Bark, classified 10 ms after it ended."""
    events = []
    for index, score in enumerate(scores, start):
        clock.now_s = 101.01 + index
        events += line.feed(second(index, 0.0, score, 0.0, 0.2))
    return events


def test_a_sound_becomes_an_onset_and_an_offset_with_one_id() -> None:
    """From scores to events."""
    clock = HandClock()
    onset, offset = feed(pipeline(clock), clock, 0.1, 0.9, 0.8, 0.1, 0.1, 0.1)
    assert (onset.phase, offset.phase) == (Phase.ONSET, Phase.OFFSET)
    assert onset.id == offset.id
    assert onset.id.startswith("nursery-")
    assert (onset.kind, onset.sound, onset.urgency) == (
        EventKind.SOUND,
        "dog_bark",
        Urgency.NOTICE,
    )
    assert offset.reason is OffsetReason.DATA


def test_an_event_says_what_it_rests_on() -> None:
    """Probability, threshold, best classes, level, and that nothing is calibrated."""
    clock = HandClock()
    (onset,) = feed(pipeline(clock), clock, 0.1, 0.9)
    found = onset.detection
    assert found is not None
    assert found.probability == pytest.approx(0.9)
    assert found.threshold == 0.5
    assert not found.calibrated
    assert [one.name for one in found.classes] == ["Bark", "Rain", "Dog"]
    assert found.level_dbfs == -20.0


TWO = (
    YAML.replace("confirm_seconds: 0", "confirm_seconds: 2")
    + """
  rain:
    evidence: [{classes: [Rain]}]
"""
)


def test_an_event_says_why_it_came_to_this() -> None:
    """The threshold, what was heard of what was asked for, and which other sound came nearest."""
    clock = HandClock()
    onset, offset = feed(pipeline(clock, yaml=TWO), clock, 0.1, 0.9, 0.8, 0.1, 0.1)
    assert onset.detection is not None
    assert onset.detection.why == "0.80 ≥ 0.50, 2.0 s of 2.0 s heard; next best: rain 0.20"
    assert offset.detection is not None
    assert offset.detection.why == "no longer ≥ release 0.30: now 0.10; next best: rain 0.20"


def test_a_sound_that_is_ended_from_outside_says_so() -> None:
    """Rather than why it might have ended by itself."""
    clock = HandClock()
    line = pipeline(clock)
    feed(line, clock, 0.1, 0.9)
    (ended,) = line.set_armed(armed=False)
    assert ended.detection is not None
    assert ended.detection.why == "ended (disarmed) at 0.90"


def test_what_was_just_heard_can_be_decided_once_more() -> None:
    """Though nobody watched; and what is being decided is not touched."""
    clock = HandClock()
    line = pipeline(clock, yaml=TWO)
    feed(line, clock, 0.1, 0.9, 0.8, 0.1)
    windows = line.replay(3.0)
    assert [window.end_s for window in windows] == [2.0, 3.0, 4.0]
    assert [window.sounds[0].why for window in windows] == [
        "0.90 ≥ 0.50, 1.0 s of 2.0 s heard",
        "on for 2.0 s; 0.80 ≥ release 0.30",
        "on for 3.0 s; 0.10 < release 0.30",
    ]
    assert [event.phase for event in feed(line, clock, 0.0, start=4)] == [Phase.OFFSET]


def test_a_pipeline_that_has_heard_nothing_replays_nothing() -> None:
    """As right after the start."""
    assert pipeline(HandClock()).replay(30.0) == []


def test_an_offset_tells_of_the_peak_not_of_the_silence() -> None:
    """The best classes are those of the loudest moment."""
    clock = HandClock()
    _, offset = feed(pipeline(clock), clock, 0.6, 0.95, 0.4, 0.0, 0.0)
    assert offset.detection is not None
    assert offset.detection.peak_probability == pytest.approx(0.95)
    assert offset.detection.classes[0].score == pytest.approx(0.95)
    assert offset.detection.probability == 0.0


def test_onset_time_and_latency_come_from_the_capture() -> None:
    """The second window adds second 1…2; the onset lies in it, at its middle less 0.3 s."""
    clock = HandClock()
    (onset,) = feed(pipeline(clock), clock, 0.1, 0.9)
    assert onset.onset_s == pytest.approx(1.2)
    assert onset.onset_utc - START == pytest.approx(
        timedelta(seconds=1.2), abs=timedelta(milliseconds=2)
    )
    assert onset.latency_ms == pytest.approx(2010.0 - 1200.0, abs=1.0)


def test_a_jump_of_the_wall_clock_disturbs_no_gate() -> None:
    """An hour forward in the middle of a sound: its duration stays what it was."""
    clock = HandClock()
    line = pipeline(clock)
    (onset,) = feed(line, clock, 0.1, 0.9)
    clock.wall_offset = timedelta(hours=1)
    (offset,) = feed(line, clock, 0.0, 0.0, 0.0, start=2)
    assert offset.offset_s is not None
    assert offset.offset_s - onset.onset_s < 3.0


def test_disarming_ends_what_is_on_and_nothing_new_begins() -> None:
    """Until it is armed again; probabilities are still followed, for people."""
    clock, seen = HandClock(), list[Snapshot]()
    line = pipeline(clock, seen)
    feed(line, clock, 0.9)
    (ended,) = line.set_armed(armed=False)
    assert ended.reason is OffsetReason.DISARMED
    assert feed(line, clock, 0.9, 0.9, start=1) == []
    assert seen[-1].sounds[0].probability == pytest.approx(0.9)
    line.set_armed(armed=True)
    assert [event.phase for event in feed(line, clock, 0.9, start=3)] == [Phase.ONSET]


def test_a_long_gap_ends_a_sound_and_the_recogniser_hears_of_it() -> None:
    """Nothing is heard across lost audio."""
    clock = HandClock()
    line = pipeline(clock)
    feed(line, clock, 0.9)
    (ended,) = line.feed(Gap(16_000, 5 * 16_000, GapCause.SOURCE_LOST))
    assert ended.phase is Phase.OFFSET


def test_closing_ends_every_open_sound() -> None:
    """At a stop."""
    clock = HandClock()
    line = pipeline(clock)
    feed(line, clock, 0.9)
    (ended,) = line.close(OffsetReason.STOPPED)
    assert ended.reason is OffsetReason.STOPPED
    assert line.close(OffsetReason.STOPPED) == []


def test_every_window_can_be_watched() -> None:
    """With its best classes and every sound's reading."""
    clock, seen = HandClock(), list[Snapshot]()
    feed(pipeline(clock, seen), clock, 0.41)
    (snapshot,) = seen
    assert snapshot.sounds[0].why == "0.41 < 0.50"
    assert snapshot.classes[0].name == "Bark"


def test_ninety_seconds_of_observations_are_kept() -> None:
    """No more: memory is bounded."""
    clock = HandClock()
    line = pipeline(clock)
    feed(line, clock, *[0.0] * 300)
    assert 90 <= len(line.recent) <= 92


def test_a_class_the_model_does_not_have_is_a_configuration_error() -> None:
    """With the nearest name there is."""
    config = parse_config(YAML.replace("Bark", "Barc"), "test.yaml")
    with pytest.raises(ConfigError, match=r"Barc.*Bark"):
        build_sounds(config, ToldRecogniser(LABELS).spec)


@pytest.mark.parametrize(
    ("recogniser", "hop", "pooling", "complaint"),
    [
        ("1" * 64, 1.0, "max", "fitted for the model 11111111…, but the model in use is 00000000…"),
        ("0" * 64, 0.48, "max", "fitted for a hop of 0.48 s, but the hop is 1 s"),
        ("0" * 64, 1.0, "mean", "fitted for pooling mean, but the pooling is max"),
    ],
)
def test_a_calibration_fitted_for_something_else_gives_way_to_the_bare_score(
    recogniser: str, hop: float, pooling: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Model, hop and pooling must be those it was fitted for; else a line says where it stands."""
    calibration = (
        f"calibration: {{method: platt, slope: 2, offset: 1, fitted_for: "
        f"{{recogniser: '{recogniser}', hop_seconds: {hop}, pooling: {pooling}}}}}"
    )
    yaml = YAML.replace("[Bark, Dog]", f"[Bark, Dog], {calibration}")
    (bark,) = build_sounds(parse_config(yaml, "test.yaml"), ToldRecogniser(LABELS).spec)
    assert not bark.detector.calibrated
    (refused,) = bark.refused
    assert refused.startswith(
        f"the calibration at test.yaml:5 cannot be used, it was {complaint}; calibrate anew"
    )
    assert caplog.messages == [f"dog_bark: the bare scores of the classes stand in: {refused}"]


def test_a_fitting_calibration_makes_probabilities() -> None:
    """And events say so."""
    fitted = f"{{recogniser: '{'0' * 64}', hop_seconds: 1.0, pooling: max}}"
    calibration = f"calibration: {{method: platt, slope: 1, offset: 2, fitted_for: {fitted}}}"
    yaml = YAML.replace("[Bark, Dog]", f"[Bark, Dog], {calibration}")
    clock = HandClock()
    (onset,) = feed(pipeline(clock, yaml=yaml), clock, 0.3)
    assert onset.detection is not None
    assert onset.detection.calibrated
    assert onset.detection.probability == pytest.approx(0.76, abs=0.01)


class Beside:
    """Goes by what the second recogniser made of the same audio."""

    calibrated = False

    def __call__(self, heard: Heard) -> float:
        """The score of its second class."""
        first, second = heard[0][-1], heard[1][-1]
        assert first.end_s == second.end_s
        return float(second.outputs[SCORES][1])

    def began_s(self, heard: Heard) -> float | None:
        """It does not look back."""
        del heard
        return None


def test_a_sound_may_rest_on_a_second_recogniser_beside_the_first() -> None:
    """Which decides when, and which people watch."""
    clock, seen = HandClock(), list[Snapshot]()
    first, beside = ToldRecogniser(LABELS), ToldRecogniser(("Silence", "Kettle"))
    (bark,) = build_sounds(parse_config(YAML, "test.yaml"), first.spec)
    gate = Gate(replace(bark.detector.settings, possible_s=None))
    line = Pipeline(
        recognisers=[first, beside],
        sounds=[replace(bark, detector=SoundDetector("kettle", scorer=Beside(), gate=gate))],
        events=EventMaker(node="nursery", clock=clock),
        on_snapshot=seen.append,
    )
    (event,) = feed(line, clock, 0.9)
    assert event.sound == "kettle"
    assert len(seen) == len(line.recent) == 1
    assert line.windows == 1
    assert [one.name for one in seen[0].classes] == ["Bark", "Rain", "Dog", "Baby cry, infant cry"]
    assert len(first.fed) == len(beside.fed) == 1


def test_possible_and_onset_have_one_id_and_what_came_to_nothing_another() -> None:
    """So that whoever was warned knows what came of it."""
    clock = HandClock()
    yaml = YAML.replace("confirm_seconds: 0\n", "confirm_seconds: 1.5\n    possible_seconds: 1\n")
    line = pipeline(clock, yaml=yaml)
    events = [*feed(line, clock, 0.9), *feed(line, clock, *[0.0] * 5, start=1)]
    events += feed(line, clock, 0.9, 0.9, start=6)
    assert [event.phase for event in events] == [Phase.POSSIBLE, Phase.POSSIBLE, Phase.ONSET]
    assert events[1].id == events[2].id != events[0].id


def test_no_snapshot_is_made_while_nobody_watches() -> None:
    """And one again as soon as somebody does; events come all the same."""
    clock, seen, watched = HandClock(), list[Snapshot](), [False]
    line = build_pipeline(
        parse_config(YAML, "test.yaml"),
        [ToldRecogniser(LABELS)],
        clock=clock,
        on_snapshot=seen.append,
        is_watched=lambda: watched[0],
    )
    assert len(feed(line, clock, 0.9)) == 1
    assert seen == []
    watched[0] = True
    feed(line, clock, 0.9, start=1)
    assert len(seen) == 1
