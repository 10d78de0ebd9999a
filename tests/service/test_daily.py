"""A time of day that comes round."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from detector.service.daily import Daily

MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


def times(daily: Daily, begin: datetime, days: float, step: timedelta = MINUTE) -> list[datetime]:
    """When it is time, for somebody who looks every minute."""
    looks = round(timedelta(days=days) / step)
    return [now for k in range(looks) if daily.is_due(now := begin + k * step)]


def test_it_is_time_once_a_day() -> None:
    """At the first look from then on."""
    begin = datetime(2026, 1, 1, 9, 30, 30, tzinfo=UTC)
    found = times(Daily("10:00", UTC), begin, days=3)
    assert found == [datetime(2026, 1, day, 10, 0, 30, tzinfo=UTC) for day in (1, 2, 3)]


def test_started_after_it_it_waits_for_the_next_day() -> None:
    """A restart makes no noise."""
    begin = datetime(2026, 1, 1, 10, 0, 1, tzinfo=UTC)
    (found,) = times(Daily("10:00", UTC), begin, days=1.5)
    assert found.day == 2


def test_it_is_the_local_time() -> None:
    """Of where the machine stands."""
    zone = timezone(timedelta(hours=5, minutes=30))
    (found,) = times(Daily("10:00", zone), datetime(2026, 1, 1, tzinfo=UTC), days=1)
    assert (found.hour, found.minute) == (4, 30)


@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)]
)
def test_summer_time_comes_and_goes(day: datetime) -> None:
    """Once a day all the same, at the same time on the wall."""
    found = times(Daily("10:00", BERLIN), day, days=3)
    assert [one.astimezone(BERLIN).hour for one in found] == [10, 10, 10]


def test_without_a_zone_the_machines_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is here."""
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    local = now.astimezone() + 2 * MINUTE
    (found,) = times(Daily(f"{local:%H:%M}"), now, days=1)
    assert timedelta(minutes=1) <= found - now <= timedelta(minutes=2)


@pytest.mark.parametrize("jump", [timedelta(hours=12), timedelta(days=400)])
def test_a_clock_that_is_put_right_wakes_nobody(jump: timedelta) -> None:
    """A machine without a battery begins in the past: it may be night when it learns the time."""
    daily = Daily("10:00", UTC)
    begin = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
    assert not daily.is_due(begin)
    assert not daily.is_due(begin + jump)
    (found,) = times(daily, begin + jump, days=1)
    assert found.hour == 10


def test_a_clock_that_goes_back_a_year_does_not_stop_it() -> None:
    """It waits for the next ten o'clock, not for that of the year to come."""
    daily = Daily("10:00", UTC)
    assert not daily.is_due(datetime(2026, 1, 1, 9, 0, tzinfo=UTC))
    (found,) = times(daily, datetime(2025, 1, 1, 9, 0, tzinfo=UTC), days=1)
    assert (found.year, found.hour) == (2025, 10)
