"""The machine's own clocks."""

import time
from datetime import UTC, datetime
from pathlib import Path


class SystemClock:
    """The real clocks of this machine."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    @property
    def boot_id(self) -> str:
        """The kernel's random id of this boot, or an empty string where it does not tell."""
        try:
            return (self._root / "proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""

    def monotonic(self) -> float:
        """Seconds since some point of this boot."""
        return time.monotonic()

    def wall(self) -> datetime:
        """UTC now."""
        return datetime.now(UTC)

    def synchronised(self) -> bool | None:
        """What systemd-timesyncd says; None where another program, or none, keeps the time.

        The kernel's own flag (adjtimex) is out of reach in the service's sandbox.
        """
        folder = self._root / "run/systemd/timesync"
        if (folder / "synchronized").exists():
            return True
        return False if folder.is_dir() else None
