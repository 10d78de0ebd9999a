"""A configuration for YAMNet, and a model that names sounds instead."""

import logging
from pathlib import Path
from types import MappingProxyType

import pytest

from detector.config import Config
from detector.config.sounds import with_all_sounds
from detector.core.audio import Block
from detector.core.errors import ConfigError
from detector.core.events import Phase
from detector.core.recognition import RecogniserSpec, Telling
from detector.model.steps import StepModel, StepRecogniser
from detector.service.build import build_pipeline, build_sounds
from detector.service.fitted import InUse, in_force
from detector.service.overrides import Overrides, ThresholdOverride
from tests.clocks import HandClock
from tests.model.stepmaking import step_file
from tests.model.test_steps import tone
from tests.service.bench import configured

TELLING = Telling(slope=2.0, offset=-1.0, threshold=0.7, release_threshold=0.4, hop_s=0.48)
YAML = """
node: nursery
sounds:
  dog_bark: {confirm_seconds: 0}
  smoke_alarm:
  cough:
"""


def use(*sounds: str, labels: tuple[str, ...] = ()) -> InUse:
    """A model that names these sounds."""
    tellings = MappingProxyType(dict.fromkeys(sounds, TELLING))
    return InUse("a" * 64, 0.48, tellings, frozenset(labels or sounds))


def test_a_sound_is_told_by_its_name_and_what_the_file_says_of_it() -> None:
    """Its times stay those of the configuration."""
    force = in_force(configured(YAML), use("dog_bark", "baby_cry"))
    bark = force.config.sounds["dog_bark"]
    (evidence,) = bark.evidence
    assert evidence.classes == ("dog_bark",)
    assert (bark.threshold, bark.release_threshold) == (0.7, 0.4)
    assert evidence.calibration.slope == 2.0
    assert evidence.calibration.fitted_for is not None
    assert evidence.calibration.fitted_for.recogniser == "a" * 64
    assert bark.confirm_seconds == 0
    assert force.misfits == {}


def test_an_alarm_keeps_its_cadence_and_what_is_unknown_is_not_listened_for() -> None:
    """And both is said, in a line each."""
    force = in_force(configured(YAML), use("dog_bark"))
    (evidence,) = force.config.sounds["smoke_alarm"].evidence
    assert evidence.kind == "cadence"
    assert "cough" not in force.config.sounds
    said = list(force.warnings())
    assert any(line.startswith("smoke_alarm: told by the times of the beeps") for line in said)
    assert any(line.startswith("cough: NOT listened for") for line in said)


def test_what_is_not_listened_for_is_known_as_it_was_configured() -> None:
    """So that Home Assistant can show it as unavailable; what is disabled is not missed."""
    config = configured(YAML + "  doorbell: {enabled: false}\n")
    force = in_force(config, use("dog_bark"))
    assert dict(force.unheard) == {"cough": config.sounds["cough"]}
    assert not in_force(config, InUse("b" * 64, 0.48)).unheard


def test_any_other_model_changes_nothing() -> None:
    """YAMNet names no sound of ours."""
    config = configured(YAML)
    force = in_force(config, InUse("b" * 64, 0.48))
    assert force.config.sounds == config.sounds
    assert not list(force.warnings())


def test_what_is_written_for_this_model_stays() -> None:
    """A family of its own labels is served as any family is."""
    text = YAML + "  kettle: {evidence: [{classes: [kettle]}], threshold: 0.9}\n"
    force = in_force(configured(text), use("dog_bark", labels=("dog_bark", "kettle")))
    assert force.config.sounds["kettle"].threshold == 0.9
    again = in_force(force.config, use("dog_bark", labels=("dog_bark", "kettle")))
    assert again.config.sounds == force.config.sounds


def test_a_model_that_knows_none_of_them_is_refused() -> None:
    """In one line that says what it knows."""
    config = configured("sounds: [cough]")
    with pytest.raises(ConfigError, match="knows none of them; it knows dog_bark") as error:
        in_force(config, use("dog_bark"))
    assert "\n" not in str(error.value)


def test_all_that_is_shipped_is_served_as_far_as_can_be(caplog: pytest.LogCaptureFixture) -> None:
    """And built: nothing of YAMNet's is asked of the model."""
    spec = RecogniserSpec(
        "a" * 64, {"scores": (1,)}, ("dog_bark",), 7680, 20_400,
        MappingProxyType({"dog_bark": TELLING}),
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        sounds = build_sounds(with_all_sounds(configured(YAML)), spec)
    assert [one.detector.sound for one in sounds] == ["smoke_alarm", "co_alarm", "dog_bark"]
    assert sounds[2].refused == ("told by the model's own name for it",)
    assert "NOT listened for" in caplog.text


def test_a_threshold_set_for_the_usual_model_waits_for_it(tmp_path: Path) -> None:
    """Neither applied to the model that stands in, nor forgotten."""
    config = configured(YAML)
    overrides = Overrides(tmp_path, "nursery")
    usual = config.sounds["dog_bark"].threshold
    overrides.set_threshold("dog_bark", 0.9, configured=usual)
    overrides.set_threshold("cough", 0.9, configured=config.sounds["cough"].threshold)
    overrides.reconcile(in_force(config, use("dog_bark")).config)
    overrides.reconcile(config)
    assert overrides.thresholds["dog_bark"] == ThresholdOverride(0.9, usual)
    assert "cough" in overrides.thresholds


def test_an_edited_threshold_still_drops_one_set_at_run_time(tmp_path: Path) -> None:
    """Whoever edits the file means it."""
    config = configured(YAML)
    overrides = Overrides(tmp_path, "nursery")
    overrides.set_threshold("dog_bark", 0.9, configured=0.123)
    overrides.reconcile(config)
    assert overrides.thresholds == {}


def heard(path: Path, config: Config) -> list[tuple[Phase, str | None, float]]:
    """What a pipeline over a model of steps tells of a tone from 2.4 s to 4 s."""
    recogniser = StepRecogniser(StepModel(path), hop_seconds=0.48)
    pipeline = build_pipeline(config, [recogniser], clock=HandClock())
    samples = tone(9.0, begins_s=2.4, lasts_s=1.6)
    return [
        (event.phase, event.sound, event.onset_s)
        for at in range(0, len(samples), 1600)
        for event in pipeline.feed(Block(at, samples[at : at + 1600], 0.0))
    ]


def test_a_sound_is_heard_and_its_beginning_told_to_80_ms(tmp_path: Path) -> None:
    """From the audio to the event, through the pipeline of the daemon."""
    path = step_file(tmp_path / "steps.tflite", ("dog_bark", "doorbell"))
    config = configured("sounds: {dog_bark: {confirm_seconds: 0, hold_seconds: 1}}")
    began, ended = heard(path, config)
    assert (began[0], ended[0]) == (Phase.ONSET, Phase.OFFSET)
    assert began[1] == "dog_bark"
    assert abs(began[2] - 2.4) <= 0.08 + 1e-6


def test_another_hop_than_the_curves_were_fitted_for_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the bare score stands in."""
    telling = {"slope": 2.0, "offset": 0.0, "threshold": 0.6, "release_threshold": 0.3}
    path = step_file(
        tmp_path / "steps.tflite", ("dog_bark", "doorbell"), sounds={"dog_bark": telling}
    )
    spec = StepRecogniser(StepModel(path), hop_seconds=0.24).spec
    (sound,) = build_sounds(configured("sounds: [dog_bark]"), spec)
    assert "fitted for a hop of 0.48 s, but the hop is 0.24 s" in caplog.text
    assert not sound.detector.calibrated
