"""Heads in a configuration: taken where they fit, replaced by class scores where they do not."""

import logging
from pathlib import Path

import numpy as np
import pytest

from detector.config.loader import load_config, parse_config
from detector.config.sounds import with_all_sounds
from detector.core.audio import Block
from detector.core.errors import ConfigError
from detector.core.recognition import EMBEDDING, Observation
from detector.events.heads import Look, Trunk
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline, build_sounds
from detector.service.headfile import HeadFile, HeadReader
from detector.service.heads import read_shipped, shipped_heads
from detector.service.pipeline import ListenedSound
from tests.clocks import HandClock
from tests.service.bench import LABELS
from tests.service.fakes import ToldRecogniser, second
from tests.service.headmaking import small_head, write_head

WEIGHTS = [0.0, 1.0, 0.0, -1.0]
"""Bark, unless it rains."""


def yaml(path: Path, more: str = "") -> str:
    """Barking by a head."""
    return f"""
node: nursery
sounds:
  dog_bark:
    evidence: [{{kind: head, head: {path}, classes: [Bark, Dog]{more}}}]
    threshold: 0.8
    release_threshold: 0.6
    confirm_seconds: 0
"""


def built(text: str) -> ListenedSound:
    """The one sound of a configuration."""
    (sound,) = build_sounds(parse_config(text, "test.yaml"), ToldRecogniser(LABELS).spec)
    return sound


def seen(*scores: float) -> list[list[Observation]]:
    """A window with these class scores."""
    return [list(ToldRecogniser(LABELS).feed(second(0, *scores)))]


def probability(sound: ListenedSound, *scores: float) -> float:
    """What becomes of a window with these class scores."""
    sound.detector.observe(seen(*scores))
    return sound.detector.probability


def test_a_head_makes_the_probability(tmp_path: Path) -> None:
    """And says that it is one."""
    sound = built(yaml(write_head(tmp_path, small_head(WEIGHTS))))
    assert probability(sound, 0.0, 0.9, 0.0, 0.5) == pytest.approx(0.9, abs=1e-3)
    assert probability(sound, 0.0, 0.9, 0.0, 0.9) == pytest.approx(0.5, abs=1e-3)
    assert sound.detector.calibrated
    assert sound.evidence == (f"the head {tmp_path / 'bark.json'} of 2026-11-20",)
    assert sound.refused == ()


def test_a_head_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """As any file that is named."""
    write_head(tmp_path, small_head(WEIGHTS))
    (tmp_path / "detector.yaml").write_text(yaml(Path("bark.json")))
    config = load_config(tmp_path / "detector.yaml", environ={}).sounds["dog_bark"]
    assert config.evidence[0].head == tmp_path / "bark.json"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (
            small_head(WEIGHTS, recogniser="ab" * 32),
            "it was fitted for the model abababab…, not 00000000…",
        ),
        (small_head(WEIGHTS, hop_s=0.48), "it was fitted for a hop of 0.48 s, not 1 s"),
        (
            small_head([1.0], trunks=[Trunk([Look(EMBEDDING, np.array([0], np.intp))])]),
            "it looks at embedding, which the model does not give",
        ),
    ],
    ids=["model", "hop", "output"],
)
def test_where_a_head_does_not_fit_the_classes_stand_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, head: HeadFile, reason: str
) -> None:
    """Said once, and in what tells the sound; the probability is a bare score then."""
    with caplog.at_level(logging.WARNING):
        sound = built(yaml(write_head(tmp_path, head)))
    assert probability(sound, 0.2, 0.7, 0.0, 0.9) == pytest.approx(0.7)
    assert not sound.detector.calibrated
    refused = f"the head cannot be used, {reason}"
    assert sound.refused == (refused,)
    assert sound.evidence == (f"the scores of its classes, uncalibrated: {refused}",)
    assert [one.getMessage() for one in caplog.records] == [
        f"dog_bark: the bare scores of the classes stand in: {refused}"
    ]


def test_the_family_beside_a_head_keeps_the_calibration_that_fits(tmp_path: Path) -> None:
    """It need not be a bare score."""
    path = write_head(tmp_path, small_head(WEIGHTS, hop_s=0.48))
    fitted = f"{{recogniser: '{'0' * 64}', hop_seconds: 1.0, pooling: max}}"
    platt = f", calibration: {{method: platt, slope: 1, offset: 2, fitted_for: {fitted}}}"
    sound = built(yaml(path, platt))
    assert sound.detector.calibrated
    assert probability(sound, 0.0, 0.3, 0.0, 0.0) == pytest.approx(0.76, abs=0.01)


def test_a_calibration_of_the_stand_in_that_does_not_fit_either_is_passed_over(
    tmp_path: Path,
) -> None:
    """One complaint is enough."""
    path = write_head(tmp_path, small_head(WEIGHTS, hop_s=0.48))
    fitted = f"{{recogniser: '{'0' * 64}', hop_seconds: 0.48, pooling: max}}"
    platt = f", calibration: {{method: platt, slope: 1, offset: 2, fitted_for: {fitted}}}"
    sound = built(yaml(path, platt))
    assert probability(sound, 0.0, 0.3, 0.0, 0.0) == pytest.approx(0.3)


