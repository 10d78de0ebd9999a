"""What Home Assistant is told of the device."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from detector.alerts.commands import parse_command
from detector.alerts.homeassistant import (
    DeviceInfo,
    device_id,
    discovery_message,
    discovery_payload,
    orphans,
    removal_payload,
    sound_key,
    sounds_of,
    threshold_key,
)
from detector.alerts.messages import event_types
from detector.alerts.topics import Topics
from detector.config import SoundConfig
from detector.config.sounds import shipped_sounds
from detector.core.audio import MicState
from detector.core.events import Feedback, Judgement
from tests.alerts.discovery_rules import problems
from tests.alerts.tools import SOUNDS

DEVICE = DeviceInfo(
    software="1.2.3",
    model_id="yamnet",
    hardware="Raspberry Pi 4 Model B Rev 1.5",
    serial="10000000abcdef01",
    url="https://example.invalid/detector",
)
TOPICS = Topics("detector", "nursery")
ONE = SOUNDS["baby_cry"]


def payload(sounds: Mapping[str, SoundConfig] = SOUNDS, device: DeviceInfo = DEVICE) -> Any:
    """The discovery of a nursery."""
    return discovery_payload(TOPICS, name="Ears", area="Nursery", sounds=sounds, device=device)


def found(tree: Any) -> list[str]:
    """What Home Assistant would object to."""
    message = discovery_message("homeassistant", "nursery", tree)
    return problems(message.topic, message.payload)


def test_home_assistant_takes_the_discovery_whole() -> None:
    """With everything known of the device."""
    assert found(payload()) == []


def test_home_assistant_takes_the_least_discovery_too() -> None:
    """No sound, nothing known of the machine, no area."""
    bare = discovery_payload(
        TOPICS, name="Ears", area="", sounds={}, device=DeviceInfo(software="1")
    )
    assert found(bare) == []
    assert set(bare["dev"]) == {"ids", "name", "mf", "mdl", "sw"}


def test_home_assistant_takes_any_sounds() -> None:
    """Many, with names that could be those of other entities."""
    names = ["level", "armed", "detection", "mic_state", "armed_threshold", "x", "x_threshold"]
    tree = payload(dict.fromkeys(names, ONE))
    assert found(tree) == []
    assert len(tree["cmps"]) == 14 + 4 * len(names)


def test_home_assistant_takes_a_removal() -> None:
    """A component of a platform and nothing else."""
    assert found(removal_payload(payload(), {"dog_bark": "binary_sensor"})) == []


Mutation = Callable[[Any], object]
MUTATIONS: dict[str, Mutation] = {
    "unknown root key": lambda p: p.update(retain=True),
    "tilde at the root": lambda p: p.update({"~": "detector"}),
    "newer root key": lambda p: p.update(msg_exp_int=3),
    "unknown device key": lambda p: p["dev"].update(location="x"),
    "no identity": lambda p: p["dev"].pop("ids"),
    "no URL": lambda p: p["dev"].update(cu="example"),
    "empty serial": lambda p: p["dev"].update(sn=""),
    "unknown origin key": lambda p: p["o"].update(author="x"),
    "origin without a name": lambda p: p["o"].pop("name"),
    "origin without a URL": lambda p: p["o"].update(url="x"),
    "no components": lambda p: p.update(cmps={}),
    "mode latest": lambda p: p.pop("avty_mode"),
    "one availability twice": lambda p: p["avty"].append(p["avty"][0]),
    "availability twice over": lambda p: p.update(avty_t="x"),
    "availability without a topic": lambda p: p["avty"][0].pop("t"),
    "availability with more": lambda p: p["avty"][0].update(topic="x"),
    "no uniq_id": lambda p: p["cmps"]["level"].pop("uniq_id"),
    "uniq_id twice": lambda p: p["cmps"]["mic_state"].update(uniq_id="detector_nursery_level"),
    "key that is no id": lambda p: p["cmps"].update({"a b": p["cmps"].pop("level")}),
    "unknown platform": lambda p: p["cmps"]["level"].update(p="gauge"),
    "no state topic": lambda p: p["cmps"]["baby_cry"].pop("stat_t"),
    "no command topic": lambda p: p["cmps"]["armed"].pop("cmd_t"),
    "wildcard in a topic": lambda p: p["cmps"]["armed"].update(cmd_t="a/+/b"),
    "certified class": lambda p: p["cmps"]["smoke_alarm"].update(dev_cla="smoke"),
    "config that only tells": lambda p: p["cmps"]["mic_state"].update(ent_cat="config"),
    "unknown category": lambda p: p["cmps"]["armed"].update(ent_cat="advanced"),
    "removed option": lambda p: p["cmps"]["armed"].update(obj_id="x"),
    "no event types": lambda p: p["cmps"]["detection"].update(evt_typ=[]),
    "event type twice": lambda p: p["cmps"]["detection"]["evt_typ"].append("baby_cry"),
    "event type that is no text": lambda p: p["cmps"]["detection"]["evt_typ"].append(1),
    "doorbell that never rings": lambda p: p["cmps"]["detection"].update(dev_cla="doorbell"),
    "enum without options": lambda p: p["cmps"]["mic_state"].pop("ops"),
    "enum with a unit": lambda p: p["cmps"]["mic_state"].update(unit_of_meas="x"),
    "options without enum": lambda p: p["cmps"]["level"].update(ops=["x"]),
    "level as sound pressure": lambda p: p["cmps"]["level"].update(dev_cla="sound_pressure"),
    "unknown state class": lambda p: p["cmps"]["level"].update(stat_cla="mean"),
    "number upside down": lambda p: p["cmps"]["baby_cry_threshold"].update(min=1.0),
    "step too small": lambda p: p["cmps"]["baby_cry_threshold"].update(step=0.0001),
    "unknown mode": lambda p: p["cmps"]["baby_cry_threshold"].update(mode="knob"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_rules_find_one_thing_wrong(name: str) -> None:
    """Or that the payload passes them would mean nothing."""
    tree = copy.deepcopy(payload())
    MUTATIONS[name](tree)
    assert len(found(tree)) == 1


def test_the_rules_know_a_wrong_topic() -> None:
    """Home Assistant would not even look."""
    text = json.dumps(payload())
    assert problems("homeassistant/device/a b/config", text) == ["topic: a b is no id"]
    assert problems("homeassistant/sensor/config", text) != []


def test_a_sound_is_a_binary_sensor_with_attributes() -> None:
    """Of class sound, also where it is an alarm's."""
    assert payload()["cmps"]["baby_cry"] == {
        "p": "binary_sensor",
        "uniq_id": "detector_nursery_baby_cry",
        "name": "Baby cry",
        "dev_cla": "sound",
        "ic": "mdi:baby-face-outline",
        "stat_t": "detector/nursery/sound/baby_cry/state",
        "json_attr_t": "detector/nursery/sound/baby_cry/attributes",
    }


