"""Classifiers of whole clips."""

import numpy as np
import pytest

from detector.core.recognition import EMBEDDING, Observation
from detector.events.clips import ClipClassifier, EmbeddingFeatures, MfccFeatures

CLASSIFIER = ClipClassifier(
    labels=("hungry", "tired", "other"),
    mean=np.array([1.0, 2.0], np.float32),
    scale=np.array([2.0, 0.5], np.float32),
    weights=np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], np.float32),
    bias=np.array([0.0, 0.5, -0.5]),
)


def test_probabilities_are_a_softmax_of_what_is_standardised() -> None:
    """By hand: standardised to (2, −1), log-odds 2, −1.5 and −2.5."""
    found = CLASSIFIER.probabilities(np.array([5.0, 1.5], np.float32))
    powers = np.exp([2.0, -1.5, -2.5])
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-6)


def test_no_features_are_too_far_off() -> None:
    """A sum that overflows would be no probability."""
    found = CLASSIFIER.probabilities(np.array([3e38, -3e38], np.float32))
    assert found.sum() == pytest.approx(1.0)


def test_an_embedding_is_the_mean_over_the_windows() -> None:
    """In full precision, though a window's is kept in half."""
    windows = [
        Observation(at, at + 1.0, {EMBEDDING: np.array(values, np.float16)})
        for at, values in enumerate(([1.0, 0.0], [2.0, 4.0]))
    ]
    features = EmbeddingFeatures(2, "0" * 64, 0.48)
    found = features.of(np.zeros(0, np.float32), windows)
    np.testing.assert_array_equal(found, [1.5, 2.0])
    assert found.dtype == np.float32


def test_coefficients_make_as_many_numbers_as_they_say() -> None:
    """So that a file can be held against them."""
    features = MfccFeatures(13)
    noise = np.random.default_rng(1).normal(0.0, 0.1, 16_000).astype(np.float32)
    assert features.of(noise, ()).shape == (features.size,) == (117,)
