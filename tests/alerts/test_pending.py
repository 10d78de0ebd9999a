"""Acknowledgements and what they belong to."""

import pytest

from detector.alerts.pending import NotConnectedError, PendingReceipts
from detector.alerts.sinks import DeniedError
from tests.clocks import HandClock


@pytest.fixture
def denied() -> list[str]:
    """Topics that were denied."""
    return []


@pytest.fixture
def pending(denied: list[str]) -> PendingReceipts:
    """The receipts of a connection."""
    return PendingReceipts(denied.append, HandClock())


def test_a_receipt_is_done_once_its_message_is_acknowledged(pending: PendingReceipts) -> None:
    """And no other."""
    first, second = pending.expect(1, "a"), pending.expect(2, "b")
    pending.acknowledge(2, 0)
    assert (first.done(), second.done()) == (False, True)
    assert second.exception() is None


def test_an_acknowledgement_may_come_before_it_is_expected(pending: PendingReceipts) -> None:
    """Paho's thread is sometimes quicker than the one that publishes."""
    pending.acknowledge(1, 0)
    assert pending.expect(1, "a").exception(timeout=0) is None
    assert not pending.expect(1, "a").done()


@pytest.mark.parametrize("first", ["publish returns", "acknowledgement"])
def test_a_refusal_names_the_topic(pending: PendingReceipts, denied: list[str], first: str) -> None:
    """Whichever comes first."""
    if first == "acknowledgement":
        pending.acknowledge(1, 135)
    receipt = pending.expect(1, "a/topic is denied")
    if first == "publish returns":
        pending.acknowledge(1, 135)
    assert isinstance(receipt.exception(timeout=0), DeniedError)
    assert "a/topic is denied" in str(receipt.exception())
    assert denied == ["a/topic is denied"]


def test_no_matching_subscribers_is_no_refusal(pending: PendingReceipts) -> None:
    """Code 16: the broker took it."""
    receipt = pending.expect(1, "a")
    pending.acknowledge(1, 16)
    assert receipt.exception(timeout=0) is None


def test_an_end_fails_what_waits_and_what_is_still_to_come(pending: PendingReceipts) -> None:
    """A message handed over a moment too late must not wait for ever."""
    before = pending.expect(1, "a")
    pending.close()
    after = pending.expect(2, "b")
    for receipt in (before, after):
        assert isinstance(receipt.exception(timeout=0), NotConnectedError)


def test_the_oldest_that_waits_is_known(denied: list[str]) -> None:
    """So that a connection that only looks alive is found out."""
    clock = HandClock(100.0)
    pending = PendingReceipts(denied.append, clock)
    seen = [pending.oldest_s]
    pending.expect(1, "a")
    clock.advance(5.0)
    pending.expect(2, "b")
    seen.append(pending.oldest_s)
    pending.acknowledge(1, 0)
    seen.append(pending.oldest_s)
    pending.acknowledge(2, 0)
    seen.append(pending.oldest_s)
    assert seen == [None, 100.0, 105.0, None]
