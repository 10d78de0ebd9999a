"""The real model: known scores, known sounds, and damaged copies of it."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.core.audio import Block, Samples
from detector.core.errors import ModelError
from detector.core.recognition import SCORES
from detector.model.interpreter import Classifier
from detector.model.modelfile import sha256_of
from detector.model.recogniser import WindowRecogniser
from detector.model.store import OFFICIAL_SHA256, OFFICIAL_SIZE

pytestmark = pytest.mark.model

WINDOW = 15_600


@pytest.fixture(scope="module")
def yamnet(model_path: Path) -> Classifier:
    """The real model, loaded once."""
    return Classifier(model_path)


@pytest.fixture(scope="module")
def speech(model_path: Path) -> Samples:
    """The recording that Google's own test of this model uses, shape (n,)."""
    path = model_path.parent / "speech.wav"
    if not path.exists():
        pytest.skip("speech.wav does not stand beside the model")
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    return np.asarray(samples, np.float32)


@pytest.fixture
def damaged(model_path: Path, tmp_path: Path) -> Callable[[bytes], Path]:
    """Write what became of the model."""

    def write(content: bytes) -> Path:
        path = tmp_path / "damaged.tflite"
        path.write_bytes(content)
        return path

    return write


def rank(classifier: Classifier, window: Samples, label: str) -> int:
    """Place of a class among all, 1 being the best; a tie counts against it."""
    scores = classifier.scores(window)
    place = int(np.sum(scores >= scores[classifier.labels.index(label)]))
    print(f"{label}: rank {place}, score {scores[classifier.labels.index(label)]}")
    return place


def test_model_is_the_one_this_was_written_for(model_path: Path) -> None:
    """Otherwise the other tests here say nothing."""
    assert (model_path.stat().st_size, sha256_of(model_path)) == (OFFICIAL_SIZE, OFFICIAL_SHA256)


def test_model_contract(yamnet: Classifier) -> None:
    """0.975 s at 16 kHz, and 521 classes."""
    assert yamnet.window_samples == WINDOW
    assert len(yamnet.labels) == len(set(yamnet.labels)) == 521
    assert (yamnet.labels[0], yamnet.labels[520]) == ("Speech", "Field recording")
    assert yamnet.content_hash == OFFICIAL_SHA256


def test_first_window_of_speech_scores_as_published(yamnet: Classifier, speech: Samples) -> None:
    """To the last bit, through the recogniser."""
    recogniser = WindowRecogniser(yamnet, hop_seconds=0.48)
    first = recogniser.feed(Block(0, speech, 0.0))[0]
    scores = dict(zip(recogniser.spec.labels, first.outputs[SCORES].tolist(), strict=True))
    assert scores["Speech"] == 0.91796875
    assert scores["Inside, small room"] == 0.08203125


def test_windows_do_not_depend_on_one_another(yamnet: Classifier, speech: Samples) -> None:
    """The model keeps nothing from window to window."""
    window = speech[:WINDOW]
    first = yamnet.scores(window)
    yamnet.scores(np.zeros(WINDOW, np.float32))
    np.testing.assert_array_equal(yamnet.scores(window), first)


def test_zeros_are_silence(yamnet: Classifier) -> None:
    """Digital silence is named as such."""
    assert rank(yamnet, np.zeros(WINDOW, np.float32), "Silence") == 1


@pytest.mark.parametrize("amplitude", [0.01, 0.03, 0.1])
def test_white_noise_is_white_noise(yamnet: Classifier, amplitude: float) -> None:
    """Among the best three, beside Noise and Static, from −40 to −20 dBFS."""
    noise = np.random.default_rng(1).standard_normal(WINDOW).astype(np.float32)
    assert rank(yamnet, noise * np.float32(amplitude), "White noise") <= 3


@pytest.mark.parametrize("amplitude", [0.05, 0.1, 0.25, 0.5])
def test_440_hz_is_a_sine_wave(yamnet: Classifier, amplitude: float) -> None:
    """The best of all at any reasonable level."""
    sine = amplitude * np.sin(2 * np.pi * 440 * np.arange(WINDOW) / 16_000)
    assert rank(yamnet, sine.astype(np.float32), "Sine wave") == 1


@pytest.mark.parametrize("kept", [100, 4096, 1_000_000, 4_120_000, 4_126_700])
def test_truncated_model_is_refused(
    model_path: Path, damaged: Callable[[bytes], Path], kept: int
) -> None:
    """Wherever it was cut: the labels' directory at its end is gone."""
    path = damaged(model_path.read_bytes()[:kept])
    with pytest.raises(ModelError, match="label list missing"):
        Classifier(path)


def test_model_without_its_archive_is_refused(
    model_path: Path, damaged: Callable[[bytes], Path]
) -> None:
    """The network alone would run, but nobody could say what it heard."""
    content = model_path.read_bytes()
    path = damaged(content[: content.rindex(b"PK\x03\x04")])
    with pytest.raises(ModelError, match="label list missing"):
        Classifier(path)


def test_model_with_too_few_labels_is_refused(
    model_path: Path, yamnet: Classifier, damaged: Callable[[bytes], Path]
) -> None:
    """Counts are told."""
    content = model_path.read_bytes()
    path = damaged(content[: content.rindex(b"PK\x03\x04")])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\n".join(yamnet.labels[:520]))
    with pytest.raises(ModelError, match=r"fits its 521 classes: labels\.txt has 520"):
        Classifier(path)
