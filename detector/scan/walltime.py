"""The time of day that recorders write into the names of their files. Pure."""

import re
from datetime import datetime, timedelta, timezone

_NAME = re.compile(
    r"""
    (?<!\d)
    (?P<year>(?:19|20)\d\d) [-_.]? (?P<month>\d\d) [-_.]? (?P<day>\d\d)
    (?: [Tt\ _-]{0,2} | [-_] [A-Za-z]+ [-_] )       # 20261121_, 2026-11-21T, 2026-11-21-porch-
    (?P<hour>\d\d) [-_.:h]? (?P<minute>\d\d)
    (?: [-_.:m]? (?P<second>\d\d) )?
    (?! \d)
    (?P<zone> [Zz] (?![A-Za-z]) | [+-]\d\d:?\d\d (?!\d) )?
    """,
    re.VERBOSE,
)


def wall_time(stem: str) -> datetime | None:
    """When a recording of this name began; None where the name does not say.

    ``20261121_031500``, ``2026-11-21T03-15-00``, ``SM4_20261121T031500+0100``,
    ``2026-11-21__031500`` and the like, with seconds or without.  It has a time zone only where
    the name has one: else it is whatever the recorder's clock was set to.
    """
    for found in _NAME.finditer(stem):
        numbers = [int(found[name] or 0) for name in _NUMBERS]
        try:
            began = datetime(*numbers[:6])  # type: ignore[arg-type] # noqa: DTZ001 - see above
            return began.replace(tzinfo=_zone(found["zone"]))
        except ValueError:
            continue  # digits that are no date
    return None


_NUMBERS = ("year", "month", "day", "hour", "minute", "second")


def _zone(text: str | None) -> timezone | None:
    """Raises ValueError for more than a day."""
    if text is None:
        return None
    if text in "Zz":
        return timezone(timedelta())
    digits = text[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if text[0] == "-" else ahead)