def test_the_entities_and_their_identities_never_change() -> None:
    """Another unique_id would be another entity, and everybody's automations would break."""
    identities = {key: c["uniq_id"] for key, c in payload()["cmps"].items()}
    assert identities == {
        "baby_cry": "detector_nursery_baby_cry",
        "baby_cry_threshold": "detector_nursery_baby_cry_threshold",
        "wrong-baby_cry": "detector_nursery_wrong-baby_cry",
        "missed-baby_cry": "detector_nursery_missed-baby_cry",
        "smoke_alarm": "detector_nursery_smoke_alarm",
        "smoke_alarm_threshold": "detector_nursery_smoke_alarm_threshold",
        "missed-smoke_alarm": "detector_nursery_missed-smoke_alarm",
        "detection": "detector_nursery_detection",
        "level": "detector_nursery_level",
        "armed": "detector_nursery_armed",
        "test_alert": "detector_nursery_test_alert",
        "selftest": "detector_nursery_selftest",
        "selftest_run": "detector_nursery_selftest_run",
        "mic_problem": "detector_nursery_mic_problem",
        "mic_state": "detector_nursery_mic_state",
        "mic_drift": "detector_nursery_mic_drift",
        "storage": "detector_nursery_storage",
        "stand_in": "detector_nursery_stand_in",
        "deaf_today": "detector_nursery_deaf_today",
        "inference_ms": "detector_nursery_inference_ms",
        "dropped_windows": "detector_nursery_dropped_windows",
    }
    assert device_id("nursery") == "detector_nursery"


def test_what_can_be_set_or_asked_works_without_a_microphone() -> None:
    """So do events, which tell that it is lost; only sounds and the level depend on it."""
    depends = {key for key, c in payload()["cmps"].items() if "avty" not in c}
    assert depends == {"baby_cry", "smoke_alarm", "level"}


def test_a_self_test_is_a_button_and_its_failure_a_problem() -> None:
    """On while the last one failed, with its steps beside it."""
    tree = payload()["cmps"]
    assert tree["selftest"] | {"uniq_id": ""} == {
        "p": "binary_sensor",
        "uniq_id": "",
        "name": "Self-test",
        "dev_cla": "problem",
        "ent_cat": "diagnostic",
        "stat_t": "detector/nursery/selftest",
        "val_tpl": "{{ 'OFF' if value_json.passed else 'ON' }}",
        "json_attr_t": "detector/nursery/selftest",
        "avty": tree["armed"]["avty"],
    }
    button = tree["selftest_run"]
    assert (button["p"], button["cmd_t"], button["pl_prs"]) == (
        "button",
        "detector/nursery/cmd",
        "selftest",
    )


