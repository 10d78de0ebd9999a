"""Events as lines."""

import io
import json
import os

import pytest

from detector.alerts.jsonlines import JsonLinesSink
from detector.alerts.messages import event_payload
from detector.alerts.sinks import Delivery, UndeliverableError
from tests.alerts.tools import offset, onset


class Slow(io.StringIO):
    """Remembers whether it was flushed."""

    flushed = 0

    def flush(self) -> None:
        """Count."""
        self.flushed += 1


def test_each_event_is_one_line_flushed_at_once() -> None:
    """So that a pipe sees it when it happens."""
    stream = Slow()
    sink = JsonLinesSink(stream)
    sink.start()
    sink.observe(onset())
    assert sink.ready
    assert sink.deliver(Delivery(onset())).exception(timeout=0) is None
    assert stream.flushed == 1
    sink.deliver(Delivery(offset()))
    sink.stop()
    lines = stream.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [event_payload(onset()), event_payload(offset())]


def test_a_closed_pipe_is_told_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The daemon may have other things to do."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream = os.fdopen(write_end, "w")
    sink = JsonLinesSink(stream)
    for _ in range(2):
        receipt = sink.deliver(Delivery(onset()))
        assert isinstance(receipt.exception(timeout=0), UndeliverableError)
    assert [r.getMessage() for r in caplog.records] == [
        "events can no longer be written as JSON lines: [Errno 32] Broken pipe"
    ]
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_closed_stream_fails_like_a_closed_pipe() -> None:
    """Whoever closed it."""
    stream = io.StringIO()
    stream.close()
    receipt = JsonLinesSink(stream).deliver(Delivery(onset()))
    assert isinstance(receipt.exception(timeout=0), UndeliverableError)
