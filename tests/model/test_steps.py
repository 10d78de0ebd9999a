"""Models of steps: their files, and how they hear a stream."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, GapCause, Samples
from detector.core.errors import ModelError
from detector.core.recognition import (
    EMBEDDING,
    LEVEL,
    LOGITS,
    SCORES,
    STEPS,
    Array,
    Observation,
)
from detector.model.stepfile import step_facts
from detector.model.steps import StepModel, StepRecogniser
from detector.model.trial import exercise, open_classifier, open_model
from tests.model.stepmaking import as_json, loudness_weights, step_file, step_graph

SOUNDS = ("kettle", "doorbell")
TONE_HZ = 2970.0
"""In the band that the tests' model listens to."""


@pytest.fixture
def model(tmp_path: Path) -> StepModel:
    """One that hears a tone of 3 kHz as a kettle."""
    return StepModel(step_file(tmp_path / "steps.tflite", SOUNDS))


def tone(seconds: float, *, begins_s: float, lasts_s: float) -> Samples:
    """Near silence with a tone in it."""
    rng = np.random.default_rng(3)
    samples = 1e-4 * rng.standard_normal(int(seconds * SAMPLE_RATE_HZ))
    first, count = int(begins_s * SAMPLE_RATE_HZ), int(lasts_s * SAMPLE_RATE_HZ)
    samples[first : first + count] += 0.3 * np.sin(
        2 * np.pi * TONE_HZ * np.arange(count) / SAMPLE_RATE_HZ
    )
    return samples.astype(np.float32)


def heard(
    recogniser: StepRecogniser, samples: Samples, *, block: int = 1600, start: int = 0
) -> list[Observation]:
    """All observations of some audio, fed in blocks."""
    found: list[Observation] = []
    for at in range(0, len(samples), block):
        found += recogniser.feed(Block(start + at, samples[at : at + block], 0.0))
    return found


def test_the_file_says_what_it_is(model: StepModel) -> None:
    """Labels, hop and tellings are packed in."""
    spec = StepRecogniser(model, hop_seconds=0.48).spec
    assert spec.labels == SOUNDS
    assert spec.hop_s == 0.48
    assert spec.context_samples == model.window_samples == 20_400
    assert spec.tellings["kettle"].threshold == 0.6
    assert spec.outputs[STEPS] == (12, 2)


def test_an_observation_comes_every_hop_and_joins_the_one_before(model: StepModel) -> None:
    """And ends with the last sample that it looks at."""
    found = heard(StepRecogniser(model, hop_seconds=0.48), tone(5.0, begins_s=1.0, lasts_s=1.0))
    assert [round(one.start_s, 2) for one in found] == [
        0.0,
        0.48,
        0.96,
        1.44,
        1.92,
        2.4,
        2.88,
        3.36,
    ]
    assert all(round(one.end_s - one.start_s, 3) == 1.275 for one in found)
    assert {SCORES, LOGITS, STEPS, EMBEDDING, LEVEL} == set(found[0].outputs)


def test_a_window_s_worth_of_audio_is_enough(model: StepModel) -> None:
    """As whoever fills up a short recording expects."""
    samples = tone(3.0, begins_s=0.0, lasts_s=3.0)[: model.window_samples]
    recogniser = StepRecogniser(model, hop_seconds=0.48)
    assert len(recogniser.feed(Block(0, samples, 0.0))) == 1
    assert not recogniser.fresh().feed(Block(0, samples[:-1], 0.0))


@pytest.mark.parametrize("block", [160, 777, 4_000, 80_000])
def test_it_makes_the_same_of_a_stream_however_it_is_cut(model: StepModel, block: int) -> None:
    """The state goes from call to call."""
    samples = tone(5.0, begins_s=1.3, lasts_s=0.9)
    usual = heard(StepRecogniser(model, hop_seconds=0.48), samples)
    other = heard(StepRecogniser(model, hop_seconds=0.48), samples, block=block)
    assert [one.start_s for one in usual] == [one.start_s for one in other]
    for one, two in zip(usual, other, strict=True):
        np.testing.assert_allclose(one.outputs[STEPS], two.outputs[STEPS], atol=1e-5)


