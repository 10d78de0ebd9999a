"""What the schema says, in the form that the loader and the printed descriptions need."""

import dataclasses
import types
import typing
from collections.abc import Hashable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, cast

from detector.config.schema import Config
from detector.config.setting import Setting

REQUIRED = dataclasses.MISSING
"""The default of a setting that has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """A setting of a section, as the schema declares it."""

    name: str
    members: tuple[Any, ...]
    """The types that a value may have; of a union, its members but None."""
    optional: bool
    """Whether it may be empty (null)."""
    setting: Setting
    default: Any
    """A value, or REQUIRED."""

    @property
    def section(self) -> type[Any] | None:
        """The dataclass behind a setting that is a section of its own."""
        member = self.members[0]
        return member if dataclasses.is_dataclass(member) and isinstance(member, type) else None

    @property
    def item(self) -> Any:
        """The type of the items of a setting that is a list, None for any other."""
        member = self.members[0]
        return typing.get_args(member)[0] if typing.get_origin(member) is tuple else None

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping of names that people choose: ``sounds``."""
        return typing.get_origin(self.members[0]) is Mapping


@cache
def _declared(section: Any) -> tuple[tuple[dataclasses.Field[Any], Any], ...]:
    hints = typing.get_type_hints(section)
    fields = dataclasses.fields(section)
    return tuple((field, hints[field.name]) for field in fields if "setting" in field.metadata)


def known_settings(section: type[Any]) -> tuple[Known, ...]:
    """All settings of a section of the schema, in its order."""
    return tuple(
        Known(
            name=field.name,
            members=members_of(hint),
            optional=type(None) in typing.get_args(hint),
            setting=field.metadata["setting"],
            default=_default(field),
        )
        for field, hint in _declared(cast(Hashable, section))
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def members_of(hint: Any) -> tuple[Any, ...]:
    """The types a union offers but None; of any other type, itself."""
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return (hint,)
    return tuple(member for member in typing.get_args(hint) if member is not type(None))


def choices(member: Any) -> tuple[str, ...] | None:
    """The words that a Literal or an enumeration allows, None for any other type."""
    if typing.get_origin(member) is Literal:
        return tuple(typing.get_args(member))
    if isinstance(member, type) and issubclass(member, StrEnum):
        return tuple(str(choice) for choice in member)
    return None


def number_text(value: float) -> str:
    """Write a number the way a person would: 600, 0.48, 1e-05."""
    return repr(value).removesuffix(".0")


def expected(known: Known) -> str:
    """In words, what a setting may be: ``a number from 0.01 to 1``."""
    if known.section or known.is_mapping:
        return "a mapping of settings"
    if known.item:
        return "a list of texts" if known.item is str else "a list of mappings"
    return " or ".join(_expected_member(member, known.setting) for member in known.members)


def _expected_member(member: Any, setting: Setting) -> str:
    words = choices(member)
    if words:
        return words[0] if len(words) == 1 else "one of " + ", ".join(words)
    if member in (int, float):
        return ("a whole number" if member is int else "a number") + _bounds(setting)
    if member is str:
        return setting.pattern_means or "text"
    return {bool: "true or false", Path: "a path"}[member]


def _bounds(setting: Setting) -> str:
    unit = f" {setting.unit}" if setting.unit else ""
    text = unit
    if setting.minimum is not None and setting.maximum is not None:
        text = f" from {number_text(setting.minimum)} to {number_text(setting.maximum)}{unit}"
    if setting.multiple_of is not None:
        text += f", a multiple of {number_text(setting.multiple_of)}{unit}"
    return text


def walk(section: type[Any] = Config, key: str = "") -> Iterator[tuple[str, Known]]:
    """Every setting there is, with its key path; ``<name>`` and ``[]`` stand for any."""
    for known in known_settings(section):
        path = join(key, known.name)
        yield path, known
        inner, below = _inner(known, path)
        if inner:
            yield from walk(inner, below)


def _inner(known: Known, path: str) -> tuple[type[Any] | None, str]:
    if known.is_mapping:
        return typing.get_args(known.members[0])[1], f"{path}.<name>"
    if dataclasses.is_dataclass(known.item) and isinstance(known.item, type):
        return known.item, f"{path}[]"
    return known.section, path


def join(key: str, name: str) -> str:
    """The key path of ``name`` below ``key``."""
    return f"{key}.{name}" if key else name
