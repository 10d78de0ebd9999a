"""The capture process as its parent sees it: started, read, and ended for certain."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Protocol, cast

import detector
from detector.audio.inbox import Inbox
from detector.audio.opened import Wanted
from detector.audio.wire import Message
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError

_log = logging.getLogger(__name__)

_CLOSE_S = 1.0
"""It may close its device for this long before it is killed."""
_DIE_S = 2.0
"""A killed process is gone at once, unless the kernel itself waits for a device."""
_NOT_ITS_AFFAIR = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY")
"""What systemd tells the daemon alone."""


class Ear(Protocol):
    """Something that captures, from opening the device to its loss. For one thread."""

    def next(self, timeout_s: float) -> Message | None:
        """The next message; None when none came within ``timeout_s``, or a little before.

        Raises EOFError when no more will come, and AudioError for nonsense.
        """

    def end(self) -> str:
        """End it within bounded time, and say how it ended; again and again if you like."""


Launch = Callable[[AudioConfig], Ear]
"""Starts to capture. Raises AudioError where that is not possible."""


class CaptureProcess:
    """A capture process. Owned by the thread that started it: when that ends, so does this."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._pipes = [cast(IO[bytes], pipe) for pipe in (process.stdin, process.stdout)]
        self._errors = cast(IO[bytes], process.stderr)
        self._inbox = Inbox(self._pipes[1].fileno(), self._errors.fileno())
        self._ended = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def next(self, timeout_s: float) -> Message | None:
        """The next message, see ``Inbox.next``."""
        return self._inbox.next(timeout_s)

    def end(self) -> str:
        """Let it close its device, or kill it; how it ended, and its last word, in one line."""
        if not self._ended:
            how = self._let_go()
            said = self._inbox.last_words()
            self._errors.close()
            if said:
                _log.debug("the capture process %s; it said:\n%s", how, said)
            last = said.splitlines()[-1:]
            self._ended = ": ".join([how, *last])
        return self._ended

    def _let_go(self) -> str:
        # The end of its input asks it to close its device; it may be writing, to nobody now.
        for pipe in self._pipes:
            pipe.close()
        try:
            return _told(self._process.wait(_CLOSE_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
        try:
            self._process.wait(_DIE_S)
        except subprocess.TimeoutExpired:
            _log.error("the capture process %d cannot be killed; its device hangs", self.pid)
        return "hung, and was killed"


def start_capture(
    config: AudioConfig, *, environ: Mapping[str, str] | None = None
) -> CaptureProcess:
    """Start a capture process; ``environ`` stands in for our own environment.

    Raises AudioError where the machine allows no more processes.
    """
    wanted = Wanted(
        device=config.device,
        channel=config.channel,
        block_seconds=config.block_seconds,
        latency_seconds=config.latency_seconds,
    )
    # What site would find is on the path already, see child_environment.
    command = [sys.executable, "-PS", "-m", "detector.audio.child", json.dumps(asdict(wanted))]
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and a program of ours
            command,
            env=child_environment(os.environ if environ is None else environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us
        )
    except OSError as error:
        raise AudioError(f"the capture process cannot be started: {error}") from error
    return CaptureProcess(process)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours, less what is for the daemon alone; and it finds the modules that we find."""
    kept = {name: value for name, value in environ.items() if name not in _NOT_ITS_AFFAIR}
    ours = str(Path(detector.__file__).parents[1])  # an editable install may not say where it is
    paths = dict.fromkeys([*(path or str(Path.cwd()) for path in sys.path), ours])
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def _told(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
