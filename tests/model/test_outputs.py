"""Further outputs of a model: found by the graph's shape, declared, and read as numbers."""

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from detector.core.audio import Block, Samples
from detector.core.recognition import EMBEDDING, LEVEL, LOGITS, SCORES, Array, Observation
from detector.model.interpreter import Classifier
from detector.model.outputs import declare_outputs, find_tensors, with_outputs
from detector.model.recogniser import WindowRecogniser
from tests.model.tools import append_labels, layered_model, slicing_model

LAYERS = [[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], [[1.0, -1.0], [2.0, 0.0], [0.0, 0.5]]]
"""Three samples, two numbers of an embedding, three classes."""
WINDOW = 15_600


def written(folder: Path, content: bytes) -> Path:
    """A model file with labels."""
    path = folder / "layered.tflite"
    path.write_bytes(content)
    append_labels(path, {"labels.txt": "knock\nring\ncry\n"})
    return path


def window_of(*samples: float) -> Samples:
    """Half a second that begins with these samples."""
    window = np.zeros(8000, np.float32)
    window[: len(samples)] = samples
    return window


def test_what_a_model_makes_before_the_scores_is_handed_out_too(tmp_path: Path) -> None:
    """Each as the layers make it; the embedding in half precision."""
    classifier = Classifier(written(tmp_path, layered_model(LAYERS)))
    outputs = classifier.outputs(window_of(0.1, 0.2, 0.3))
    embedding = np.array(LAYERS[0]) @ [0.1, 0.2, 0.3]
    logits = np.array(LAYERS[1]) @ embedding
    np.testing.assert_allclose(outputs[EMBEDDING], embedding, rtol=1e-3)
    np.testing.assert_allclose(outputs[LOGITS], logits, rtol=1e-5)
    np.testing.assert_allclose(outputs[SCORES], 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert outputs[EMBEDDING].dtype == np.float16
    assert {name: one.shape for name, one in outputs.items()} == classifier.output_shapes


def test_what_was_handed_out_does_not_change_with_the_next_window(tmp_path: Path) -> None:
    """Ninety seconds of it are kept."""
    classifier = Classifier(written(tmp_path, layered_model(LAYERS)))
    first = classifier.outputs(window_of(1.0))
    kept = {name: one.copy() for name, one in first.items()}
    classifier.outputs(window_of(-3.0, 2.0))
    for name, one in kept.items():
        np.testing.assert_array_equal(first[name], one)


def test_a_model_with_one_layer_has_logits_and_its_input() -> None:
    """Whatever the last layer looks at is the embedding."""
    assert find_tensors(layered_model([LAYERS[0]])) == {LOGITS: 5, EMBEDDING: 4}


@pytest.mark.parametrize(
    "content",
    [slicing_model(), slicing_model(outputs=2), layered_model(LAYERS, sigmoid=False)],
    ids=["no layers", "two outputs", "no sigmoid"],
)
def test_a_model_of_another_build_stays_as_it_is(content: bytes) -> None:
    """There is nothing to be found, and nothing is guessed."""
    declared = declare_outputs(content)
    assert declared.content == content
    assert declared.tensors == {}


def test_an_embedding_too_long_to_be_kept_is_left_out() -> None:
    """The logits are given all the same."""
    wide = [[0.0] * 3] * 8193
    assert set(find_tensors(layered_model([wide, [[0.0] * 8193]]))) == {LOGITS}


def test_nothing_moves_when_outputs_are_declared(tmp_path: Path) -> None:
    """One reference is changed; the longer vector comes after the labels, in step."""
    content = written(tmp_path, layered_model(LAYERS)).read_bytes()
    longer = with_outputs(content, (1, 2))
    changed = [i for i, byte in enumerate(content) if longer[i] != byte]
    assert changed
    assert changed[-1] - changed[0] < 4
    at = changed[0] - changed[0] % 4
    vector = at + struct.unpack_from("<I", longer, at)[0]
    assert vector % 4 == 0
    assert vector >= len(content)
    assert struct.unpack_from("<4i", longer, vector) == (3, 8, 1, 2)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_comes_back_as_it_was_or_longer(seed: int) -> None:
    """Whatever is damaged; it is the interpreter that refuses it, not this."""
    rng, content = random.Random(seed), layered_model(LAYERS)
    for _ in range(50):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 2, 8))):
            damaged[rng.randrange(8, len(damaged))] = rng.choice(
                (0, 1, 127, 255, rng.randrange(256))
            )
        declared = declare_outputs(bytes(damaged))
        assert len(declared.content) >= len(content)
        assert bool(declared.tensors) == (declared.content != damaged)


