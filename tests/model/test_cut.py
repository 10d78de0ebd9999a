"""The network without its front end: where a model is cut, and that nobody can tell."""

import logging
import random
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import Block, Samples
from detector.core.recognition import SCORES
from detector.model.cut import cut_off, find_cut, require_same, trial_windows
from detector.model.graph import Graph
from detector.model.interpreter import Classifier
from detector.model.melspectrum import FrontEnd, MelSpectrum
from detector.model.recogniser import WindowRecogniser
from tests.benchmarks.equality import Found, compare, streams
from tests.model.tools import layered_model, slicing_model

WINDOW = 15_600
LAYERS = [[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], [[1.0, -1.0], [2.0, 0.0], [0.0, 0.5]]]
DAMAGE = (struct.error, IndexError, ValueError)


@pytest.mark.parametrize(
    "content", [slicing_model(), slicing_model(outputs=2), layered_model(LAYERS)]
)
def test_a_model_of_another_build_is_not_cut(content: bytes) -> None:
    """It has no mel energies."""
    with pytest.raises(ValueError, match="no mel energies"):
        find_cut(content)


def test_a_model_of_another_build_runs_whole(
    make_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says why, to those who ask."""
    caplog.set_level(logging.DEBUG)
    classifier = Classifier(make_model())
    assert classifier.spectrum is None
    assert classifier.scores(np.ones(8000, np.float32)).tolist() == [1.0, 1.0, 1.0]
    assert "runs whole: there are no mel energies in its graph" in caplog.text


@pytest.mark.parametrize("operators", [0, 2, 5])
def test_nothing_is_cut_where_there_is_nothing(operators: int) -> None:
    """Something must be left out, and something left."""
    with pytest.raises(ValueError, match="nothing can be left out"):
        Graph(layered_model([LAYERS[0]], sigmoid=False)).beginning_at(3, operators)


def test_the_rest_of_a_graph_runs_alone(tmp_path: Path) -> None:
    """Cut behind its first operator, a small model takes what that gave."""
    graph = Graph(Graph(layered_model(LAYERS)).beginning_at(5, 1))
    assert graph.inputs == (5,)
    assert [one.code for one in graph.operators] == [9, 9, 14]
    assert graph.outputs == Graph(layered_model(LAYERS)).outputs


def test_a_front_end_that_does_something_else_is_found_out() -> None:
    """By the rows of noise; one rounding here and there is borne."""
    mel = np.zeros((2, 257), np.float32)
    mel[0, 20:60], mel[1, 60:200] = 1.0, 0.5
    taper, offset = np.hanning(400).astype(np.float32), np.full(2, 0.001, np.float32)
    front_end = FrontEnd(WINDOW, 160, 96, taper, 512, mel, offset)
    spectrum = MelSpectrum(front_end, front_end.energies)
    ours = MelSpectrum(front_end, front_end.energies)
    require_same(spectrum, ours.rows)
    require_same(spectrum, lambda window: np.nextafter(ours.rows(window), np.float32(9)))
    with pytest.raises(ValueError, match="does more than it seems"):
        require_same(spectrum, lambda window: ours.rows(window) * np.float32(1.00001))


def test_what_is_tried_is_sound_and_always_the_same() -> None:
    """A second of noise and tones, of a quiet night, and of nothing."""
    levels = [float(window.std()) for window in trial_windows(WINDOW)]
    assert levels == pytest.approx([0.08, 0.001, 0.0], rel=0.3)
    for one, other in zip(trial_windows(WINDOW), trial_windows(WINDOW), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def cut(model_path: Path) -> Classifier:
    """YAMNet as the detector runs it."""
    return Classifier(model_path)


@pytest.fixture(scope="module")
def whole(model_path: Path) -> Classifier:
    """YAMNet whole in the interpreter."""
    return Classifier(model_path, whole=True)


def noise(count: int, level: float = 0.1) -> Samples:
    """White noise, shape (count,)."""
    return np.random.default_rng(3).normal(0.0, level, count).astype(np.float32)


@pytest.mark.model
class TestYamnet:
    """The official model."""

    def test_its_front_end_is_read_from_the_file(self, model_path: Path) -> None:
        """As its README has it."""
        found = find_cut(model_path.read_bytes())
        front_end = found.front_end
        assert (found.tensor, found.operators) == (24, 11)
        assert (front_end.window_samples, front_end.step_samples) == (WINDOW, 160)
        assert (front_end.rows, front_end.fft_samples) == (96, 512)
        np.testing.assert_allclose(front_end.taper, np.hanning(401)[:-1], atol=1e-6)
        np.testing.assert_array_equal(front_end.offset, np.float32(0.001))
        assert front_end.mel.shape == (64, 257)
        assert front_end.used == slice(5, 240)

    def test_it_is_cut_unless_it_is_to_be_whole(self, cut: Classifier, whole: Classifier) -> None:
        """The same from outside."""
        assert cut.spectrum is not None
        assert whole.spectrum is None
        assert cut.window_samples == whole.window_samples == WINDOW
        assert cut.output_shapes == whole.output_shapes
        assert cut.content_hash == whole.content_hash

    @pytest.mark.parametrize("level", [0.0, 1e-5, 1e-3, 0.1, 1.0, 30.0])
    def test_all_outputs_are_the_same(
        self, cut: Classifier, whole: Classifier, level: float
    ) -> None:
        """Of a single window, at any level."""
        window = noise(WINDOW, level)
        theirs = whole.outputs(window)
        for name, ours in cut.outputs(window).items():
            np.testing.assert_array_equal(ours, theirs[name], err_msg=name)

    def test_what_is_no_sound_gives_what_the_whole_model_gives(
        self, cut: Classifier, whole: Classifier
    ) -> None:
        """A broken microphone's numbers."""
        window = noise(WINDOW)
        window[5000:5010] = np.nan
        np.testing.assert_array_equal(cut.scores(window), whole.scores(window))

    @pytest.mark.parametrize("hop_seconds", [0.01, 0.1, 0.48, 0.97, 0.98, 2.0])
    def test_any_hop_and_any_beginning(
        self, cut: Classifier, whole: Classifier, hop_seconds: float
    ) -> None:
        """A stream may begin at any sample, and anew after a gap."""
        pair = [WindowRecogniser(one, hop_seconds=hop_seconds) for one in (cut, whole)]
        samples = noise(WINDOW + round(3 * hop_seconds * 16_000) + 77)
        for start in (0, 1_000_037):
            ours, theirs = (one.feed(Block(start, samples, 0.0)) for one in pair)
            assert len(ours) == len(theirs) == 4
            for one, other in zip(ours, theirs, strict=True):
                assert (one.start_s, one.end_s) == (other.start_s, other.end_s)
                np.testing.assert_array_equal(one.outputs[SCORES], other.outputs[SCORES])

    def test_two_streams_over_one_model_do_not_mix(self, cut: Classifier) -> None:
        """Each keeps its own rows."""
        first = WindowRecogniser(cut, hop_seconds=0.1)
        second = first.fresh()
        samples = noise(WINDOW + 1600)
        quiet = samples * np.float32(0.01)
        alone = first.fresh().feed(Block(0, samples, 0.0))[1].outputs[SCORES]
        first.feed(Block(0, samples[:WINDOW], 0.0))
        second.feed(Block(0, quiet, 0.0))
        (seen,) = first.feed(Block(WINDOW, samples[WINDOW:], 0.0))
        np.testing.assert_array_equal(seen.outputs[SCORES], alone)

    def test_a_front_end_of_other_steps_runs_whole(
        self, model_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What the parameters do not tell is found by trying."""
        caplog.set_level(logging.DEBUG)
        content = model_path.read_bytes()
        steps = (2 * np.arange(96)[:, None] + np.arange(5)).astype("<i4")
        other = steps.copy()
        other[50] -= 2
        assert content.count(steps.tobytes()) == 1
        path = tmp_path / "other.tflite"
        path.write_bytes(content.replace(steps.tobytes(), other.tobytes()))
        assert Classifier(path).spectrum is None
        assert "runs whole: its front end does more than it seems" in caplog.text

    @pytest.mark.parametrize("seed", range(4))
    def test_a_damaged_file_is_an_error_of_a_kind_or_none(
        self, model_path: Path, seed: int
    ) -> None:
        """Whatever is overwritten where the file holds its graph."""
        rng, content = random.Random(seed), bytearray(model_path.read_bytes())
        for _ in range(60):
            places = [rng.randrange(3_836_100, 3_842_000) for _ in range(rng.choice((1, 2, 8)))]
            kept = {at: content[at] for at in places}
            for at in places:
                content[at] = rng.choice((0, 1, 127, 255, rng.randrange(256)))
            with suppress(*DAMAGE):
                assert len(cut_off(bytes(content), find_cut(bytes(content)))) == len(content)
            for at, byte in kept.items():
                content[at] = byte

    @pytest.mark.recordings
    @pytest.mark.parametrize("hop_seconds", [0.48, 0.1])
    def test_minutes_of_recordings_give_the_same(
        self, cut: Classifier, whole: Classifier, recordings: Path, hop_seconds: float
    ) -> None:
        """``python -m tests.benchmarks.equality`` does it with hours."""
        found = Found()
        for samples in streams(recordings, 240 * hop_seconds):
            ours, theirs = (WindowRecogniser(one, hop_seconds=hop_seconds) for one in (cut, whole))
            compare(ours, theirs, samples, found)
        print(found)
        assert found.windows > 50
        assert found.is_good
