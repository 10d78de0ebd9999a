"""Observations of audio, and the same again without the model."""

from pathlib import Path

import numpy as np

from detector.core.recognition import SCORES
from detector.workbench.observe import Cache, Replayed, blocks, observe
from tests.service.fakes import ToldRecogniser, second


def three_seconds() -> np.ndarray:
    """What the fake hears as three windows."""
    return np.concatenate([second(0, score).samples for score in (0.25, 0.5, 0.75)])


def test_a_recording_is_heard_to_its_end() -> None:
    """Its last window is filled up with silence."""
    ((*windows,),) = observe(three_seconds()[:40_000], [ToldRecogniser(["knock"])])
    assert [one.end_s for one in windows] == [1.0, 2.0, 3.0]
    assert [float(one.outputs[SCORES][0]) for one in windows] == [0.25, 0.5, 0.75]


def test_what_is_replayed_comes_when_it_came() -> None:
    """With the block that its window ends in, once."""
    recogniser = ToldRecogniser(["knock"])
    (observations,) = observe(three_seconds(), [recogniser])
    replayed = Replayed(recogniser.spec, observations)
    told = [[one.end_s for one in replayed.feed(block)] for block in blocks(three_seconds(), 8_000)]
    assert told == [[], [1.0], [], [2.0], [], [3.0]]
    assert [one.end_s for one in replayed.fresh().feed(second(0))] == [1.0]


def test_the_cache_gives_the_same_without_the_recogniser(tmp_path: Path) -> None:
    """For the same audio and recogniser only."""
    cache = Cache(tmp_path / "cache")
    first, silent = ToldRecogniser(["knock"]), ToldRecogniser(["knock"])
    heard = cache.observe(three_seconds(), [first])
    silent.fresh = lambda: (_ for _ in ()).throw(AssertionError)  # type: ignore[method-assign]
    again = cache.observe(three_seconds(), [silent])
    for one, other in zip(heard[0], again[0], strict=True):
        assert (one.start_s, one.end_s) == (other.start_s, other.end_s)
        assert {name: array.tolist() for name, array in one.outputs.items()} == {
            name: array.tolist() for name, array in other.outputs.items()
        }
    other_labels = cache.observe(three_seconds(), [ToldRecogniser(["knock", "ring"])])
    assert other_labels[0][0].outputs[SCORES].shape == (2,)


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    """Opt-in."""
    Cache(None).observe(three_seconds(), [ToldRecogniser(["knock"])])
    assert list(tmp_path.iterdir()) == []
