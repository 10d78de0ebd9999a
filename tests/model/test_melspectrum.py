"""Rows of mel energies: as a formula has them, and the same whichever way a window was come to."""

from collections.abc import Mapping

import numpy as np
import pytest

from detector.core.audio import Block, Samples
from detector.core.errors import ModelError
from detector.core.recognition import SCORES, Array
from detector.model.melspectrum import FrontEnd, MelSpectrum, MelStream
from detector.model.recogniser import WindowRecogniser

STEP, LENGTH, ROWS, FFT, BANDS = 160, 400, 12, 512, 5
WINDOW = (ROWS - 1) * STEP + LENGTH
OFFSET = 0.001


def front_end() -> FrontEnd:
    """A small one: five bands in the middle of the spectrum."""
    mel = np.zeros((BANDS, FFT // 2 + 1), np.float32)
    for band in range(BANDS):
        mel[band, 20 + 10 * band : 40 + 10 * band] = np.hanning(20)
    taper = np.hanning(LENGTH + 1)[:-1].astype(np.float32)
    offset = np.full(BANDS, OFFSET, np.float32)
    return FrontEnd(WINDOW, STEP, ROWS, taper, FFT, mel, offset)


@pytest.fixture
def spectrum() -> MelSpectrum:
    """With numpy's sums."""
    return MelSpectrum(front_end(), front_end().energies)


def noise(count: int, seed: int = 1) -> Samples:
    """White, shape (count,)."""
    return np.random.default_rng(seed).normal(0.0, 0.1, count).astype(np.float32)


def formula(window: Samples) -> Array:
    """The rows, one by one, in double precision."""
    wanted, rows = front_end(), []
    for at in range(0, ROWS * STEP, STEP):
        step = window[at : at + LENGTH].astype(np.float64) * wanted.taper
        rows.append(wanted.mel @ np.abs(np.fft.rfft(step, FFT)) + wanted.offset)
    return np.array(rows, np.float32)


def test_rows_are_what_the_formula_says(spectrum: MelSpectrum) -> None:
    """To single precision."""
    window = noise(WINDOW)
    rows = spectrum.rows(window)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, formula(window), rtol=2e-6)


def test_silence_is_the_offset(spectrum: MelSpectrum) -> None:
    """Its logarithm is finite."""
    np.testing.assert_array_equal(spectrum.rows(np.zeros(WINDOW, np.float32)), np.float32(OFFSET))


def test_rows_are_a_copy(spectrum: MelSpectrum) -> None:
    """The next window does not change them."""
    rows = spectrum.rows(noise(WINDOW))
    kept = rows.copy()
    spectrum.rows(noise(WINDOW, seed=2))
    np.testing.assert_array_equal(rows, kept)


def test_another_length_is_refused(spectrum: MelSpectrum) -> None:
    """It would read beyond the samples."""
    with pytest.raises(ValueError, match="reshape"):
        spectrum.rows(noise(WINDOW - 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_what_is_no_sound_spoils_its_own_rows_alone(spectrum: MelSpectrum, bad: float) -> None:
    """And nothing is warned of."""
    window = noise(WINDOW)
    window[STEP + LENGTH // 2] = bad  # the middle of the second step, and in the first and third
    rows = spectrum.rows(window)
    assert not np.isfinite(rows[1]).any()
    assert np.isfinite(rows[4:]).all()


@pytest.mark.parametrize("steps", [1, 2, 5, 11, 12, 40])
def test_following_a_stream_gives_the_rows_of_each_window(
    spectrum: MelSpectrum, steps: int
) -> None:
    """Whatever the hop, though only what is new is computed."""
    samples, hop = noise(WINDOW + 60 * STEP * 12), steps * STEP
    stream, moved = MelStream(spectrum), None
    for start in range(0, len(samples) - WINDOW + 1, hop):
        window = samples[start : start + WINDOW]
        rows = stream.follow(window, moved)
        np.testing.assert_allclose(rows, spectrum.rows(window), rtol=1e-6)
        assert stream.rows is not None
        np.testing.assert_array_equal(stream.rows, rows)
        moved = hop


def test_only_what_is_new_is_computed() -> None:
    """A window that begins two steps later brings two rows."""
    counts: list[int] = []

    def counting(magnitudes: Array) -> Array:
        counts.append(len(magnitudes))
        return front_end().energies(magnitudes)

    stream = MelStream(MelSpectrum(front_end(), counting))
    samples = noise(WINDOW + 2 * STEP)
    stream.follow(samples[:WINDOW], None)
    stream.follow(samples[2 * STEP :], 2 * STEP)
    assert counts == [ROWS, 2]


class FailingOnce:
    """Looks at rows, all of which are its scores, and fails at its second window."""

    window_samples = WINDOW
    labels = tuple(map(str, range(ROWS * BANDS)))
    content_hash = "ab" * 32
    output_shapes: Mapping[str, tuple[int, ...]] = {SCORES: (ROWS * BANDS,)}

    def __init__(self, spectrum: MelSpectrum) -> None:
        self.spectrum = spectrum
        self.looked = 0

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """Of a whole window."""
        return self.outputs_of_rows(self.spectrum.rows(window))

    def outputs_of_rows(self, rows: Array) -> Mapping[str, Array]:
        """The rows as they are."""
        self.looked += 1
        if self.looked == 2:
            raise ModelError("the model failed")
        return {SCORES: rows.reshape(-1).copy()}


def test_after_a_failure_of_the_model_rows_are_those_of_their_window(spectrum: MelSpectrum) -> None:
    """Where the failure left a window that was whole and has not moved on."""
    hop, samples = 2 * STEP, noise(WINDOW + 6 * STEP)
    recogniser = WindowRecogniser(FailingOnce(spectrum), hop_seconds=hop / 16_000)
    recogniser.feed(Block(0, samples[:WINDOW], 0.0))
    end = WINDOW + hop
    with pytest.raises(ModelError, match="the model failed"):
        recogniser.feed(Block(WINDOW, samples[WINDOW:end], 0.0))
    found = recogniser.feed(Block(end, samples[end:], 0.0))
    assert len(found) == 3
    for one in found:
        begin = round(one.start_s * 16_000)
        wanted = spectrum.rows(samples[begin : begin + WINDOW]).reshape(-1)
        np.testing.assert_allclose(one.outputs[SCORES], wanted, rtol=1e-6)
