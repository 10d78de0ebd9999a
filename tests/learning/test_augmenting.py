"""Versions of a take: as the daemon would hear it elsewhere."""

import numpy as np

from detector.learning.augmenting import hear_take, noise
from detector.learning.takes import Take
from tests.learning.tools import BANDS, SpectralRecogniser, quiet, tone

TAKE = Take("a.wav", tone(3200.0, 0.6))


def test_every_version_has_windows_that_hold_the_sound_and_others_beside_them() -> None:
    """The first is the take as it is."""
    heard = hear_take(TAKE, SpectralRecogniser(), versions=6)
    assert set(heard.versions) == set(range(7))
    assert heard.embeddings.shape == (len(heard.versions), BANDS)
    assert len(heard.around) > 0
    assert heard.logits.argmax() == 1  # the "bell"


def test_the_sound_stands_out_in_the_windows_that_hold_it() -> None:
    """At 3.2 kHz, which lies in the seventh band; of the take as it is."""
    heard = hear_take(TAKE, SpectralRecogniser(), versions=0)
    assert (heard.embeddings.argmax(axis=1) == 6).all()
    assert heard.embeddings[:, 6].min() > heard.around[:, 6].max() + 1.0


def test_the_same_take_gives_the_same_versions() -> None:
    """On one machine."""
    first, again = (hear_take(TAKE, SpectralRecogniser(), versions=3) for _ in range(2))
    assert np.array_equal(first.embeddings, again.embeddings)


def test_backgrounds_of_ones_own_are_mixed_in() -> None:
    """Where there are some."""
    low = tone(300.0, 3.0) + quiet(3.0, np.random.default_rng(0))
    without = hear_take(TAKE, SpectralRecogniser(), versions=12)
    within = hear_take(TAKE, SpectralRecogniser(), versions=12, grounds=[low])
    assert within.around[:, 0].max() > without.around[:, 0].max()


def test_noise_has_a_level_of_one() -> None:
    """Whatever its colour, with hum or without."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        made = noise(16_000, rng)
        assert abs(float(np.sqrt(np.mean(made.astype(np.float64) ** 2))) - 1.0) < 1e-3
