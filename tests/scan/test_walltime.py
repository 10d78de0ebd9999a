"""Names that tell when a recording began."""

from datetime import datetime, timedelta, timezone

import pytest

from detector.scan.walltime import wall_time


@pytest.mark.parametrize(
    "stem",
    [
        "20261121_031500",
        "20261121-031500",
        "20261121031500",
        "2026-11-21T031500",
        "2026-11-21T03:15:00",
        "2026-11-21 03-15-00",
        "2026-11-21__031500",
        "2026-11-21_03h15m00",
        "SM4A0123_20261121_031500",
        "20261121_031500T",
        "20261121_031500_000",
        "2026-11-21-birdnet-03:15:00",
        "rec.2026.11.21_03.15",
        "nursery 20261121T0315",
    ],
)
def test_what_recorders_write_is_read(stem: str) -> None:
    """Without a time zone: whatever the recorder's clock was set to."""
    assert wall_time(stem) == datetime(2026, 11, 21, 3, 15)  # noqa: DTZ001 - as it is read


@pytest.mark.parametrize(
    ("stem", "hours"),
    [("20261121T031500Z", 0), ("20261121T031500+1000", 10), ("20261121_031500-03:00", -3)],
)
def test_a_time_zone_is_kept(stem: str, hours: int) -> None:
    """Where the name has one."""
    zone = timezone(timedelta(hours=hours))
    assert wall_time(stem) == datetime(2026, 11, 21, 3, 15, tzinfo=zone)
    assert wall_time(stem) != datetime(2026, 11, 21, 3, 15, tzinfo=timezone(timedelta(hours=5)))


@pytest.mark.parametrize(
    "stem",
    [
        "",
        "cry",
        "2026-11-21",
        "20261321_031500",
        "20261121_251500",
        "ZOOM0001",
        "120261121_031500",
        "20261121_0315001",
        "1435948197257-1.7",
        "20261121_031500+9900",
    ],
)
def test_what_is_no_time_is_none(stem: str) -> None:
    """Rather no time than a wrong one."""
    assert wall_time(stem) is None


def test_digits_that_are_no_date_do_not_hide_one_that_is() -> None:
    """A serial number may stand before it."""
    assert wall_time("19991399_000000_20261121_031500") == datetime(2026, 11, 21, 3, 15)  # noqa: DTZ001 - as above
