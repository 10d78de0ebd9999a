"""What every process that touches PortAudio begins with: it must not outlive the daemon."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def begin() -> int:
    """Make this process the daemon's alone; hand over a descriptor for what it is to say.

    The kernel kills it when the thread that started it ends, however it does; one whose parent is
    gone already learns that from ``await_the_end``.  Signals are meant for the daemon, which then
    ends this one.  Whatever a C library prints on standard output goes to standard error.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def await_the_end() -> None:
    """Return when standard input ends: the daemon wants no more, or is gone."""
    while os.read(0, 1):
        pass
