"""Tells systemd how the service is (sd_notify(3), without libsystemd)."""

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Sends notifications where systemd asked for them, else does nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._environ = environ

    @property
    def watchdog_s(self) -> float | None:
        """The watchdog period for this process, or None where there is none."""
        if self._environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        try:
            period_s = int(self._environ.get("WATCHDOG_USEC", "")) / 1e6
        except ValueError:
            return None
        return period_s if period_s > 0 else None

    @property
    def is_heard(self) -> bool:
        """Whether anybody asked for notifications."""
        return self._address[:1] in ("/", "@")

    def ready(self) -> None:
        """The service has started."""
        self._send("READY=1")

    def reloading(self, monotonic_s: float) -> None:
        """The service reads its configuration anew; ``ready`` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_s * 1e6)}")

    def stopping(self) -> None:
        """The service has begun to stop."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The service is alive."""
        self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={' '.join(line.splitlines())}")

    def _send(self, message: str) -> None:
        if not self.is_heard:
            return
        abstract = self._address.startswith("@")
        address = "\0" + self._address[1:] if abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(1.0)
                sender.connect(address)
                sender.sendall(message.encode(errors="replace"))  # a path can hold any byte
        except OSError as error:
            _log.debug("systemd was not told %r: %s", message, error)
