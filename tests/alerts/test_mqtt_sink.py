"""The MQTT sink against a real broker that lets everybody in: what it tells."""

import json
from dataclasses import replace
from typing import Any

import pytest

from detector.alerts.messages import Health
from detector.alerts.sinks import Delivery
from detector.config import Config
from detector.core.audio import MicState
from detector.core.events import EventKind, Phase
from tests.alerts.conftest import MakeSink
from tests.alerts.tools import PATIENCE_S, SOUNDS, Broker, Watcher, offset, onset, until

pytestmark = pytest.mark.system

AT = "detector/nursery"
DISCOVERY = "homeassistant/device/detector_nursery/config"
ALERT: dict[str, Any] = {"kind": EventKind.TEST_ALERT, "test": True, "detection": None}
BACKLOG: dict[str, Any] = {"age_s": 300.0, "late": True, "backlog": True}
STATES = [
    f"{AT}/mic/status",
    f"{AT}/armed/state",
    f"{AT}/sound/baby_cry/state",
    f"{AT}/sound/baby_cry/threshold/state",
    f"{AT}/sound/smoke_alarm/state",
    f"{AT}/sound/smoke_alarm/threshold/state",
]


def components(payload: str) -> set[str]:
    """The component keys of a discovery message."""
    return set(json.loads(payload)["cmps"])


