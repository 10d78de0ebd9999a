"""Trying a real broker, as the doctor does."""

from pathlib import Path

import pytest

from detector.alerts.broker_check import check_broker
from detector.config import MqttConfig
from detector.core.errors import MqttError
from tests.alerts.tools import Broker, free_port, running
from tests.clocks import HandClock

pytestmark = pytest.mark.system

ACCESS = """
allow_anonymous true
acl_file {folder}/acl
"""


def test_a_message_that_comes_back_proves_writing_and_reading(broker: Broker) -> None:
    """With nothing denied."""
    config = MqttConfig(host="127.0.0.1", port=broker.port)
    result = check_broker(config, node="nursery", clock=HandClock(1000.0), environ={})
    assert result.round_trip_ms is not None
    assert result.denied == ()


@pytest.mark.parametrize(
    ("rules", "denied"),
    [
        ("topic read detector/#", "publish on detector/nursery/cmd"),
        ("topic write detector/#", "read detector/nursery/cmd"),
    ],
)
def test_what_the_access_rules_deny_is_named(tmp_path: Path, rules: str, denied: str) -> None:
    """Publishing and reading are told apart."""
    (tmp_path / "acl").write_text(rules + "\n")
    with running(Broker(tmp_path, ACCESS.format(folder=tmp_path))) as strict:
        config = MqttConfig(host="127.0.0.1", port=strict.port)
        result = check_broker(config, node="nursery", clock=HandClock(1000.0), environ={})
    assert result.denied == (denied,)


def test_a_broker_that_is_not_there_is_one_clear_line() -> None:
    """With its address."""
    config = MqttConfig(host="127.0.0.1", port=free_port())
    with pytest.raises(MqttError, match=rf"127\.0\.0\.1:{config.port}"):
        check_broker(config, node="nursery", clock=HandClock(1000.0), environ={})
