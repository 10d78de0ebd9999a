"""How a microphone usually sounds: learnt, and a warning where it does not."""

import json

import numpy as np
import pytest

from detector.audio.profile import (
    BEGINS_MINUTES,
    ENDS_MINUTES,
    RIPE_MINUTES,
    Floors,
    Profile,
    floors,
)
from tests.audio.tools import noise, tone

FEATURES = 7


def minute(level_dbfs: float, *, upper_db: float = 0.0) -> Floors:
    """A minute with all floors at a level, those of the octaves from 1 kHz moved."""
    made = np.full(FEATURES, level_dbfs)
    made[-3:] += upper_db
    return made


def take(profile: Profile, minutes: int, level_dbfs: float, *, upper_db: float = 0.0) -> None:
    """Live through minutes that waver by a decibel."""
    for number in range(minutes):
        profile.take_minute(minute(level_dbfs + number % 3 - 1.0, upper_db=upper_db))


@pytest.fixture
def known() -> Profile:
    """A microphone that was heard for a week: half of it at -70 dBFS, half at -50."""
    profile = Profile()
    for _ in range(7):
        take(profile, RIPE_MINUTES // 2, -70.0)
        take(profile, RIPE_MINUTES // 2, -50.0)
    assert profile.warning is None
    return profile


@pytest.mark.parametrize(
    ("level_dbfs", "upper_db", "words"),
    [
        (-79.0, 0.0, ["quieter", "covered", "unplugged", "turned down"]),
        (-41.0, 0.0, ["louder", "turned up"]),
        (-60.0, -25.0, ["duller", "covered"]),
    ],
)
def test_half_an_hour_unlike_all_before_is_a_warning(
    level_dbfs: float, upper_db: float, words: list[str], known: Profile
) -> None:
    """And not a minute less; with what may be the matter."""
    warnings = []
    for minutes in (BEGINS_MINUTES - 1, 1):
        take(known, minutes, level_dbfs, upper_db=upper_db)
        warnings.append(known.warning)
    assert warnings[0] is None
    assert all(word in str(warnings[1]) for word in words)


def test_the_warning_says_by_how_much(known: Profile) -> None:
    """Below the quietest of what it usually gives."""
    take(known, BEGINS_MINUTES, -89.0)
    assert known.warning is not None
    assert "by 18 dB" in known.warning


@pytest.mark.parametrize("level_dbfs", [-75.0, -60.0, -45.0])
def test_what_lies_near_what_it_gives_is_usual(level_dbfs: float, known: Profile) -> None:
    """Also between the quiet and the loud, where it never was."""
    take(known, 2 * BEGINS_MINUTES, level_dbfs)
    assert known.warning is None


def test_a_usual_minute_breaks_the_half_hour(known: Profile) -> None:
    """A covered microphone is covered all the time."""
    for _ in range(4):
        take(known, BEGINS_MINUTES - 1, -90.0)
        take(known, 1, -70.0)
    assert known.warning is None


def test_on_the_first_day_nothing_is_unusual() -> None:
    """It has not heard a night yet."""
    profile = Profile()
    take(profile, RIPE_MINUTES - BEGINS_MINUTES, -50.0)
    take(profile, BEGINS_MINUTES, -90.0)
    assert profile.warning is None


def test_on_the_second_day_it_takes_more() -> None:
    """11 dB: a house has not shown all its sides."""
    for level_dbfs, is_warned in ((-60.0, False), (-65.0, True)):
        profile = Profile()
        take(profile, RIPE_MINUTES, -50.0)
        take(profile, BEGINS_MINUTES, level_dbfs)
        assert (profile.warning is not None) is is_warned


def test_five_usual_minutes_end_it(known: Profile) -> None:
    """In a row."""
    take(known, BEGINS_MINUTES, -90.0)
    take(known, ENDS_MINUTES - 1, -70.0)
    take(known, 1, -90.0)
    take(known, ENDS_MINUTES - 1, -70.0)
    assert known.warning is not None
    take(known, 1, -70.0)
    assert known.warning is None


def test_what_stays_becomes_usual_after_days(known: Profile) -> None:
    """Somebody has moved it into the cellar: not after one day, but after a week."""
    take(known, RIPE_MINUTES, -90.0)
    assert known.warning is not None
    take(known, 6 * RIPE_MINUTES, -90.0)
    assert known.warning is None


def test_it_goes_on_where_it_was_after_a_restart(known: Profile) -> None:
    """Through JSON; a warning stands until it is over."""
    take(known, BEGINS_MINUTES, -90.0)
    again = Profile.from_document(json.loads(json.dumps(known.to_document())))
    assert (again.warning, again.minutes) == (known.warning, known.minutes)
    take(again, ENDS_MINUTES, -70.0)
    assert again.warning is None
    take(again, BEGINS_MINUTES, -90.0)
    assert again.warning is not None


def test_what_is_kept_is_small(known: Profile) -> None:
    """It is written once a minute."""
    assert len(json.dumps(known.to_document())) < 10_000


def test_floors_are_those_of_the_whole_and_of_octaves() -> None:
    """White noise: 3 dB more with each octave; a tone lies in its own."""
    snippets = noise(4.0, amplitude=0.01)[: 60 * 1024].reshape(60, 1024)
    found = floors(snippets)
    assert found.shape == (FEATURES,)
    assert found[0] == pytest.approx(-40.0, abs=1.0)
    assert np.diff(found[2:]) == pytest.approx(np.full(4, 3.0), abs=2.0)
    with_tone = floors(snippets + tone(1400, 4.0, amplitude=0.1)[: 60 * 1024].reshape(60, 1024))
    assert with_tone[4] == pytest.approx(-23.0, abs=0.5)
    assert with_tone[[1, 2, 5, 6]] == pytest.approx(found[[1, 2, 5, 6]], abs=0.5)


def test_sounds_that_come_and_go_are_not_the_floor() -> None:
    """Speech in half of a minute leaves it as it is."""
    snippets = noise(4.0, amplitude=0.001)[: 60 * 1024].reshape(60, 1024)
    spoken = snippets.copy()
    spoken[::2] *= 100.0
    assert floors(spoken) == pytest.approx(floors(snippets), abs=2.0)


@pytest.mark.parametrize("block", [160, 1600, 1468, 16_000])
def test_a_minute_is_a_minute_in_blocks_of_any_length(block: int) -> None:
    """Sixty seconds, or a little more where blocks do not end with a second."""
    profile, second = Profile(), noise(1.0)[:block]
    heard = 1
    while not profile.hear(second):
        heard += 1
    assert heard * block / 16_000 == pytest.approx(60.0, abs=60 * block / 16_000 * 0.12)
    assert profile.minutes == 1


def test_what_was_begun_before_an_interruption_is_dropped() -> None:
    """A minute is of one piece."""
    profile = Profile()
    for _ in range(59):
        assert not profile.hear(noise(1.0))
    profile.interrupt()
    assert not profile.hear(noise(1.0))
    assert profile.minutes == 0