def test_online_is_said_last_after_discovery_and_every_state(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Else Home Assistant would show states of the last run as if they were current."""
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    assert watcher.topics() == [DISCOVERY, *STATES, f"{AT}/status"]


def test_discovery_and_states_are_retained_for_those_who_come_later(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """A Home Assistant that restarts sees the truth at once."""
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    late = Watcher(broker.port)
    for topic in [DISCOVERY, *STATES, f"{AT}/status"]:
        assert late.wait_for(topic).retained
    late.close()


def test_an_onset_tells_attributes_then_state_then_the_event(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """So an automation that the event or the state calls finds the rest in place."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    event = watcher.wait_for(f"{AT}/event")
    state = f"{AT}/sound/baby_cry"
    assert watcher.topics() == [f"{state}/attributes", f"{state}/state", f"{AT}/event"]
    assert watcher.wait_for(f"{state}/state").payload == "ON"
    assert json.loads(event.payload)["event_type"] == "baby_cry"
    assert (event.retained, event.qos) == (False, 1)


def test_an_offset_tells_off_and_an_ended_event(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The state goes with the event."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.deliver(Delivery(offset())).result(PATIENCE_S)
    assert json.loads(watcher.wait_for(f"{AT}/event").payload)["event_type"] == "baby_cry_ended"
    assert watcher.wait_for(f"{AT}/sound/baby_cry/state").payload == "OFF"


def test_an_event_expires_at_the_broker_as_it_would_have_here(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Otherwise a subscriber with a long session would ring hours late."""
    sink = make_sink(broker.port, mqtt={"late_after_seconds": 90.0})
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    assert watcher.wait_for(f"{AT}/event").expiry_s in (89, 90)


def test_what_goes_to_the_backlog_rings_nothing(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """It is history: neither a state nor the live topic moves."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.deliver(Delivery(onset(), **BACKLOG)).result(PATIENCE_S)
    told = json.loads(watcher.wait_for(f"{AT}/event/backlog").payload)
    assert (told["late"], told["age_s"]) == (True, 300.0)
    assert watcher.topics() == [f"{AT}/event/backlog"]


def test_a_test_alert_is_on_one_event_and_off(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Its end is no second event."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.deliver(Delivery(onset(**ALERT))).result(PATIENCE_S)
    sink.deliver(Delivery(offset(**ALERT))).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/sound/baby_cry/state", "OFF")
    told = [s for s in watcher.seen if s.topic in (f"{AT}/event", f"{AT}/sound/baby_cry/state")]
    assert [s.payload for s in told if s.topic.endswith("state")] == ["ON", "OFF"]
    assert [json.loads(s.payload)["test"] for s in told if s.topic.endswith("event")] == [True]


def test_the_end_of_a_test_alert_leaves_a_real_sound_on(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """A button pressed during an alarm must not end it in Home Assistant."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    alert = (onset(number=2, **ALERT), offset(number=2, **ALERT))
    for event in (onset(number=1), *alert):
        sink.observe(event)
        sink.deliver(Delivery(event)).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/sound/baby_cry/state", count=3)
    watcher.wait_for(f"{AT}/event", count=2)
    told = [s.payload for s in watcher.seen if s.topic == f"{AT}/sound/baby_cry/state"]
    assert told == ["ON", "ON", "ON"]
    attributes = watcher.wait_for(f"{AT}/sound/baby_cry/attributes", count=3)
    assert json.loads(attributes.payload)["event_id"] == "nursery-1"


def test_an_end_that_comes_too_late_still_ends_the_state(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Its beginning was told in time: without a word on the state it would be ON for ever."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.observe(onset())
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/sound/baby_cry/state", "ON")
    sink.observe(offset())
    sink.deliver(Delivery(offset(), **BACKLOG)).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/event/backlog")
    assert watcher.wait_for(f"{AT}/sound/baby_cry/state", count=2).payload == "OFF"


def test_an_end_that_comes_too_late_does_not_end_what_began_since(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """It tells the present state, not its own."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    for event in (onset(number=1), offset(number=1), onset(number=2)):
        sink.observe(event)
    sink.deliver(Delivery(offset(number=1), **BACKLOG)).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/event/backlog")
    assert watcher.wait_for(f"{AT}/sound/baby_cry/state").payload == "ON"


def test_the_end_of_a_test_alert_never_blocks_what_comes_after(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Also where it is too late, or its sound has gone, and so there is nothing to tell."""
    sink = make_sink(broker.port, sounds={"baby_cry": SOUNDS["baby_cry"]})
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.deliver(Delivery(offset(**ALERT), **BACKLOG)).result(PATIENCE_S)
    sink.deliver(Delivery(offset("smoke_alarm", **ALERT))).result(PATIENCE_S)
    sink.deliver(Delivery(offset("smoke_alarm", **ALERT), **BACKLOG)).result(PATIENCE_S)
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/event")
    assert f"{AT}/event/backlog" not in watcher.topics()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_states_health_and_level_are_told_as_they_change(
    broker: Broker, watcher: Watcher, make_sink: MakeSink, protocol: str
) -> None:
    """With both versions of MQTT."""
    sink = make_sink(broker.port, mqtt={"protocol": protocol})
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.set_threshold("baby_cry", 0.55)
    sink.set_armed(armed=False)
    sink.set_microphone(available=True)
    sink.set_health(Health(mic_state=MicState.SILENT, dropped_windows=7))
    sink.set_level(-50.04, -30.0)
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/sound/baby_cry/threshold/state", "0.55")
    watcher.wait_for(f"{AT}/armed/state", "OFF")
    watcher.wait_for(f"{AT}/mic/status", "online")
    assert json.loads(watcher.wait_for(f"{AT}/health").payload)["mic_state"] == "silent"
    level = watcher.wait_for(f"{AT}/level")
    assert json.loads(level.payload) == {"rms_dbfs": -50.0, "peak_dbfs": -30.0}
    watcher.wait_for(f"{AT}/event")


def test_home_assistants_birth_message_brings_everything_anew(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """With the states of now, not of the connection."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.set_armed(armed=False)
    watcher.wait_for(f"{AT}/armed/state", "OFF")
    watcher.forget()
    watcher.say("homeassistant/status", "online")
    watcher.wait_for(f"{AT}/status", "online")
    assert watcher.topics() == ["homeassistant/status", DISCOVERY, *STATES, f"{AT}/status"]
    assert watcher.wait_for(f"{AT}/armed/state").payload == "OFF"


def test_a_birth_message_is_answered_after_its_delay_and_never_at_a_farewell(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """``offline`` is no birth; and the delay is asked for once per birth."""
    asked: list[float] = []

    def delay_s() -> float:
        asked.append(0.05)
        return asked[-1]

    make_sink(broker.port, birth_delay_s=delay_s).start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.say("homeassistant/status", "offline")
    watcher.say("homeassistant/status", "online")
    watcher.wait_for(f"{AT}/status", "online", count=2)
    assert asked == [0.05]


def test_without_discovery_home_assistant_is_left_alone(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The setting means what it says."""
    make_sink(broker.port, mqtt={"discovery": False}).start()
    watcher.wait_for(f"{AT}/status", "online")
    assert watcher.topics() == [*STATES, f"{AT}/status"]


def test_what_an_earlier_run_announced_is_removed_in_two_steps(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """The discovery that the broker still holds tells which sounds have gone."""
    first = make_sink(broker.port)
    first.start()
    watcher.wait_for(f"{AT}/status", "online")
    first.stop()
    watcher.wait_for(f"{AT}/status", "offline")
    watcher.forget()
    make_sink(broker.port, sounds={"baby_cry": SOUNDS["baby_cry"]}).start()
    removal = watcher.wait_for(DISCOVERY, count=2)
    final = watcher.wait_for(DISCOVERY, count=3)
    gone = json.loads(removal.payload)["cmps"]
    assert gone["smoke_alarm"] == {"p": "binary_sensor"}
    assert gone["smoke_alarm_threshold"] == {"p": "number"}
    assert "smoke_alarm" not in components(final.payload)
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "")


def test_a_reload_removes_what_went_and_announces_what_came(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """And keeps the state of what stayed."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.observe(onset())
    watcher.forget()
    sink.update_sounds({"baby_cry": SOUNDS["baby_cry"], "dog_bark": SOUNDS["smoke_alarm"]})
    assert "smoke_alarm" in components(watcher.wait_for(DISCOVERY).payload)
    final = components(watcher.wait_for(DISCOVERY, count=2).payload)
    assert "dog_bark" in final
    assert "smoke_alarm" not in final
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "")
    watcher.wait_for(f"{AT}/sound/dog_bark/state", "OFF")
    watcher.wait_for(f"{AT}/sound/baby_cry/state", "ON")


def test_an_event_of_a_sound_that_went_leaves_no_retained_state(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """It is told, but its topics stay clean."""
    sink = make_sink(broker.port, sounds={"baby_cry": SOUNDS["baby_cry"]})
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    sink.deliver(Delivery(offset("smoke_alarm"))).result(PATIENCE_S)
    watcher.wait_for(f"{AT}/event")
    assert watcher.topics() == [f"{AT}/event"]


def test_an_update_or_a_possible_alarm_changes_no_state(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Only the event says so."""
    sink = make_sink(broker.port)
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    watcher.forget()
    possible = onset("smoke_alarm", phase=Phase.POSSIBLE)
    sink.deliver(Delivery(possible)).result(PATIENCE_S)
    assert json.loads(watcher.wait_for(f"{AT}/event").payload)["event_type"] == (
        "smoke_alarm_possible"
    )
    assert watcher.topics() == [f"{AT}/event"]


def test_without_discovery_a_sound_that_went_is_still_forgotten_by_the_broker(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """Its topics are cleared, and nothing is said to Home Assistant."""
    sink = make_sink(broker.port, mqtt={"discovery": False})
    sink.start()
    watcher.wait_for(f"{AT}/status", "online")
    sink.update_sounds({"baby_cry": SOUNDS["baby_cry"]})
    watcher.wait_for(f"{AT}/sound/smoke_alarm/state", "")
    assert DISCOVERY not in watcher.topics()


def test_a_sound_that_is_not_enabled_is_not_announced(
    broker: Broker, watcher: Watcher, make_sink: MakeSink
) -> None:
    """It is as if it were not there."""
    sounds = {"baby_cry": SOUNDS["baby_cry"], "x": replace(SOUNDS["baby_cry"], enabled=False)}
    make_sink(broker.port, sounds=Config(sounds=sounds).enabled_sounds).start()
    assert "x" not in components(watcher.wait_for(DISCOVERY).payload)
    watcher.wait_for(f"{AT}/status", "online")
    assert f"{AT}/sound/x/state" not in watcher.topics()


def test_nonsense_on_our_discovery_topic_is_overwritten(
    broker: Broker, watcher: Watcher, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever left it there."""
    watcher.say(DISCOVERY, "{", retain=True)
    make_sink(broker.port).start()
    watcher.wait_for(f"{AT}/status", "online")
    assert "baby_cry" in components(watcher.wait_for(DISCOVERY, count=2).payload)
    until(lambda: "held no JSON" in caplog.text, "the warning")
