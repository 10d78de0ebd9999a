"""A clock that is moved by hand, to be injected wherever the product asks for the time."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
"""What the wall clock says at first."""


class HandClock:
    """Stands still until it is moved; wall and monotonic time can part."""

    boot_id = "boot"

    def __init__(self, now_s: float = 100.0) -> None:
        self._began_s = now_s
        self.now_s = now_s
        self.wall_offset = timedelta()

    def monotonic(self) -> float:
        """Seconds, as set."""
        return self.now_s

    def wall(self) -> datetime:
        """UTC: START, and what the monotonic clock has moved since."""
        return START + timedelta(seconds=self.now_s - self._began_s) + self.wall_offset

    def synchronised(self) -> bool | None:
        """Yes."""
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass; fits where a source wants to sleep."""
        self.now_s += seconds
