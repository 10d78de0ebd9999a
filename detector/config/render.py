"""Print what is set, and what can be set: ``config show`` and ``config schema``."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from detector.config.describe import (
    REQUIRED,
    Known,
    expected,
    join,
    known_settings,
    number_text,
    walk,
)
from detector.config.document import DEFAULT
from detector.config.json_schema import json_schema
from detector.config.schema import Config
from detector.config.setting import Origin

__all__ = ["effective_config", "json_schema", "schema_text", "value_text"]

_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9 _./+-]|:(?=[a-z]))*(?<! )")
_UNREAD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is, and YAML does not take so."""
_COMMENT_COLUMN = 44
_WIDTH = 96


def effective_config(config: Config) -> str:
    """The whole configuration as YAML, each value with its origin as a comment.

    It loads to the same configuration.  There is no secret to hide: a password never stands in
    the configuration, only the path of its file.
    """
    lines = _section_lines(config, "", "", config.origins)
    return "\n".join(lines) + "\n"


def _section_lines(
    section: Any, key: str, indent: str, origins: Mapping[str, Origin]
) -> Iterator[str]:
    for known in known_settings(type(section)):
        value = getattr(section, known.name)
        yield from _lines(known.name, value, join(key, known.name), indent, origins)


def _lines(
    name: str, value: Any, path: str, indent: str, origins: Mapping[str, Origin]
) -> Iterator[str]:
    deeper = indent + "  "
    if dataclasses.is_dataclass(value):
        yield f"{indent}{name}:"
        yield from _section_lines(value, path, deeper, origins)
    elif isinstance(value, Mapping):
        yield f"{indent}{name}:"
        for inner, inner_value in value.items():
            yield from _lines(inner, inner_value, join(path, inner), deeper, origins)
    elif isinstance(value, tuple):
        yield from [f"{indent}{name}:"] if value else []  # none are what it is without the line
        yield from _item_lines(value, path, deeper, origins)
    else:
        yield _commented(f"{indent}{name}: {value_text(value)}", path, origins)


def _item_lines(
    items: tuple[Any, ...], path: str, indent: str, origins: Mapping[str, Origin]
) -> Iterator[str]:
    for number, item in enumerate(items):
        inner = f"{path}[{number}]"
        if dataclasses.is_dataclass(item):
            lines = _section_lines(item, inner, indent + "  ", origins)
            yield f"{indent}- {next(lines).lstrip()}"
            yield from lines
        else:
            yield _commented(f"{indent}- {value_text(item)}", inner, origins)


def _commented(line: str, path: str, origins: Mapping[str, Origin]) -> str:
    return f"{line:<{_COMMENT_COLUMN}}  # {origins.get(path, DEFAULT)}"


def value_text(value: object) -> str:
    """One value as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and _reads_as_text(text)
    quoted = json.dumps(text, ensure_ascii=False)
    return text if plain else _UNREAD.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _reads_as_text(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False


def schema_text() -> str:
    """Every setting there is, for a person: key path, what it may be, default and meaning."""
    return "\n\n".join(_described(path, known) for path, known in walk()) + "\n"


def _described(path: str, known: Known) -> str:
    parts = [f"{path}:", _wrapped(known.setting.doc)]
    if not (known.section or known.is_mapping):
        default = "required" if known.default is REQUIRED else f"default: {default_text(known)}"
        parts.append(_wrapped(f"→ {expected(known)} ({default})"))
    return "\n".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )


def default_text(known: Known) -> str:
    """The default of a setting in words; what depends on the machine is not written out."""
    if known.name == "node":
        return "the host's name"
    if known.default is None:
        return "none"
    if known.default == "":
        return "empty"
    return value_text(known.default)
