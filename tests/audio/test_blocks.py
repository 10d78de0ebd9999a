"""How much audio is handed over at a time."""

import pytest

from detector.audio.blocks import fitted_to_hop, surplus
from detector.config.schema import AudioConfig


@pytest.mark.parametrize(
    ("hop_s", "most_s", "block_s"),
    [
        (0.48, 0.24, 0.24),
        (0.48, 0.1, 0.096),
        (0.48, 1.0, 0.48),
        (0.1, 0.24, 0.1),
        (0.97, 0.24, 0.194),
        (0.5, 0.24, 0.125),
        (0.01, 0.24, 0.01),
        (10.0, 1.0, 1.0),
    ],
)
def test_blocks_are_the_largest_fraction_of_the_hop(
    hop_s: float, most_s: float, block_s: float
) -> None:
    """Of whole milliseconds, and no longer than is allowed."""
    fitted = fitted_to_hop(AudioConfig(block_seconds=most_s), hop_s)
    assert fitted.block_seconds == pytest.approx(block_s)
    assert fitted == AudioConfig(block_seconds=fitted.block_seconds)


@pytest.mark.parametrize("first", [3840, 3840 - 37, 4 * 3840, 3 * 3840 - 1000])
def test_windows_end_with_blocks(first: int) -> None:
    """Also where a resampler withholds some of the first block, and where several came at once."""
    begin = surplus(first, 15_600, 3840)
    ends_s = {(begin + 15_600 + hop * 7680 - first) % 3840 for hop in range(5)}
    assert ends_s == {0}
    assert 0 <= begin < first


def test_a_first_block_that_is_too_short_is_left_as_it_is() -> None:
    """Nothing of it would be left."""
    assert surplus(100, 15_600, 3840) == 0