def test_steps_tell_when_it_sounds(model: StepModel) -> None:
    """To 80 ms, from the window's beginning on; the other sound is never there."""
    samples = tone(4.0, begins_s=1.2, lasts_s=0.8)
    loud = [
        round(one.start_s + 0.08 * at, 2)
        for one in heard(StepRecogniser(model, hop_seconds=0.96), samples)
        for at in np.flatnonzero(one.outputs[STEPS][:, 0] > 0.5)
    ]
    assert loud
    assert abs(min(loud) - 1.2) <= 0.08 + 1e-6
    assert abs(max(loud) + 0.08 - 2.0) <= 0.08 + 1e-6


def test_scores_are_the_largest_steps_and_logits_theirs(model: StepModel) -> None:
    """What a family and a head look at."""
    (one,) = heard(StepRecogniser(model, hop_seconds=0.48), tone(1.3, begins_s=0.5, lasts_s=0.5))
    np.testing.assert_array_equal(one.outputs[SCORES], one.outputs[STEPS].max(axis=0))
    logits = np.log(one.outputs[SCORES] / (1 - one.outputs[SCORES]))
    np.testing.assert_allclose(one.outputs[LOGITS], logits, rtol=1e-3)


def test_a_gap_makes_it_begin_anew(model: StepModel) -> None:
    """Announced or not: nothing is heard across lost audio."""
    samples = tone(3.0, begins_s=0.0, lasts_s=3.0)
    recogniser = StepRecogniser(model, hop_seconds=0.48)
    heard(recogniser, samples)
    recogniser.feed(Gap(len(samples), 16_000, GapCause.BEHIND))
    after = heard(recogniser, samples, start=len(samples) + 16_000)
    assert after[0].start_s == 4.0
    jumped = recogniser.feed(Block(200_000, samples, 0.0))
    assert jumped[0].start_s == 12.5
    fresh = heard(recogniser.fresh(), samples)
    np.testing.assert_allclose(jumped[0].outputs[STEPS], fresh[0].outputs[STEPS], atol=1e-6)


