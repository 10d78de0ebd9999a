"""The log-mel front end of models of our own."""

from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.model.interpreter import Classifier
from detector.model.logmel import BANDS, ROW_SAMPLES, SILENCE, SPAN_SAMPLES, LogMel, front_end


def noise(seconds: float) -> Samples:
    """White, at −20 dBFS."""
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal(int(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize("block", [1, 160, 799, 1600, 16_000])
def test_a_stream_has_the_same_rows_however_it_is_cut(block: int) -> None:
    """What is learnt on whole recordings is what is heard block by block."""
    samples = noise(0.2 if block == 1 else 2.0)
    whole, stream = LogMel().feed(samples), LogMel()
    pieces = [stream.feed(samples[at : at + block]) for at in range(0, len(samples), block)]
    assert np.concatenate(pieces).shape == whole.shape
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=2e-6)


def test_a_row_comes_every_10_ms_once_its_25_ms_are_there() -> None:
    """No row is guessed."""
    stream = LogMel()
    assert stream.feed(noise(1.0)[: SPAN_SAMPLES - 1]).shape == (0, BANDS)
    assert stream.feed(noise(1.0)[:1]).shape == (1, BANDS)
    assert stream.feed(noise(1.0)[:ROW_SAMPLES]).shape == (1, BANDS)


def test_silence_is_the_floor() -> None:
    """And finite."""
    rows = LogMel().feed(np.zeros(SAMPLE_RATE_HZ, np.float32))
    np.testing.assert_allclose(rows, SILENCE, rtol=1e-6)


def test_what_was_before_is_forgotten_when_cleared() -> None:
    """A gap in the audio lets no row span it."""
    stream = LogMel()
    stream.feed(noise(1.0)[:1000])
    stream.clear()
    np.testing.assert_array_equal(stream.feed(noise(0.5)), LogMel().feed(noise(0.5)))


def test_a_tone_is_loudest_in_its_own_band() -> None:
    """1 kHz lies in the band whose triangle peaks next to it."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    rows = LogMel().feed(np.sin(2 * np.pi * 1000.0 * time_s).astype(np.float32))
    bins = np.argmax(front_end().mel[int(rows.mean(axis=0).argmax())])
    assert abs(bins * SAMPLE_RATE_HZ / 512 - 1000.0) < 60.0


@pytest.mark.model
def test_it_is_the_front_end_that_yamnet_has(model_path: Path) -> None:
    """So the two hear alike, and one may teach the other."""
    spectrum = Classifier(model_path).spectrum
    assert spectrum is not None
    np.testing.assert_array_equal(spectrum.front_end.mel, front_end().mel)
    np.testing.assert_allclose(spectrum.front_end.taper, front_end().taper, atol=1e-6)
    window = noise(0.975)
    np.testing.assert_allclose(np.log(spectrum.rows(window)), LogMel().feed(window), atol=1e-5)
