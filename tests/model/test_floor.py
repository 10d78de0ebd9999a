"""The noise floor of a room, and what may stand out from it."""

import numpy as np
import pytest

from detector.core.recognition import Array
from detector.model.floor import BAND_STEP, NOTHING, PIECE_ROWS, Floor, Scales, Steady
from tests.model.rooms import BANDS, front_end, spectrum


def pieces(count: int, *, seed: int = 0) -> list[Array]:
    """Energies that vary as those of noise do, 1 on average."""
    rng = np.random.default_rng(seed)
    return [rng.gamma(20.0, 0.05, (PIECE_ROWS, BANDS)).astype(np.float32) for _ in range(count)]


@pytest.fixture(scope="module")
def steady() -> Steady:
    """Measured once."""
    return Steady.by(spectrum())


def test_scales_are_means_of_rows_and_bands() -> None:
    """Each number is the plain mean of its block of the piece."""
    (piece,) = pieces(1)
    expected = [
        piece.reshape(-1, rows, BANDS // bands, bands).mean(axis=(1, 3)).ravel()
        for rows, bands in ((4, 4), (4, BAND_STEP), (16, 1), (48, 1), (48, BAND_STEP))
    ]
    np.testing.assert_allclose(Scales(BANDS).of(piece), np.concatenate(expected), rtol=1e-5)


def test_whole_pieces_stand_where_scales_say() -> None:
    """Band by band, and in groups of 16."""
    (piece,) = pieces(1)
    scales = Scales(BANDS)
    means = scales.of(piece)
    np.testing.assert_allclose(means[scales.bands], piece.mean(axis=0), rtol=1e-5)
    groups = piece.reshape(PIECE_ROWS, -1, BAND_STEP).mean(axis=(0, 2))
    np.testing.assert_allclose(means[scales.broad], groups, rtol=1e-5)


def test_steady_noise_stays_within_its_limits(steady: Steady) -> None:
    """Of noise that was not measured: no mean of hundreds of pieces stands out."""
    rng = np.random.default_rng(7)
    length = front_end().window_samples
    rows = [
        spectrum().rows(rng.normal(0.0, 0.01, length).astype(np.float32)) - front_end().offset
        for _ in range(300)
    ]
    floor = np.mean(rows, axis=(0, 1), dtype=np.float32)
    scales, limits = Scales(BANDS), steady.limits(4.5, 1.0)
    outside = [bool((scales.of(one[:PIECE_ROWS] / floor) >= limits).any()) for one in rows]
    assert sum(outside) <= 3


def test_short_and_narrow_means_vary_more_than_long_and_broad(steady: Steady) -> None:
    """So a knock has to rise higher than a hiss before it stands out."""
    scales = Scales(BANDS)
    assert steady.spreads[scales.broad].max() < steady.spreads[scales.bands].min()
    assert steady.spreads[scales.bands].max() < steady.spreads[: scales.bands.start].max()


def test_floor_is_known_from_enough_pieces_on(steady: Steady) -> None:
    """And not before."""
    floor = Floor(BANDS, fewest=3, most=5)
    known = []
    for piece in pieces(3):
        floor.learn(piece)
        known.append(floor.is_known)
    assert known == [False, False, True]
    np.testing.assert_allclose(floor.energies(steady), 1.0, rtol=0.3)


def test_floor_of_few_pieces_is_theirs(steady: Steady) -> None:
    """What was never heard counts for nothing."""
    floor = Floor(BANDS, fewest=2, most=100)
    for _ in range(2):
        floor.learn(np.full((PIECE_ROWS, BANDS), 0.02, np.float32))
    expected = 0.02 * np.exp(0.674 * steady.of_bands)
    np.testing.assert_allclose(floor.energies(steady), expected, rtol=1e-5)


def test_what_is_on_less_than_three_quarters_of_the_time_is_no_floor(steady: Steady) -> None:
    """Somebody who speaks for a minute does not raise it."""
    floor = Floor(BANDS, fewest=1, most=100)
    for number in range(100):
        loud = 1000.0 if number % 10 < 7 else 1.0
        floor.learn(np.full((PIECE_ROWS, BANDS), loud, np.float32))
    assert floor.energies(steady).max() < 1.2


def test_floor_forgets_what_is_long_past(steady: Steady) -> None:
    """A fan that was switched off is no part of it."""
    floor = Floor(BANDS, fewest=1, most=10)
    for level in [1000.0] * 20 + [1.0] * 10:
        floor.learn(np.full((PIECE_ROWS, BANDS), level, np.float32))
    assert floor.energies(steady).max() < 1.2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_what_is_no_number_is_not_learnt(bad: float) -> None:
    """A damaged block must not spoil the floor for a minute."""
    floor = Floor(BANDS, fewest=1, most=10)
    with np.errstate(invalid="ignore"):
        floor.learn(np.full((PIECE_ROWS, BANDS), bad, np.float32))
    assert not floor.is_known


def test_digital_silence_has_a_floor(steady: Steady) -> None:
    """Finite, and far below the noise of any microphone."""
    floor = Floor(BANDS, fewest=1, most=10)
    floor.learn(np.full((PIECE_ROWS, BANDS), NOTHING))
    assert np.isfinite(floor.energies(steady)).all()
    assert floor.energies(steady).max() < 1e-8