@pytest.mark.parametrize("kept", range(0, 1000, 7))
def test_a_file_cut_short_is_no_crash(kept: int) -> None:
    """It may end anywhere."""
    content = layered_model(LAYERS)[:kept]
    assert len(declare_outputs(content).content) >= len(content)


def noise(seed: int) -> Samples:
    """White noise at −20 dBFS, a window long."""
    samples = np.random.default_rng(seed).normal(0.0, 0.1, WINDOW)
    return samples.astype(np.float32)


@pytest.mark.model
class TestYamnet:
    """The official model."""

    def test_its_tensors_are_found_by_their_place(self, model_path: Path) -> None:
        """As they are known to be numbered."""
        assert find_tensors(model_path.read_bytes()) == {LOGITS: 118, EMBEDDING: 115}

    def test_its_outputs_are_declared(self, model_path: Path) -> None:
        """For whoever builds on them."""
        spec = WindowRecogniser(Classifier(model_path), hop_seconds=0.48).spec
        shapes = {SCORES: (521,), LOGITS: (521,), EMBEDDING: (1024,), LEVEL: ()}
        assert dict(spec.outputs) == shapes

    def test_bytes_are_read_with_the_scale_of_the_file(self, model_path: Path) -> None:
        """Logits and embedding are multiples of their steps, over the range of a byte."""
        outputs = Classifier(model_path).outputs(noise(2))
        steps = outputs[LOGITS].astype(np.float64) / 0.3471774757 + 100
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
        assert -128 <= steps.min() <= steps.max() <= 127
        steps = outputs[EMBEDDING].astype(np.float64) / 0.0223283504
        np.testing.assert_allclose(steps, np.round(steps), atol=0.07)  # of half precision
        assert 0 <= steps.min() <= steps.max() <= 255

    def test_the_scores_are_the_sigmoid_of_the_logits(self, model_path: Path) -> None:
        """To half a step of the scores."""
        outputs = Classifier(model_path).outputs(noise(3))
        sigmoid = 1.0 / (1.0 + np.exp(-outputs[LOGITS]))
        np.testing.assert_allclose(outputs[SCORES], np.minimum(sigmoid, 255 / 256), atol=1 / 500)

    def test_ninety_seconds_of_observations_are_small(self, model_path: Path) -> None:
        """Little over a megabyte, of which the embeddings are less than half."""
        recogniser = WindowRecogniser(Classifier(model_path), hop_seconds=0.48)
        (seen,) = recogniser.feed(Block(0, np.zeros(WINDOW, np.float32), 0.0))
        held = 90 / 0.48
        assert seen.outputs[EMBEDDING].nbytes * held < 0.5e6
        assert sum(one.nbytes for one in seen.outputs.values()) * held < 1.3e6

    @pytest.mark.recordings
    def test_scores_are_the_same_to_the_last_bit(self, model_path: Path, recordings: Path) -> None:
        """Over recordings of all kinds, beside an interpreter with the file as it is."""
        bare = Bare(model_path)
        recogniser = WindowRecogniser(Classifier(model_path), hop_seconds=0.96)
        windows = 0
        for path in sorted(recordings.rglob("*.flac"))[::60]:
            for seen, window in heard(recogniser.fresh(), path):
                np.testing.assert_array_equal(seen.outputs[SCORES], bare(window))
                windows += 1
        print(f"{windows} windows")
        assert windows > 50


class Bare:
    """The file as it is, in whichever runtime there is."""

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            from tflite_runtime.interpreter import Interpreter
        self._run: Any = Interpreter(model_content=path.read_bytes(), num_threads=1)
        self._run.allocate_tensors()

    def __call__(self, window: Samples) -> Array:
        """Its scores."""
        self._run.set_tensor(self._run.get_input_details()[0]["index"], window)
        self._run.invoke()
        scores: Array = self._run.get_tensor(self._run.get_output_details()[0]["index"])
        return scores.reshape(-1)


def heard(recogniser: WindowRecogniser, path: Path) -> list[tuple[Observation, Samples]]:
    """The windows of a recording's first ten seconds, and what was made of each."""
    read = soundfile.read(path, dtype="float32", always_2d=True, frames=10 * 48_000)
    samples = np.ascontiguousarray(read[0].mean(axis=1), np.float32)[:160_000]
    starts = range(0, len(samples) - WINDOW + 1, round(0.96 * 16_000))
    seen = recogniser.feed(Block(0, samples, 0.0))
    return [(one, samples[at : at + WINDOW]) for one, at in zip(seen, starts, strict=True)]
