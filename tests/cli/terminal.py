"""A terminal of our own, as a process sees one."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.cli.tools import PATIENCE_S, text


class Terminal:
    """A pseudo-terminal of a size. ``slave`` is what a process is given."""

    def __init__(self, *, rows: int, columns: int) -> None:
        self._master, self.slave = pty.openpty()
        self._seen = b""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in {self._master, self.slave} - {-1}:
            os.close(descriptor)

    def read_until(self, shown: Callable[[str], bool]) -> None:
        """Read until what was written so far fits; raises TimeoutError where nothing more comes."""
        while not shown(text(self._seen)):
            if not select.select([self._master], [], [], PATIENCE_S)[0]:
                raise TimeoutError(text(self._seen))
            self._seen += os.read(self._master, 65_536)

    def type(self, typed: str) -> None:
        """What a person types."""
        os.write(self._master, typed.encode())

    def read_to_end(self) -> str:
        """All that is written until the last process has closed its side; ours is closed first."""
        os.close(self.slave)
        self.slave = -1
        with contextlib.suppress(OSError):  # Linux's way of saying that nobody writes any more
            while data := os.read(self._master, 65_536):
                self._seen += data
        return text(self._seen)
