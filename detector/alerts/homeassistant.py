"""How Home Assistant finds the device: one retained discovery message for all its entities.

Home Assistant checks the root of the message strictly: one unknown key, or one component without
``uniq_id``, and it takes nothing at all.  ``tests/alerts/discovery_rules.py`` holds the rules.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detector.alerts.buttons import feedback_buttons
from detector.alerts.messages import (
    OFFLINE,
    ONLINE,
    Payload,
    event_types,
    threshold_bounds,
    to_json,
)
from detector.alerts.topics import Message, Topics
from detector.config.schema import SoundConfig
from detector.config.setting import NAME_PATTERN
from detector.core.audio import MicState

LEVEL_EXPIRY_S = 30
HEALTH_EXPIRY_S = 180
THRESHOLD_STEP = 0.01

_FIXED = (
    "detection",
    "level",
    "armed",
    "mic_problem",
    "mic_state",
    "inference_ms",
    "dropped_windows",
    "test_alert",
    "selftest",
    "selftest_run",
    "mic_drift",
    "deaf_today",
    "storage",
    "stand_in",
)
"""Components that every device has. Their keys are part of the entities' identity: never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What Home Assistant shows of the device; what is empty is left out."""

    software: str
    """Our version."""
    model_id: str = ""
    """The recogniser, ``yamnet``."""
    hardware: str = ""
    """The machine, ``Raspberry Pi 4 Model B Rev 1.5``."""
    serial: str = ""
    url: str = ""
    """Where help is to be found; http or https."""


def device_id(node: str) -> str:
    """The device's identity in Home Assistant."""
    return f"detector_{node}"


def discovery_topic(prefix: str, node: str) -> str:
    """Where the discovery message goes."""
    return f"{prefix}/device/{device_id(node)}/config"


def sound_key(name: str) -> str:
    """A sound's component key: its name, unless that could be another component's."""
    special = name in _FIXED or name.endswith("_threshold")
    return f"sound-{name}" if special else name


def threshold_key(name: str) -> str:
    """The component key of a sound's threshold."""
    special = sound_key(name) != name
    return f"threshold-{name}" if special else f"{name}_threshold"


def sounds_of(components: Mapping[str, str]) -> list[str]:
    """The sounds among components, given as platform by key."""
    keys = (key for key, platform in components.items() if platform == "binary_sensor")
    named = ((key, key.removeprefix("sound-")) for key in keys)
    return [n for key, n in named if re.fullmatch(NAME_PATTERN, n) and sound_key(n) == key]


def discovery_payload(
    topics: Topics, *, name: str, area: str, sounds: Mapping[str, SoundConfig], device: DeviceInfo
) -> Payload:
    """The whole message. It is the same for the same arguments, always."""
    components = _sound_components(topics, sounds) | _common_components(topics, sounds)
    for key, component in components.items():
        component["uniq_id"] = f"{device_id(topics.node)}_{key}"
    return {
        "dev": _device(topics.node, name, area, device),
        "o": _without_empty({"name": "detector", "sw": device.software, "url": device.url}),
        "avty": [_availability(topics.status), _availability(topics.mic_status)],
        "avty_mode": "all",
        "qos": 1,
        "cmps": components,
    }


def discovery_message(prefix: str, node: str, payload: Payload) -> Message:
    """The message that carries a discovery payload."""
    return Message(discovery_topic(prefix, node), to_json(payload), retain=True)


def removal_payload(payload: Payload, orphans: Mapping[str, str]) -> Payload:
    """The payload that takes components away: published once before the payload itself.

    ``orphans`` gives their platforms by key.  Merely leaving them out would leave them behind.
    """
    gone = {key: {"p": platform} for key, platform in orphans.items()}
    return payload | {"cmps": payload["cmps"] | gone}


def orphans(previous: object, payload: Payload) -> dict[str, str]:
    """Components of an earlier payload that this one lacks: platform by key.

    ``previous`` is whatever JSON stood on the discovery topic.
    """
    components = previous.get("cmps") if isinstance(previous, dict) else None
    if not isinstance(components, dict):
        return {}
    platforms = {key: c.get("p") for key, c in components.items() if isinstance(c, dict)}
    return {
        key: platform
        for key, platform in platforms.items()
        if isinstance(platform, str) and key not in payload["cmps"]
    }


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def _device(node: str, name: str, area: str, device: DeviceInfo) -> dict[str, Any]:
    return _without_empty(
        {
            "ids": [device_id(node)],
            "name": name,
            "mf": "detector project",
            "mdl": "Sound event detector",
            "mdl_id": device.model_id,
            "sw": device.software,
            "hw": device.hardware,
            "sn": device.serial,
            "sa": area,
            "cu": device.url,
        }
    )


def _availability(topic: str) -> dict[str, str]:
    return {"t": topic, "pl_avail": ONLINE, "pl_not_avail": OFFLINE}


def _always(topics: Topics) -> dict[str, Any]:
    """For what works while the microphone does not."""
    return {"avty": [_availability(topics.status)]}


def _sound_components(topics: Topics, sounds: Mapping[str, SoundConfig]) -> dict[str, Any]:
    components: dict[str, Any] = {}
    for name, sound in sounds.items():
        components[sound_key(name)] = _sound(topics, name, sound)
        components[threshold_key(name)] = _threshold(topics, name, sound)
        components |= feedback_buttons(topics, name, sound, _always(topics))
    return components


