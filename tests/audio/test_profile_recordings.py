"""A microphone in a house, from real recordings: no warning while all is well, and one if not."""

import copy
from pathlib import Path
from typing import Any

import pytest

from detector.audio.profile import BEGINS_MINUTES, Profile, floors
from tests.audio.household import DAY_MINUTES, Household

pytestmark = pytest.mark.recordings

HEARD_DAYS = 3


def live(profile: Profile, house: Household, minutes: int) -> list[str]:
    """Live through minutes; the warnings that stood."""
    warnings = []
    for _ in range(minutes):
        profile.take_minute(floors(house.minute()))
        if profile.warning is not None:
            warnings.append(profile.warning)
    return warnings


@pytest.fixture(scope="module")
def home(recordings: Path) -> tuple[Profile, Household]:
    """Three days of nights, speech, television, music, kitchen and rain, without a warning."""
    profile, house = Profile(), Household(recordings)
    assert live(profile, house, HEARD_DAYS * DAY_MINUTES) == []
    # The rest of the week would be alike.
    document = profile.to_document() | {"minutes": 7 * DAY_MINUTES}
    return Profile.from_document(document), house


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param({"gain_db": -20.0}, "quieter", id="20 dB down"),
        pytest.param({"lowpass_hz": 1000.0}, "duller", id="nothing above 1 kHz"),
        pytest.param({"capsule": False}, "quieter", id="no capsule"),
    ],
)
def test_a_fault_at_night_is_warned_of_within_the_hour(
    home: tuple[Profile, Household], fault: dict[str, Any], words: str
) -> None:
    """By day a room may hide it: then it is noticed in the night."""
    profile, house = copy.deepcopy(home)
    for name, value in fault.items():
        setattr(house, name, value)
    warnings = live(profile, house, 2 * BEGINS_MINUTES)
    assert warnings
    assert words in warnings[0]
