"""Home Assistant's rules for a device discovery message, as strict as Home Assistant itself.

Taken from its MQTT integration, 2024.11 to 2026.11: what one release would refuse is a problem.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

ID = re.compile(r"[a-zA-Z0-9_-]+")
ROOT_KEYS = {"dev", "o", "cmps", "avty", "avty_mode", "avty_t", "avty_tpl"}
ROOT_KEYS |= {"pl_avail", "pl_not_avail", "stat_t", "cmd_t", "qos", "e"}
DEVICE_KEYS = {"ids", "cns", "cu", "mf", "mdl", "mdl_id", "name", "hw", "sw", "sn", "sa"}
DEVICE_KEYS |= {"via_device"}
ORIGIN_KEYS = {"name", "sw", "url"}
REQUIRED = {
    "binary_sensor": {"stat_t"},
    "sensor": {"stat_t"},
    "event": {"stat_t", "evt_typ"},
    "number": {"cmd_t"},
    "switch": {"cmd_t"},
    "button": {"cmd_t"},
}
READ_ONLY = {"binary_sensor", "sensor"}
BINARY_CLASSES = {"sound", "problem", "connectivity", "running", "safety", "tamper"}
UNITS = {"duration": {"ms", "s", "min", "h", "d"}, "signal_strength": {"dB", "dBm"}}
UNITS |= {"sound_pressure": {"dB", "dBA"}}
URL = re.compile(r"(https?|homeassistant)://\S+")
TOPIC = re.compile(r"[^/#+\s\x00][^#+\s\x00]*(?<!/)")
TOPIC_KEYS = ("stat_t", "cmd_t", "json_attr_t", "avty_t")

Problems = Iterator[str]


def problems(topic: str, text: str) -> list[str]:
    """Everything wrong with a discovery message; empty where it would be taken whole."""
    payload = json.loads(text)
    return [
        *_topic_problems(topic),
        *(f"root: unknown key {key}" for key in payload.keys() - ROOT_KEYS),
        *_device_problems(payload.get("dev", {})),
        *_origin_problems(payload.get("o", {})),
        *_availability_problems("root", payload),
        *_component_list_problems(payload),
    ]


def _topic_problems(topic: str) -> Problems:
    levels = topic.split("/")
    if len(levels) not in (4, 5) or levels[1] != "device" or levels[-1] != "config":
        yield f"topic: {topic} is no device discovery topic"
    yield from (f"topic: {level} is no id" for level in levels[2:-1] if not ID.fullmatch(level))


def _device_problems(device: dict[str, Any]) -> Problems:
    yield from (f"dev: unknown key {key}" for key in device.keys() - DEVICE_KEYS)
    if not device.get("ids") and not device.get("cns"):
        yield "dev: neither ids nor cns"
    if "cu" in device and not URL.fullmatch(device["cu"]):
        yield "dev: cu is no URL"
    strings = {key: value for key, value in device.items() if key not in ("ids", "cns")}
    yield from (
        f"dev: {k} is no text" for k, v in strings.items() if not isinstance(v, str) or not v
    )


def _origin_problems(origin: dict[str, Any]) -> Problems:
    yield from (f"o: unknown key {key}" for key in origin.keys() - ORIGIN_KEYS)
    if not origin.get("name"):
        yield "o: no name"
    if "url" in origin and not URL.fullmatch(origin["url"]):
        yield "o: url is no URL"


def _availability_problems(where: str, options: dict[str, Any]) -> Problems:
    entries = options.get("avty", [])
    if entries and "avty_t" in options:
        yield f"{where}: both avty and avty_t"
    yield from (f"{where}: availability without a topic" for entry in entries if "t" not in entry)
    topics = [entry.get("t") for entry in entries]
    if len(set(topics)) < len(topics):
        yield f"{where}: two availabilities on one topic"
    if len(topics) > 1 and options.get("avty_mode") != "all":
        yield f"{where}: several availabilities need avty_mode all; the default is the latest"
    for entry in entries:
        unknown = entry.keys() - {"t", "pl_avail", "pl_not_avail", "val_tpl"}
        yield from (f"{where}: unknown key {key} in avty" for key in unknown)


def _component_list_problems(payload: dict[str, Any]) -> Problems:
    components = payload.get("cmps")
    if not components:
        yield "cmps: none"
        return
    seen: set[tuple[str, str]] = set()
    for key, component in components.items():
        if not ID.fullmatch(key):
            yield f"{key}: is no id"
        if component.keys() == {"p"}:
            continue  # a removal
        yield from (f"{key}: {problem}" for problem in _component_problems(component))
        identity = (component.get("p", ""), component.get("uniq_id", ""))
        if identity in seen:
            yield f"{key}: uniq_id {identity[1]} twice"
        seen.add(identity)


def _component_problems(component: dict[str, Any]) -> Problems:
    platform = component.get("p")
    if platform not in REQUIRED:
        yield f"platform {platform}"
        return
    if not component.get("uniq_id"):
        yield "no uniq_id, which refuses the whole message"
    if "obj_id" in component:
        yield "obj_id is gone since 2026.4"
    yield from (f"no {key}" for key in REQUIRED[platform] - component.keys())
    topics = [component[key] for key in TOPIC_KEYS if key in component]
    topics += [entry.get("t", "") for entry in component.get("avty", [])]
    yield from (f"{topic!r} is no topic" for topic in topics if not TOPIC.fullmatch(topic))
    if platform in READ_ONLY and component.get("ent_cat") == "config":
        yield "what only tells cannot be of category config"
    if component.get("ent_cat") not in (None, "config", "diagnostic"):
        yield f"category {component['ent_cat']}"
    yield from _availability_problems("avty", component)
    if platform in PLATFORM_RULES:
        yield from PLATFORM_RULES[platform](component)


def _binary_sensor_problems(component: dict[str, Any]) -> Problems:
    if component.get("dev_cla") not in BINARY_CLASSES | {None}:
        yield f"class {component['dev_cla']} is not for us or not in every release"


def _event_problems(component: dict[str, Any]) -> Problems:
    types = component.get("evt_typ") or []
    if not types:
        yield "evt_typ is empty"
    if len(set(types)) < len(types):
        yield "evt_typ names one twice"
    if not all(isinstance(one, str) and one for one in types):
        yield "evt_typ holds what is no text"
    if component.get("dev_cla") == "doorbell" and "ring" not in types:
        yield "class doorbell without ring"


def _sensor_problems(component: dict[str, Any]) -> Problems:
    device_class, unit = component.get("dev_cla"), component.get("unit_of_meas")
    if device_class == "enum":
        yield from ("enum without ops" for _ in range(not component.get("ops")))
        yield from (f"enum with {key}" for key in ("unit_of_meas", "stat_cla") if key in component)
    elif "ops" in component:
        yield "ops without enum"
    if device_class in UNITS and unit not in UNITS[device_class]:
        yield f"unit {unit} does not fit class {device_class}"
    if component.get("stat_cla") not in (None, "measurement", "total", "total_increasing"):
        yield f"state class {component['stat_cla']}"


def _number_problems(component: dict[str, Any]) -> Problems:
    low, high, step = (
        component.get(key, default)
        for key, default in (("min", 1.0), ("max", 100.0), ("step", 1.0))
    )
    if not low < high:
        yield f"min {low} is not below max {high}"
    if step < 0.001:
        yield f"step {step} is below 0.001"
    if component.get("mode", "auto") not in ("auto", "slider", "box"):
        yield f"mode {component['mode']}"


PLATFORM_RULES: dict[str, Callable[[dict[str, Any]], Problems]] = {
    "binary_sensor": _binary_sensor_problems,
    "event": _event_problems,
    "sensor": _sensor_problems,
    "number": _number_problems,
}