def _sound(topics: Topics, name: str, sound: SoundConfig) -> dict[str, Any]:
    """Always of class sound: smoke or carbon_monoxide would pose as a certified detector."""
    return {
        "p": "binary_sensor",
        "name": sound.label,
        "dev_cla": "sound",
        "ic": sound.icon,
        "stat_t": topics.sound_state(name),
        "json_attr_t": topics.sound_attributes(name),
    }


def _threshold(topics: Topics, name: str, sound: SoundConfig) -> dict[str, Any]:
    low, high = threshold_bounds(sound)
    return {
        "p": "number",
        "name": f"{sound.label} threshold",
        "ent_cat": "config",
        "ic": "mdi:tune-vertical",
        "min": low,
        "max": high,
        "step": THRESHOLD_STEP,
        "mode": "slider",
        "stat_t": topics.threshold_state(name),
        "cmd_t": topics.threshold_set(name),
        **_always(topics),
    }


def _common_components(topics: Topics, sounds: Mapping[str, SoundConfig]) -> dict[str, Any]:
    return {
        "detection": {
            "p": "event",
            "name": "Sound event",
            "ic": "mdi:waveform",
            "evt_typ": event_types(sounds),
            "stat_t": topics.event,
            **_always(topics),  # it tells that the microphone is lost
        },
        "level": {
            "p": "sensor",
            "name": "Sound level",
            "unit_of_meas": "dBFS",
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
            "ic": "mdi:volume-high",
            "exp_aft": LEVEL_EXPIRY_S,
            "stat_t": topics.level,
            "val_tpl": "{{ value_json.rms_dbfs }}",
        },
        "armed": {
            "p": "switch",
            "name": "Detection",
            "ic": "mdi:microphone",
            "stat_t": topics.armed_state,
            "cmd_t": topics.armed_set,
            **_always(topics),
        },
        "test_alert": {
            "p": "button",
            "name": "Send test alert",
            "ent_cat": "diagnostic",
            "ic": "mdi:bell-check",
            "cmd_t": topics.command,
            "pl_prs": "test_alert",
            **_always(topics),
        },
        **_self_test_components(topics),
        **_health_components(topics),
    }


def _self_test_components(topics: Topics) -> dict[str, Any]:
    return {
        "selftest": {
            "p": "binary_sensor",
            "name": "Self-test",
            "dev_cla": "problem",
            "ent_cat": "diagnostic",
            "stat_t": topics.self_test,
            "val_tpl": "{{ 'OFF' if value_json.passed else 'ON' }}",
            "json_attr_t": topics.self_test,
            **_always(topics),
        },
        "selftest_run": {
            "p": "button",
            "name": "Run self-test",
            "ent_cat": "diagnostic",
            "ic": "mdi:clipboard-check",
            "cmd_t": topics.command,
            "pl_prs": "selftest",
            **_always(topics),
        },
    }


def _health_components(topics: Topics) -> dict[str, Any]:
    shared = {
        "ent_cat": "diagnostic",
        "stat_t": topics.health,
        "exp_aft": HEALTH_EXPIRY_S,
        **_always(topics),
    }
    components = _hearing_components(topics) | _machine_components(topics)
    return {key: component | shared for key, component in components.items()}


def _hearing_components(topics: Topics) -> dict[str, Any]:
    return {
        "mic_problem": {
            "p": "binary_sensor",
            "name": "Microphone",
            "dev_cla": "problem",
            "val_tpl": "{{ 'ON' if value_json.mic_state != 'ok' else 'OFF' }}",
            "json_attr_t": topics.health,
        },
        "mic_state": {
            "p": "sensor",
            "name": "Microphone state",
            "dev_cla": "enum",
            "ops": [state.value for state in MicState],
            "val_tpl": "{{ value_json.mic_state }}",
        },
        "mic_drift": _problem(topics, "Microphone sounds unlike itself", "mic_warning"),
        "deaf_today": {
            "p": "sensor",
            "name": "Deaf today",
            "dev_cla": "duration",
            "unit_of_meas": "s",
            "stat_cla": "total_increasing",
            "sug_dsp_prc": 0,
            "ic": "mdi:ear-hearing-off",
            "val_tpl": "{{ value_json.deaf_seconds_today.total }}",
            "json_attr_t": topics.health,
            "json_attr_tpl": "{{ value_json.deaf_seconds_today | tojson }}",
        },
    }


def _machine_components(topics: Topics) -> dict[str, Any]:
    return {
        "storage": _problem(topics, "History", "storage_error"),
        "stand_in": _problem(topics, "Model", "model_warning"),
        "inference_ms": {
            "p": "sensor",
            "name": "Inference time",
            "dev_cla": "duration",
            "unit_of_meas": "ms",
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
            "val_tpl": "{{ value_json.inference_ms_p95 }}",
        },
        "dropped_windows": {
            "p": "sensor",
            "name": "Dropped windows",
            "stat_cla": "total_increasing",
            "val_tpl": "{{ value_json.dropped_windows }}",
            "en": False,
        },
    }


def _problem(topics: Topics, name: str, field: str) -> dict[str, Any]:
    """What is wrong while a field of the health says why, and well while it is empty."""
    return {
        "p": "binary_sensor",
        "name": name,
        "dev_cla": "problem",
        "val_tpl": f"{{{{ 'ON' if value_json.{field} else 'OFF' }}}}",
        "json_attr_t": topics.health,
        "json_attr_tpl": f"{{{{ {{'reason': value_json.{field}}} | tojson }}}}",
    }
