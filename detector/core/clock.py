"""Time, injected: the rooms never look at a clock of their own."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The clocks of one machine. Safe from any thread."""

    @property
    def boot_id(self) -> str:
        """Tells one boot from another: monotonic times compare only within one."""

    def monotonic(self) -> float:
        """Seconds that never jump; the time of every decision and age."""

    def wall(self) -> datetime:
        """UTC, aware; for people only, since it can jump."""

    def synchronised(self) -> bool | None:
        """Whether the wall clock is known to be right; None where nobody can tell."""