@pytest.mark.parametrize("hop_seconds", [0.1, 0.5, 0.0, 1.92])
def test_a_hop_that_is_no_multiple_of_a_call_is_refused(
    model: StepModel, hop_seconds: float
) -> None:
    """In one line that says which would be right."""
    with pytest.raises(ModelError, match=r"multiple of 0\.24 s up to 0\.96 s") as error:
        StepRecogniser(model, hop_seconds=hop_seconds)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"version": 2}, "detector-crnn 2"),
        ({"steps": 0}, "0 steps"),
        ({"window_steps": 10}, "not so many calls"),
        ({"hop_seconds": 0.5}, "not so many calls"),
        ({"hop_seconds": "long"}, "no number"),
        ({"hop_seconds": 1.92}, "the hop is longer than the window"),
        ({"sounds": {"kettle": {"slope": 0.0}}}, "threshold"),
        ({"sounds": 7}, "items"),
    ],
)
def test_a_damaged_document_is_one_line(
    tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    """With the file's name and what is wrong."""
    path = step_file(tmp_path / "steps.tflite", SOUNDS, **changed)
    with pytest.raises(ModelError, match=reason) as error:
        StepModel(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_graph_that_does_not_do_what_its_file_says_is_refused(tmp_path: Path) -> None:
    """Two steps told, three promised."""
    weights = loudness_weights(2)[:2]
    path = step_file(tmp_path / "steps.tflite", SOUNDS, weights=weights)
    with pytest.raises(ModelError, match="not a model of 3 steps"):
        StepModel(path)


def test_labels_that_are_too_few_are_refused(tmp_path: Path) -> None:
    """One for each of its classes."""
    path = step_file(tmp_path / "steps.tflite", ("kettle",), weights=loudness_weights(2))
    with pytest.raises(ModelError, match="no label list fits its 2 classes"):
        StepModel(path)


def test_an_operator_that_the_runtime_lacks_is_one_line(tmp_path: Path) -> None:
    """Of a newer runtime, say."""
    path = tmp_path / "steps.tflite"
    path.write_bytes(step_graph(loudness_weights(2), logistic=5000))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "kettle\ndoorbell\n")
        archive.writestr("crnn.json", as_json(SOUNDS))
    with pytest.raises(ModelError) as error:
        open_model(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_another_model_is_none_of_steps(make_model: Any) -> None:
    """It says so; nothing is said of it where one only asks."""
    path = make_model()
    assert step_facts(path, path.read_bytes()) is None
    with pytest.raises(ModelError, match=r"no crnn\.json"):
        StepModel(path)


def test_either_kind_is_opened_after_its_trial(tmp_path: Path, make_model: Any) -> None:
    """Whoever opens a model need not know which it is."""
    steps = open_model(step_file(tmp_path / "steps.tflite", SOUNDS))
    assert isinstance(steps, StepModel)
    exercise(steps)
    plain = make_model()
    assert open_model(plain).labels == open_classifier(plain).labels


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_samples_that_are_no_numbers_do_not_deafen_it(model: StepModel, value: float) -> None:
    """What it remembers would else be no number for as long as it listens."""
    samples = tone(6.0, begins_s=3.5, lasts_s=0.9)
    spoilt = samples.copy()
    spoilt[8_000] = value
    recogniser = StepRecogniser(model, hop_seconds=0.48)
    told = heard(recogniser, spoilt)
    usual = heard(StepRecogniser(model, hop_seconds=0.48), samples)
    for one in told:
        assert all(np.isfinite(of).all() for of in one.outputs.values() if of.ndim)
    np.testing.assert_allclose(told[-1].outputs[SCORES], usual[-1].outputs[SCORES], atol=1e-3)


def test_a_memory_that_is_no_number_is_forgotten(
    model: StepModel, caplog: pytest.LogCaptureFixture
) -> None:
    """Once is said; the next call begins anew."""

    class Faltering(StepModel):
        calls = 0

        def call(self, rows: Array, state: Array) -> tuple[Array, Array]:
            """The third gives nonsense."""
            assert np.isfinite(state).all()
            told, after = super().call(rows, state)
            self.calls += 1
            return told, after * np.nan if self.calls in (3, 5) else after

    model.__class__ = Faltering
    recogniser = StepRecogniser(model, hop_seconds=0.48)
    told = heard(recogniser, tone(5.0, begins_s=3.0, lasts_s=1.0))
    assert all(np.isfinite(one.outputs[SCORES]).all() for one in told)
    assert max(one.outputs[SCORES][0] for one in told) > 0.5
    assert recogniser.losses == 2
    assert caplog.text.count("what is no number") == 1


def test_a_model_that_gives_no_numbers_is_not_taken(tmp_path: Path) -> None:
    """Its trial says so: it would be deaf."""
    weights = loudness_weights(2)
    weights[0, 1] = np.nan
    path = step_file(tmp_path / "steps.tflite", SOUNDS, weights=weights)
    with pytest.raises(ModelError, match="are no numbers") as error:
        open_model(path)
    assert "\n" not in str(error.value)


def test_what_is_told_of_a_sound_that_has_no_label_is_damage(tmp_path: Path) -> None:
    """Else the configuration would be blamed for it."""
    telling = {"slope": 1.0, "offset": 0.0, "threshold": 0.6, "release_threshold": 0.3}
    path = step_file(tmp_path / "steps.tflite", SOUNDS, sounds={"siren": telling})
    with pytest.raises(ModelError, match="siren is decided on, which is not among its labels"):
        StepModel(path)


def test_a_document_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is not passed off as another kind of model."""
    path = tmp_path / "steps.tflite"
    path.write_bytes(step_graph(loudness_weights(2)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "kettle\ndoorbell\n")
        archive.writestr("crnn.json", b"\xff\xfe")
    with pytest.raises(ModelError, match=r"crnn\.json in it is damaged: it cannot be read"):
        open_model(path)
