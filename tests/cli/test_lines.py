"""The queue between the thread that hears and the one that shows."""

import threading

import pytest

from detector.cli.lines import CAPACITY, LineQueue
from detector.core.errors import ControlError
from tests.cli.tools import PATIENCE_S


def putter(queue: LineQueue) -> threading.Thread:
    """A thread that puts many lines, and then says that there will be no more."""

    def put() -> None:
        for number in range(2 * CAPACITY):
            queue.put({"number": number})
        queue.ended.set()

    thread = threading.Thread(target=put)
    thread.start()
    return thread


def test_a_fast_source_waits_for_whoever_reads() -> None:
    """No line is lost, and their order is kept."""
    queue = LineQueue()
    thread = putter(queue)
    assert [line["number"] for line in queue.lines(lambda: "quiet")] == list(range(2 * CAPACITY))
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_one_that_nobody_reads_any_more_keeps_nobody_waiting() -> None:
    """What still comes goes nowhere, so that the thread can be ended."""
    queue = LineQueue()
    for number in range(CAPACITY):
        queue.put({"number": number})
    begun = threading.Event()

    def put() -> None:
        begun.set()
        queue.put({"number": CAPACITY})

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_S)
    queue.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_failure_is_raised_after_all_that_was_heard() -> None:
    """Where the lines are read."""
    queue = LineQueue()
    queue.put({"number": 1})
    queue.failure = ControlError("the service hung up")
    queue.ended.set()
    lines = queue.lines(lambda: "quiet")
    assert next(lines) == {"number": 1}
    with pytest.raises(ControlError, match="hung up"):
        next(lines)


def test_where_nothing_is_heard_a_status_is_shown() -> None:
    """Again and again, as it stands."""
    queue = LineQueue()
    states = iter(["opening", "missing"])
    lines = queue.lines(lambda: next(states))
    assert next(lines) == {"status": "opening"}
    assert next(lines) == {"status": "missing"}
