"""Windows on a stream of blocks and gaps, with a model that remembers what it was shown."""

import itertools
from collections.abc import Mapping

import numpy as np
import pytest

from detector.core.audio import Block, Gap, GapCause, Samples
from detector.core.errors import ModelError
from detector.core.level import FLOOR_DBFS
from detector.core.recognition import EMBEDDING, LEVEL, SCORES, Array, Observation, Recogniser
from detector.model.recogniser import ClassifierLike, WindowRecogniser

WINDOW = 1000


class RememberingClassifier:
    """Keeps a copy of each window; its scores are the window's first and last sample."""

    window_samples = WINDOW
    labels = ("first", "last")
    content_hash = "ab" * 32
    output_shapes: Mapping[str, tuple[int, ...]] = {SCORES: (2,), EMBEDDING: (1,)}

    def __init__(self) -> None:
        self.windows: list[Samples] = []

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """First and last sample, and the middle one."""
        self.windows.append(window.copy())
        return {SCORES: window[[0, -1]].copy(), EMBEDDING: window[[WINDOW // 2]].copy()}


class FailingOnceClassifier(RememberingClassifier):
    """Fails on its first window."""

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """First and last sample, but not of the first window."""
        outputs = super().outputs(window)
        if len(self.windows) == 1:
            raise ModelError("the model failed")
        return outputs


def counting_block(start: int, count: int) -> Block:
    """Block whose samples are their own absolute index, so that a window tells where it was."""
    return Block(start, np.arange(start, start + count, dtype=np.float32), 0.0)


def feed_all(recogniser: Recogniser, items: list[Block | Gap]) -> list[Observation]:
    """Feed all items; all observations."""
    return list(itertools.chain.from_iterable(recogniser.feed(item) for item in items))


def random_stream(rng: np.random.Generator) -> tuple[list[Block | Gap], list[tuple[int, int]]]:
    """Blocks of random sizes with gaps between runs; and the runs as (start, end)."""
    items: list[Block | Gap] = []
    runs = []
    sample = int(rng.integers(0, 50_000))
    for _ in range(4):
        start = sample
        for count in rng.integers(0, 1500, size=rng.integers(0, 12)):
            items.append(counting_block(sample, int(count)))
            sample += int(count)
        runs.append((start, sample))
        lost = int(rng.integers(1, 3000))
        items.append(Gap(sample, lost, GapCause.OVERFLOW))
        sample += lost
    return items, runs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("hop", [160, 480, 960, 1120, 3200])
def test_windows_equal_plain_slicing(hop: int, seed: int) -> None:
    """Whatever the block sizes, hops (longer than a window too) and gaps; none spans a gap."""
    items, runs = random_stream(np.random.default_rng(seed))
    expected = [
        (start, start + WINDOW)
        for begin, end in runs
        for start in range(begin, end - WINDOW + 1, hop)
    ]
    classifier = RememberingClassifier()
    observations = feed_all(WindowRecogniser(classifier, hop_seconds=hop / 16_000), items)
    assert [(o.start_s, o.end_s) for o in observations] == [
        (start / 16_000, end / 16_000) for start, end in expected
    ]
    for window, (start, end) in zip(classifier.windows, expected, strict=True):
        np.testing.assert_array_equal(window, np.arange(start, end, dtype=np.float32))


def test_unannounced_jump_begins_anew() -> None:
    """A source that forgot to say that audio is missing does not get it spliced."""
    classifier = RememberingClassifier()
    recogniser = WindowRecogniser(classifier, hop_seconds=0.01)
    items: list[Block | Gap] = [counting_block(0, 900), counting_block(905, WINDOW)]
    (observation,) = feed_all(recogniser, items)
    assert observation.start_s == 905 / 16_000


def test_gap_forgets_half_a_window() -> None:
    """Also where the lost audio is shorter than a hop."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.01)
    before, gap = counting_block(0, 999), Gap(999, 1, GapCause.BEHIND)
    assert feed_all(recogniser, [before, gap, counting_block(1000, 999)]) == []
    assert len(recogniser.feed(counting_block(1999, 1))) == 1


def test_gap_of_no_samples_begins_anew_too() -> None:
    """Nobody may know how much was lost where a source came back."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.01)
    before, gap = counting_block(0, 999), Gap(999, 0, GapCause.SOURCE_LOST)
    assert feed_all(recogniser, [before, gap, counting_block(999, 999)]) == []


def test_one_long_block_gives_all_its_windows_in_order() -> None:
    """As when a file is read whole."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.03)
    starts = [o.start_s for o in recogniser.feed(counting_block(0, WINDOW + 3 * 480))]
    assert starts == [0.0, 0.03, 0.06, 0.09]


def test_observation_holds_what_the_model_gives_and_the_level() -> None:
    """A full-scale sine is −3 dBFS; the level is an array without dimensions."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.01)
    sine = np.sin(2 * np.pi * 160 * np.arange(WINDOW) / 16_000).astype(np.float32)
    (observation,) = recogniser.feed(Block(0, sine, 0.0))
    assert set(observation.outputs) == set(recogniser.spec.outputs)
    for name, shape in recogniser.spec.outputs.items():
        assert observation.outputs[name].shape == shape
        assert observation.outputs[name].dtype == np.float32
    np.testing.assert_array_equal(observation.outputs[SCORES], sine[[0, -1]])
    np.testing.assert_array_equal(observation.outputs[EMBEDDING], sine[[WINDOW // 2]])
    assert float(observation.outputs[LEVEL]) == pytest.approx(-3.01, abs=0.01)


def test_digital_silence_is_the_floor() -> None:
    """Not full scale."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.01)
    (observation,) = recogniser.feed(Block(0, np.zeros(WINDOW, np.float32), 0.0))
    assert float(observation.outputs[LEVEL]) == FLOOR_DBFS


def test_observation_does_not_change_afterwards() -> None:
    """The window's buffer is used again; what was handed over is not."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=0.01)
    (first,) = recogniser.feed(counting_block(0, WINDOW))
    recogniser.feed(counting_block(WINDOW, 5000))
    assert first.outputs[SCORES].tolist() == [0.0, WINDOW - 1.0]


def test_spec_tells_model_hop_and_window() -> None:
    """What calibrations are checked against."""
    spec = WindowRecogniser(RememberingClassifier(), hop_seconds=0.48).spec
    assert (spec.content_hash, spec.labels) == ("ab" * 32, ("first", "last"))
    assert (spec.hop_samples, spec.hop_s, spec.context_samples) == (7680, 0.48, WINDOW)
    assert dict(spec.outputs) == {SCORES: (2,), EMBEDDING: (1,), LEVEL: ()}


@pytest.mark.parametrize("hop_seconds", [0.0, -0.01, 0.005, 0.0155, float("nan")])
def test_hop_that_is_no_multiple_of_ten_milliseconds_is_refused(hop_seconds: float) -> None:
    """The message says the value and what would be right."""
    with pytest.raises(ModelError, match=r"hop of .* is not a multiple of 0\.01 s"):
        WindowRecogniser(RememberingClassifier(), hop_seconds=hop_seconds)


@pytest.mark.parametrize("hundredths", [1, 7, 29, 48, 57, 1000])
def test_hop_is_exact_in_samples(hundredths: int) -> None:
    """Decimal fractions that binary numbers only approximate are taken as meant."""
    recogniser = WindowRecogniser(RememberingClassifier(), hop_seconds=hundredths / 100)
    assert recogniser.spec.hop_samples == hundredths * 160


def test_model_failure_is_passed_on_and_survived() -> None:
    """Whoever goes on feeding gets whole windows again."""
    classifier: ClassifierLike = FailingOnceClassifier()
    recogniser = WindowRecogniser(classifier, hop_seconds=0.05)
    with pytest.raises(ModelError, match="the model failed"):
        recogniser.feed(counting_block(0, 1200))
    (observation,) = recogniser.feed(counting_block(1200, WINDOW))
    assert observation.outputs[SCORES].tolist() == [1200.0, 1199.0 + WINDOW]
