"""What the main thread waits on."""

import os
import signal
import threading

import pytest

from detector.service.waking import Waker

PATIENCE_S = 30.0


@pytest.fixture
def heard() -> list[int]:
    """Signals that came; SIGUSR1 has a handler meanwhile."""
    return []


def test_whoever_wakes_ends_the_wait() -> None:
    """From another thread."""
    waker = Waker()
    with waker.opened():
        thread = threading.Thread(target=waker.wake)
        thread.start()
        assert waker.wait(PATIENCE_S)
        thread.join()
        assert not waker.wait(0.0), "once"


def test_a_wake_before_the_wait_is_not_lost() -> None:
    """However many there were."""
    waker = Waker()
    with waker.opened():
        for _ in range(100_000):  # more than there is room for
            waker.wake()
        assert waker.wait(0.0)


def test_a_signal_ends_the_wait(heard: list[int]) -> None:
    """At once, when its handler has run."""
    waker = Waker()
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        with waker.opened():
            os.kill(os.getpid(), signal.SIGUSR1)
            assert waker.wait(PATIENCE_S)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


def test_nobody_wakes_what_is_closed() -> None:
    """A thread that comes late does no harm, and signals are as they were."""
    waker = Waker()
    with waker.opened():
        pass
    waker.wake()
    assert signal.set_wakeup_fd(-1) == -1
