"""A time of day that comes round."""

from datetime import datetime, time, timedelta, tzinfo

MISSED = timedelta(minutes=10)
"""Later than this it is left out: a clock that is set at boot must not wake anybody at night."""
_LONGEST_DAY = timedelta(hours=26)


class Daily:
    """Tells once a day that it is time. Not thread-safe.

    Args:
        at: ``HH:MM``, as the configuration checks it.
        zone: Where that is; None: the machine's own time zone.
    """

    def __init__(self, at: str, zone: tzinfo | None = None) -> None:
        self._at = time.fromisoformat(at)
        self._zone = zone
        self._due: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it has become time since the last question; ``now`` is aware.

        The first question only begins the wait.  A clock that jumps makes it wait anew.
        """
        due = self._due
        if due is not None and now < due <= now + _LONGEST_DAY:
            return False
        self._due = self._next(now)
        return due is not None and now - MISSED <= due <= now

    def _next(self, now: datetime) -> datetime:
        here = now.astimezone(self._zone)
        for days in (0, 1):
            wanted = datetime.combine(here.date() + timedelta(days=days), self._at)
            # Without a zone of its own the machine's rules say what that day's offset is.
            due = wanted.replace(tzinfo=self._zone) if self._zone else wanted.astimezone()
            if due > now:
                return due
        return due + timedelta(days=1)
