"""Sounds that nothing in use can hear: neither gone from Home Assistant, nor quiet in it."""

import json
from typing import Any

from detector.alerts.homeassistant import discovery_message, discovery_payload, orphans
from detector.alerts.unheard import with_unheard
from tests.alerts.conftest import MakeSink
from tests.alerts.discovery_rules import problems
from tests.alerts.test_homeassistant import DEVICE, TOPICS, payload
from tests.alerts.tools import SOUNDS, Broker, Watcher

HEARD = {"baby_cry": SOUNDS["baby_cry"]}
UNHEARD = {"smoke_alarm": SOUNDS["smoke_alarm"]}
AT = "detector/nursery"
NEVER = [{"t": f"{AT}/status", "pl_avail": "heard", "pl_not_avail": "online"}]


def told() -> Any:
    """The discovery of a nursery where one of two sounds cannot be heard."""
    return with_unheard(payload(HEARD), payload(UNHEARD), TOPICS.status)


def test_what_cannot_be_heard_is_unavailable_while_the_detector_lives() -> None:
    """Each of its entities; the others are as ever, and Home Assistant takes it whole."""
    made, usual = told()["cmps"], payload(HEARD)["cmps"]
    assert {key: made[key] for key in usual} == usual
    of_unheard = {key: made[key] for key in made.keys() - usual.keys()}
    assert "smoke_alarm" in of_unheard
    assert all(one["avty"] == NEVER for one in of_unheard.values())
    message = discovery_message("homeassistant", "nursery", told())
    assert problems(message.topic, message.payload) == []


def test_nothing_of_it_is_taken_away() -> None:
    """What a person has made of its entities would go with them."""
    both = discovery_payload(
        TOPICS, name="Ears", area="Nursery", sounds=HEARD | UNHEARD, device=DEVICE
    )
    assert orphans(both, told()) == {}


def test_the_broker_keeps_no_state_of_it_until_it_is_heard_again(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """OFF from an earlier run would look as if all were quiet."""
    first = make_sink(broker.port)
    first.start()
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "OFF")
    watcher.wait_for(f"{AT}/status", "online")
    first.stop()
    watcher.wait_for(f"{AT}/status", "offline")
    watcher.forget()
    sink = make_sink(broker.port, sounds=HEARD, unheard=UNHEARD)
    sink.start()
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "")
    watcher.wait_for(f"{AT}/sound/smoke_alarm/threshold/state", "")
    discovery = json.loads(watcher.wait_for("homeassistant/device/detector_nursery/config").payload)
    assert discovery["cmps"]["smoke_alarm"]["avty"] == NEVER
    watcher.forget()
    sink.update_sounds(HEARD | UNHEARD)
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "OFF")
    discovery = json.loads(watcher.wait_for("homeassistant/device/detector_nursery/config").payload)
    assert "avty" not in discovery["cmps"]["smoke_alarm"]
