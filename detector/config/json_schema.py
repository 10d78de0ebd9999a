"""The schema of the configuration as JSON Schema, for editors: ``config schema --json``."""

from pathlib import Path
from typing import Any

from detector.config.describe import REQUIRED, Known, choices, known_settings
from detector.config.schema import Config, SoundConfig
from detector.config.setting import NAME_PATTERN, Setting
from detector.config.sounds import shipped_sounds

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Describe what a configuration may hold, as a JSON Schema of draft 2020-12.

    It says what a single setting may be; what two settings together may be, the loader says.
    """
    return {
        "$schema": DRAFT,
        "title": "Configuration of the sound event detector",
        **_section(Config),
        "$defs": {
            "sound": _section(SoundConfig, required=frozenset()),
            "own_sound": _section(SoundConfig, required=frozenset({"evidence"})),
        },
    }


def _section(section: type[Any], required: frozenset[str] | None = None) -> dict[str, Any]:
    known = known_settings(section)
    if required is None:
        required = frozenset(one.name for one in known if one.default is REQUIRED)
    schema: dict[str, Any] = {
        "type": "object" if required else ["object", "null"],
        "properties": {one.name: _setting(one) for one in known},
        "additionalProperties": False,
    }
    return schema | ({"required": sorted(required)} if required else {})


def _setting(known: Known) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": known.setting.doc}
    if isinstance(known.default, str | int | float) and known.name != "node":
        schema["default"] = known.default
    return schema | _type(known)


def _type(known: Known) -> dict[str, Any]:
    if known.is_mapping:
        return _sounds()
    if known.item:
        one = _section(known.item) if known.item is not str else {"type": "string"}
        return {"type": "array", "items": one, "minItems": 1}
    section = known.section
    members = [_section(section)] if section else [_scalar(m, known.setting) for m in known.members]
    if known.optional:
        members.append({"type": "null"})
    return members[0] if len(members) == 1 else {"anyOf": members}


def _sounds() -> dict[str, Any]:
    names = list(shipped_sounds())
    mapping = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
        "properties": {name: {"$ref": "#/$defs/sound"} for name in names},
        "additionalProperties": {"$ref": "#/$defs/own_sound"},
    }
    listed = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": names}}
    return {"anyOf": [mapping, listed]}


def _scalar(member: Any, setting: Setting) -> dict[str, Any]:
    words = choices(member)
    if words:
        return {"enum": list(words)}
    if member in (int, float):
        return {"type": "integer" if member is int else "number", **_bounds(setting)}
    schema = {"type": {bool: "boolean", str: "string", Path: "string"}[member]}
    return schema | ({"pattern": f"^{setting.pattern}$"} if setting.pattern else {})


def _bounds(setting: Setting) -> dict[str, float]:
    # Not multiple_of: 0.48 is no exact multiple of 0.01 in binary, and validators differ there.
    bounds = {"minimum": setting.minimum, "maximum": setting.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}