def test_a_sound_has_buttons_for_what_a_person_says_of_it() -> None:
    """Wrong and missed; they work without a microphone, and the daemon understands them."""
    tree = payload()["cmps"]
    assert tree["wrong-baby_cry"] == {
        "p": "button",
        "uniq_id": "detector_nursery_wrong-baby_cry",
        "name": "Baby cry was wrong",
        "ent_cat": "diagnostic",
        "ic": "mdi:thumb-down",
        "cmd_t": "detector/nursery/cmd",
        "pl_prs": "feedback wrong baby_cry",
        "avty": tree["armed"]["avty"],
    }
    missed = tree["missed-baby_cry"]["pl_prs"].encode()
    command = parse_command(TOPICS.command, missed, retained=False, topics=TOPICS, sounds=SOUNDS)
    assert command == Feedback(Judgement.MISSED, "baby_cry")


def test_of_what_is_critical_nothing_is_taken_for_wrong() -> None:
    """What was missed is."""
    tree = payload()["cmps"]
    assert "missed-smoke_alarm" in tree
    assert "wrong-smoke_alarm" not in tree


def test_an_alarm_that_beeps_as_a_standard_says_takes_no_feedback() -> None:
    """A few presses of a button could cost an alarm."""
    shipped = shipped_sounds()
    tree = payload({name: shipped[name] for name in ("smoke_alarm", "co_alarm", "siren")})["cmps"]
    buttons = {key for key in tree if key.startswith(("wrong-", "missed-"))}
    assert buttons == {"wrong-siren", "missed-siren"}


def test_every_event_type_and_microphone_state_is_declared() -> None:
    """Home Assistant ignores those that are not."""
    tree = payload()["cmps"]
    assert tree["detection"]["evt_typ"] == event_types(SOUNDS)
    assert tree["mic_state"]["ops"] == [state.value for state in MicState]


def test_a_sound_is_named_by_its_label() -> None:
    """Its threshold too."""
    tree = payload({"bark": replace(ONE, label="Dog bark")})["cmps"]
    assert tree["bark"]["name"] == "Dog bark"
    assert tree["bark_threshold"]["name"] == "Dog bark threshold"


@pytest.mark.parametrize(
    ("threshold", "bounds"), [(0.5, (0.05, 0.99)), (0.01, (0.01, 0.99)), (1.0, (0.05, 1.0))]
)
def test_a_threshold_is_within_the_range_that_is_shown(
    threshold: float, bounds: tuple[float, float]
) -> None:
    """Home Assistant refuses a number outside it."""
    number = payload({"x": replace(ONE, threshold=threshold)})["cmps"]["x_threshold"]
    assert (number["min"], number["max"]) == bounds


@pytest.mark.parametrize("name", ["baby_cry", "level", "x_threshold", "sound_level"])
def test_a_components_key_leads_back_to_its_sound(name: str) -> None:
    """So that the topics of a sound that went can be cleared."""
    found_again = sounds_of({sound_key(name): "binary_sensor", threshold_key(name): "number"})
    assert found_again == [name]


def test_other_components_are_no_sounds() -> None:
    """Their topics must not be touched."""
    others = {key: c["p"] for key, c in payload({})["cmps"].items()}
    assert sounds_of(others | {"a/+": "binary_sensor", "sound-a": "binary_sensor"}) == []


def test_orphans_are_what_the_earlier_discovery_had_and_this_one_has_not() -> None:
    """With their platforms, whatever they were."""
    earlier = payload(dict(SOUNDS) | {"dog_bark": ONE})
    expected = {"dog_bark": "binary_sensor", "dog_bark_threshold": "number"}
    expected |= {"wrong-dog_bark": "button", "missed-dog_bark": "button"}
    assert orphans(earlier, payload()) == expected


@pytest.mark.parametrize(
    "earlier", [None, [], "x", {}, {"cmps": []}, {"cmps": {"a": 1, "b": {}, "c": {"p": 2}}}]
)
def test_nonsense_on_the_discovery_topic_has_no_orphans(earlier: Any) -> None:
    """Anybody may have written there."""
    assert orphans(earlier, payload()) == {}


def test_a_removal_changes_nothing_else() -> None:
    """What stays is announced as ever."""
    tree = payload()
    removed = removal_payload(tree, {"dog_bark": "binary_sensor"})
    assert removed["cmps"].pop("dog_bark") == {"p": "binary_sensor"}
    assert removed == tree
