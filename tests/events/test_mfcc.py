"""The classic features, held against those of librosa."""

import json
from typing import Any

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.events import mfcc
from tests.events.mfcc_reference import ORDERS, PATH, by_librosa, clips

CLIPS = clips()
STORED = json.loads(PATH.read_text(encoding="utf-8"))["clips"]
CLOSE = 2e-3
"""Of values of a hundred and more; the stored ones have three digits."""


def ours(name: str) -> dict[str, Any]:
    """The same three arrays."""
    plain = mfcc.mfcc(CLIPS[name])
    return {"mfcc": plain} | {f"delta {order}": mfcc.delta(plain, order) for order in ORDERS}


@pytest.mark.parametrize("name", CLIPS)
def test_they_are_those_that_librosa_made(name: str) -> None:
    """Coefficients, first and second differences, as stored by ``mfcc_reference``."""
    found = ours(name)
    assert set(found) == set(STORED[name])
    for what, values in found.items():
        np.testing.assert_allclose(values, STORED[name][what], rtol=0.0, atol=CLOSE, err_msg=what)


@pytest.mark.timeout(600)  # librosa compiles itself when it is first imported
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLIPS)
def test_they_are_those_that_librosa_makes_here(name: str) -> None:
    """Of whichever version is installed: it comes with the extra `dev`."""
    pytest.importorskip("librosa", reason="the extra `dev` is not installed")
    theirs = by_librosa(CLIPS[name])
    for what, values in ours(name).items():
        np.testing.assert_allclose(values, theirs[what], rtol=0.0, atol=CLOSE, err_msg=what)


def test_a_clip_becomes_180_numbers() -> None:
    """Means, variances and maxima of 20 coefficients, their differences and those of these."""
    found = mfcc.summary(CLIPS["a glide"])
    rows = np.concatenate(list(ours("a glide").values()))
    assert found.shape == (180,) == (mfcc.summary_size(20),)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:60], rows.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found[60:120], rows.var(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found[120:], rows.max(axis=1), rtol=1e-5)


def test_fewer_coefficients_are_the_first_of_more() -> None:
    """They are made one by one."""
    np.testing.assert_allclose(mfcc.mfcc(CLIPS["noise"], 13), mfcc.mfcc(CLIPS["noise"])[:13])


def test_a_gain_moves_the_first_coefficient_alone() -> None:
    """That is loudness; the others are the sound's colour."""
    quiet, loud = (mfcc.mfcc(gain * CLIPS["noise"]) for gain in (0.5, 1.0))
    np.testing.assert_allclose(quiet[1:], loud[1:], atol=0.01)
    assert (loud[0] - quiet[0] > 10.0).all()


def test_too_little_audio_is_refused() -> None:
    """Nine steps are what a difference is fitted to."""
    shortest = round(mfcc.SHORTEST_S * SAMPLE_RATE_HZ)
    assert mfcc.summary(CLIPS["noise"][:shortest]).shape == (180,)
    with pytest.raises(ValueError, match=r"0\.2559 s is less than 0\.256 s"):
        mfcc.summary(CLIPS["noise"][: shortest - 1])
