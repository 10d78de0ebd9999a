"""Plays the self-test's tone through a loudspeaker, in a process of its own.

PortAudio can hang, and knows only the devices that were there when it was initialised: neither
may touch the processes that listen.
"""

import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, cast

from detector.audio.process import child_environment
from detector.core.errors import AudioError

_log = logging.getLogger(__name__)

LIMIT_S = 8.0
"""The tone takes 3.4 s with its silence; the rest is for PortAudio to find the device."""
_POLL_S = 0.1
_DIE_S = 1.0
"""A killed process is gone at once, unless the kernel itself waits for a device."""


def play_tone(
    output: str,
    *,
    playing: Callable[[], None],
    cancelled: Callable[[], bool] = lambda: False,
    limit_s: float = LIMIT_S,
    command: Sequence[str] = (sys.executable, "-P", "-m", "detector.audio.speaker_child"),
) -> None:
    """Play the tone through an output, and return when it has ended.

    ``playing`` is called when the device is open and LEAD_SECONDS of silence begin.

    Raises AudioError where there is no such output, it cannot be opened, takes too long, or
    ``cancelled`` says so.
    """
    until_s = time.monotonic() + limit_s
    child = _start([*command, output, str(limit_s)])
    pipes = [cast(IO[bytes], pipe) for pipe in (child.stdin, child.stdout)]
    try:
        for line in _lines(pipes[1].fileno(), cancelled, until_s):
            word, _, rest = line.partition(" ")
            if word == "playing":
                playing()
            elif word == "error":
                raise AudioError(rest)
            elif word == "done":
                return
        raise AudioError(f"selftest.output {output}: the process that plays it broke down")
    finally:
        child.kill()
        for pipe in pipes:
            pipe.close()
        _reap(child)


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - no shell, and a program of ours
            command,
            env=child_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us
        )
    except OSError as error:
        raise AudioError(f"the process that plays cannot be started: {error}") from error


def _lines(number: int, cancelled: Callable[[], bool], until_s: float) -> Iterator[str]:
    """What the child says, until it ends. Raises AudioError where that takes too long."""
    said = b""
    while True:
        if cancelled():
            raise AudioError("playing was broken off")
        if time.monotonic() >= until_s:
            raise AudioError("the loudspeaker's sound system hangs: it did not play in time")
        if not select.select([number], [], [], _POLL_S)[0]:
            continue
        heard = os.read(number, 4096)
        if not heard:
            return
        *lines, said = (said + heard).split(b"\n")
        yield from (line.decode(errors="backslashreplace") for line in lines)


def _reap(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(_DIE_S)
    except subprocess.TimeoutExpired:
        _log.error("process %d, which plays, cannot be killed; its device hangs", child.pid)
