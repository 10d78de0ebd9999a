"""Receipts of several messages as one."""

import pytest

from detector.alerts.sinks import DeniedError, Receipt, all_of, delivered, failed
from detector.core.errors import MqttError


def test_nothing_to_wait_for_is_done() -> None:
    """A receipt that never settles would block its sink for ever."""
    assert all_of([]).exception(timeout=0) is None


def test_several_are_done_when_the_last_is() -> None:
    """Whichever that is."""
    first, second = Receipt(), Receipt()
    together = all_of([first, delivered(), second])
    second.set_result(None)
    assert not together.done()
    first.set_result(None)
    assert together.exception(timeout=0) is None


@pytest.mark.parametrize("turn", [1, -1])
def test_a_failure_that_may_pass_counts_before_one_that_is_final(turn: int) -> None:
    """What got lost is told again, whatever the access rules forbid beside it."""
    lost, denied = MqttError("lost"), DeniedError("denied")
    together = all_of([delivered(), *(failed(error) for error in (lost, denied)[::turn])])
    assert together.exception(timeout=0) is lost