def test_thresholds_that_a_calibration_fitted_do_not_befall_a_bare_score(tmp_path: Path) -> None:
    """A score of 0.5 stands where the threshold is."""
    path = write_head(tmp_path, small_head(WEIGHTS, hop_s=0.48))
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text(
        "version: 1\nsounds: {dog_bark: {threshold: 0.9, release_threshold: 0.7}}\n"
    )
    sound = built(f"calibration: {calibration}\n{yaml(path)}")
    assert sound.detector.threshold == 0.9
    assert probability(sound, 0.0, 0.5, 0.0, 0.0) == pytest.approx(0.9)
    assert probability(sound, 0.0, 0.3, 0.0, 0.0) == pytest.approx(0.7)


def test_ones_own_recordings_refine_a_head(tmp_path: Path) -> None:
    """By the logit of its probability."""
    path = write_head(tmp_path, small_head(WEIGHTS))
    sound = built(yaml(path, refinement(path)))
    assert probability(sound, 0.0, 0.5, 0.0, 0.5) == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3)


def test_a_refinement_of_another_head_is_not_applied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a newer version ships another."""
    path = write_head(tmp_path, small_head(WEIGHTS))
    more = refinement(path)
    write_head(tmp_path, small_head([0.0, 2.0, 0.0, -2.0]))
    sound = built(yaml(path, more))
    assert probability(sound, 0.0, 0.5, 0.0, 0.5) == pytest.approx(0.5, abs=1e-3)
    (told,) = caplog.messages
    assert told.startswith("sounds.dog_bark.evidence[0].refinement: it was fitted for another head")


def refinement(path: Path) -> str:
    """Of the head in this file."""
    sha256 = HeadReader().read(path.parent, path.name).sha256
    fitted = f"{{recogniser: '{'0' * 64}', hop_seconds: 1.0, pooling: max, head: '{sha256}'}}"
    return f", refinement: {{slope: 1, offset: 2, fitted_for: {fitted}}}"


def test_a_damaged_head_is_a_configuration_error(tmp_path: Path) -> None:
    """With its file and key: somebody meant it to be used."""
    path = write_head(tmp_path, small_head(WEIGHTS))
    path.write_text(path.read_text().replace('"sound"', '"noise"'))
    with pytest.raises(ConfigError, match=r"bark\.json: sound: is missing"):
        built(yaml(path))


def test_all_damaged_heads_are_told_at_once(tmp_path: Path) -> None:
    """With whatever else is wrong with the sounds."""
    path = tmp_path / "gone.json"
    path.write_text("{}")
    text = yaml(path) + f"  twins: {{evidence: [{{kind: head, head: {path}, classes: [Rian]}}]}}\n"
    with pytest.raises(ConfigError) as caught:
        built(text)
    assert len(caught.value.problems) == 3


def test_a_sound_without_a_shipped_head_needs_a_file() -> None:
    """Where and what."""
    text = "sounds:\n  twins:\n    evidence: [{kind: head, classes: [Rain]}]\n"
    with pytest.raises(ConfigError, match=r"sounds\.twins\.evidence\[0\]\.head: is missing: no"):
        built(text)


def test_a_head_decides_events(tmp_path: Path) -> None:
    """Through the pipeline."""
    config = parse_config(yaml(write_head(tmp_path, small_head(WEIGHTS))), "test.yaml")
    line = build_pipeline(config, [ToldRecogniser(LABELS)], clock=HandClock())
    assert line.feed(second(0, 0.0, 0.9, 0.0, 0.9)) == []
    (onset,) = line.feed(second(1, 0.0, 0.9, 0.0, 0.1))
    assert onset.sound == "dog_bark"
    assert onset.detection
    assert onset.detection.calibrated
    assert "dog_bark" in line.evidence


@pytest.mark.parametrize("sound", shipped_heads())
def test_shipped_heads_say_what_they_are(sound: str) -> None:
    """Each can be read, is of its sound, and tells what it was fitted on."""
    file = read_shipped(sound)
    assert file.sound == sound
    assert file.curve.calibrated
    assert all(file.provenance[name] for name in ("data", "groups", "split", "date", "figures"))


@pytest.mark.model
def test_shipped_heads_fit_the_published_model(model_path: Path) -> None:
    """At the usual hop every sound is told by what it is configured with."""
    recogniser = WindowRecogniser(Classifier(model_path), hop_seconds=0.48)
    sounds = build_sounds(with_all_sounds(parse_config("", "default")), recogniser.spec)
    assert {sound.detector.sound: sound.refused for sound in sounds if sound.refused} == {}


@pytest.mark.model
def test_at_another_hop_all_sounds_are_still_heard(model_path: Path) -> None:
    """With stand-ins where there must be."""
    recogniser = WindowRecogniser(Classifier(model_path), hop_seconds=0.24)
    config = with_all_sounds(parse_config("", "default"))
    line = build_pipeline(config, [recogniser], clock=HandClock())
    line.feed(Block(0, np.zeros(32_000, np.float32), 2.0))
    assert set(line.evidence) == set(config.sounds)
