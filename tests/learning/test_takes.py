"""Takes: what is cut out of a recording, and what is refused."""

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import DataError
from detector.learning.takes import Take, are_alike, check_copies, is_copy, takes_of
from tests.learning.tools import quiet, recorded, tone


def test_a_take_is_what_sounds_without_the_quiet_around_it() -> None:
    """To within a few steps of 10 ms."""
    (take,) = takes_of("a.wav", recorded(tone(1000.0, 0.6)))
    assert take.name == "a.wav"
    assert 0.5 < take.seconds < 0.7


def test_a_long_pause_parts_two_takes_and_each_says_where_it_is() -> None:
    """As when a bell is rung again in one recording."""
    rings = np.concatenate([recorded(tone(1000.0, phase=one), one) for one in range(3)])
    found = takes_of("rings.wav", rings)
    assert [take.name for take in found] == [
        "rings.wav at 1.0 s",
        "rings.wav at 3.6 s",
        "rings.wav at 6.2 s",
    ]


def test_what_is_much_fainter_than_the_sound_is_no_take() -> None:
    """A step before the bell is rung."""
    step = np.float32(0.1) * tone(300.0, 0.3)
    found = takes_of("a.wav", np.concatenate([recorded(step), recorded(tone(1000.0), 1)]))
    assert len(found) == 1


def test_a_noisy_room_does_not_make_a_take_longer() -> None:
    """The sound ends where it is no louder than the noise."""
    rng = np.random.default_rng(1)
    noisy = recorded(tone(1000.0, 0.6)) + quiet(2.6, rng, 0.03)
    (take,) = takes_of("a.wav", noisy)
    assert take.seconds < 1.0


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0, np.float32), r"a\.wav is too short \(0\.00 s\)"),
        (np.full(800, 0.5, np.float32), r"a\.wav is too short \(0\.05 s\)"),
        (np.zeros(32_000, np.float32), r"a\.wav is silent \(-120 dBFS"),
        (recorded(np.float32(1e-3) * tone(1000.0)), r"a\.wav is silent"),
        (recorded(tone(1000.0, 0.05)), r"a\.wav is too short \(0\.0\d s of sound\)"),
        (np.clip(9.0 * recorded(tone(1000.0)), -1, 1), r"a\.wav is clipped \(\d+% of it"),
    ],
    ids=["nothing", "a slip", "zeros", "faint", "a click", "clipped"],
)
def test_what_cannot_be_learnt_from_is_told_in_one_line(samples: Samples, reason: str) -> None:
    """By name, with the value and what would be right."""
    with pytest.raises(DataError, match=reason) as caught:
        takes_of("a.wav", samples.astype(np.float32))
    assert "\n" not in str(caught.value)


def takes(*pieces: Samples) -> list[Take]:
    """As they are."""
    return [Take(f"{number}.wav", one) for number, one in enumerate(pieces)]


def test_the_same_recording_is_known_again_at_another_level() -> None:
    """And a little shifted."""
    rng = np.random.default_rng(0)
    one = rng.standard_normal(SAMPLE_RATE_HZ).astype(np.float32) * np.float32(0.1)
    other = np.concatenate([np.zeros(300, np.float32), np.float32(0.3) * one])
    assert is_copy(*takes(one, other))


def test_the_same_sound_made_anew_is_no_copy() -> None:
    """Noise and room differ."""
    rng = np.random.default_rng(0)
    one, other = (tone(1000.0, 0.6) + quiet(0.6, rng, 0.1) for _ in range(2))
    assert not is_copy(*takes(one, other))


def test_copies_are_refused_by_name() -> None:
    """Two of several, and where all are of one."""
    rng = np.random.default_rng(0)
    one, other, third = (quiet(0.5, rng, 0.1) for _ in range(3))
    check_copies(takes(one, other, third))
    with pytest.raises(DataError, match=r"^2\.wav is a copy of 0\.wav"):
        check_copies(takes(one, other, one))
    with pytest.raises(DataError, match=r"^all 3 takes are copies of one, 0\.wav"):
        check_copies(takes(one, np.float32(0.5) * one, one))


def test_clicks_alone_are_no_takes() -> None:
    """Each of several is too short to be one: the recording is named."""
    rng = np.random.default_rng(0)
    clicks = [tone(1500.0, 0.06), quiet(2.0, rng), tone(1500.0, 0.06)]
    with pytest.raises(DataError, match=r"^clicks\.wav: nothing in it sounds for 0\.1 s"):
        takes_of("clicks.wav", recorded(np.concatenate(clicks)))


def test_a_sketch_tells_a_copy_without_its_audio() -> None:
    """At another level, quantised anew; the sound made anew is none."""
    rng = np.random.default_rng(0)
    one, other = (tone(1000.0, 0.6) + quiet(0.6, rng, 0.05) for _ in range(2))
    fainter = np.rint(0.4 * one * 32768) / 32768
    sketches = [take.sketch for take in takes(one, other, np.asarray(fainter, np.float32))]
    assert are_alike(sketches[0], sketches[2].astype(np.float16).astype(np.float32))
    assert not are_alike(sketches[0], sketches[1])
    assert not are_alike(sketches[0], None)
