"""The whole evaluation, on some minutes of real recordings with the real model."""

from pathlib import Path

import numpy as np
import pytest

from detector.config import Config
from detector.config.sounds import shipped_sounds
from detector.core.events import Phase
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline
from detector.workbench.alarms import smoke_alarm
from detector.workbench.dataset import read_dataset
from detector.workbench.evaluation import OURS, Ears, Evaluation, Order, evaluate
from detector.workbench.figures import document
from detector.workbench.listener import Listener, SceneClock, all_recognisers
from detector.workbench.observe import blocks, observe, padded
from detector.workbench.soundscape import Plan
from detector.workbench.splits import as_configured
from detector.workbench.tables import markdown

SOUNDS = ("baby_cry", "dog_bark", "siren")


@pytest.fixture(scope="module")
def measured(model_path: Path, recordings: Path) -> Evaluation:
    """Two scenes at 30 dB, an evening, and a dozen clips."""
    everything = read_dataset(recordings)
    labels = (*SOUNDS, "room_tone")
    chosen = [one for label in labels for one in [r for r in everything if r.label == label][:7]]
    config = Config(sounds={sound: shipped_sounds()[sound] for sound in SOUNDS})
    ears = Ears(all_recognisers(WindowRecogniser(Classifier(model_path), hop_seconds=0.48)))
    order = Order(
        sounds=SOUNDS,
        plan=Plan(snrs_db=(30.0,), scene_s=120.0, in_rooms=False),
        hours=4 / 60,
        evening_hours=2 / 60,
    )
    return evaluate(chosen, as_configured(config, chosen), order, ears)


@pytest.mark.model
@pytest.mark.lengthy
@pytest.mark.recordings
def test_every_system_is_measured_on_the_same_audio(measured: Evaluation) -> None:
    """Events and hours are those of all."""
    for part in ("scenes", "evenings", "clips"):
        counts = [measured.tally.at(system, part) for system in measured.systems]
        assert len({round(count.events, 6) for count in counts}) == 1
        assert len({round(count.hours, 6) for count in counts}) == 1
    assert len(measured.systems) == 6
    assert measured.tally.at(OURS, "scenes").events == 6


@pytest.mark.model
@pytest.mark.lengthy
@pytest.mark.recordings
def test_clear_sounds_in_quiet_rooms_are_found(measured: Evaluation) -> None:
    """Not all: but more than others find as they are shipped."""
    ours, theirs = (
        measured.tally.at(system, "clips").hits for system in (OURS, "Frigate 0.18, as shipped")
    )
    assert ours > theirs
    assert ours >= 0.5 * measured.tally.at(OURS, "clips").events


@pytest.mark.model
@pytest.mark.lengthy
@pytest.mark.recordings
def test_the_tables_tell_what_they_rest_on(measured: Evaluation) -> None:
    """Thin evidence is marked, and a zero is explained."""
    told = markdown(measured)
    assert "Thin evidence" in told
    assert "not none" in told
    assert all(f"| {sound} |" in told for sound in SOUNDS)
    assert document(measured)["groups"]["siren"] == measured.groups["siren"]


@pytest.mark.model
@pytest.mark.lengthy
@pytest.mark.recordings
def test_ours_is_compared_at_no_more_false_alarms_than_each_other(measured: Evaluation) -> None:
    """For every sound and system."""
    told = document(measured)["equal_false_alarms"]
    assert len(told) == (len(SOUNDS) + 1) * (len(measured.systems) - 1 + 1)
    for duel in told:
        mine, other = duel["false_alarms"]
        chosen, measure = (mine, other) if duel["chosen"] == "ours" else (other, mine)
        assert chosen <= measure + 1e-6


@pytest.mark.model
def test_what_is_replayed_is_decided_as_what_is_heard(model_path: Path) -> None:
    """An alarm, which its beeps tell: every recogniser is replayed, at the daemon's own pace."""
    alarm = np.concatenate([np.zeros(16_000, np.float32), smoke_alarm(np.random.default_rng(2))])
    alarm += np.random.default_rng(1).normal(0.0, 0.001, len(alarm)).astype(np.float32)
    config = Config(sounds={name: shipped_sounds()[name] for name in ("smoke_alarm", "co_alarm")})
    recognisers = all_recognisers(WindowRecogniser(Classifier(model_path), hop_seconds=0.48))
    told = Listener(config, [one.spec for one in recognisers]).listen(observe(alarm, recognisers))
    clock = SceneClock()
    pipeline = build_pipeline(config, recognisers[:1], clock=clock)
    heard = []
    for block in blocks(padded(alarm, recognisers[0].spec), 1_600):
        clock.now_s = block.captured_monotonic_s
        onsets = [event for event in pipeline.feed(block) if event.phase is Phase.ONSET]
        heard += [(event.sound, clock.now_s) for event in onsets]
    assert [one.sound for one in told.decisions] == [sound for sound, _ in heard] == ["smoke_alarm"]
    assert told.decisions[0].told_s == pytest.approx(heard[0][1])
