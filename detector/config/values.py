"""From one YAML scalar to one value of the schema, or to a line that says what would be right."""

import difflib
import math
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from detector.config.describe import Known, choices, expected, number_text
from detector.config.setting import Setting

_TAG = "tag:yaml.org,2002:"
_KINDS = ("null", "bool", "int", "float", "str", "timestamp", "value", "merge", "map", "seq")
_TAGS = {_TAG + kind for kind in _KINDS}
_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]{0,17})")
_NUMBER = re.compile(
    r"[-+]?([0-9][0-9_]{0,17}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][-+]?[0-9]{1,3})?"
)
_WITH_UNIT = re.compile(r"([-+]?[0-9.]+) *(ms|s|sec|seconds?|Hz)")
_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BEFORE_HOST = re.compile(r"(\w+://|^|(?<=\s))[^\s:/]*:\S+@", re.ASCII)
_AFTER_PASSWORD = re.compile(r"(pass(?:word|wd|phrase)?\s*[:= ]\s*)\S.*", re.DOTALL | re.IGNORECASE)
_NO = object()
"""A reader's answer: the node is not of this type."""


class Wrong(Exception):  # noqa: N818 - it never leaves this package
    """A value that cannot be used; the text says why and what would be right."""


def without_secrets(text: str) -> str:
    """A value with ``********`` where people wrote a password into it: ``mqtt://me:secret@host``.

    It has no place anywhere in the configuration, so it gets there by mistake, and what is a
    mistake is quoted in a message that is logged.
    """
    return _AFTER_PASSWORD.sub(r"\1********", _BEFORE_HOST.sub(r"\1********@", text))


def shown(text: str) -> str:
    """A value as an error message quotes it: one line, not too long, without a password."""
    beginning = without_secrets(text[:1000])  # the search takes time by the square of the length
    clean = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", beginning)
    return clean if len(clean) <= 60 else clean[:57] + "…"


def shown_node(node: yaml.Node) -> str:
    """A node as an error message quotes it."""
    if isinstance(node, yaml.ScalarNode):
        return f'"{shown(node.value)}"' if node.style or not node.value else shown(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def suggestion(word: str, offered: Iterable[str], *, cutoff: float = 0.6) -> str:
    """``; did you mean baby_cry?`` where something offered is like the word, else nothing."""
    if len(word) > 60:
        return ""
    by_lower = {name.lower(): name for name in offered}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""


def is_empty(node: yaml.Node) -> bool:
    """Whether a node is YAML's null: nothing, ``~`` or ``null``."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null"


def check_tag(node: yaml.Node) -> None:
    """Raise Wrong for tags such as ``!secret`` and ``!!python/object``, which mean nothing here."""
    if node.tag in _TAGS:
        return
    tag = shown(node.tag.replace(_TAG, "!!"))
    hint = "; name a password's file in mqtt.password_file" if tag == "!secret" else ""
    raise Wrong(f"the tag {tag} means nothing here{hint}")


def scalar(node: yaml.Node, known: Known) -> Any:
    """The value of a node as the schema wants it; raises Wrong."""
    check_tag(node)
    if is_empty(node):
        if known.optional:
            return None
        raise Wrong(f"is empty: write {expected(known)}{_default_hint(known)}")
    if isinstance(node, yaml.ScalarNode):
        if not node.value and known.default != "" and {str, Path} & set(known.members):
            raise Wrong(f"is empty: write {expected(known)}{_default_hint(known)}")
        for member in known.members:
            value = _read(node, member, known.setting)
            if value is not _NO:
                return value
    how = "does not fit: write" if known.setting.pattern else "is not"
    raise Wrong(f"{shown_node(node)} {how} {expected(known)}{_hint(node, known)}")


def _default_hint(known: Known) -> str:
    if known.optional or isinstance(known.default, str | int | float):
        return ", or leave the line out for the default"
    return ""


def _read(node: yaml.ScalarNode, member: Any, setting: Setting) -> Any:
    words = choices(member)
    if words:
        return _read_choice(node.value, member, words)
    if member is bool:
        return _read_bool(node)
    if member is int:
        return _bounded(int(_digits(node)), setting) if _is_plain(node, _INTEGER) else _NO
    if member is float:
        return _bounded(float(_digits(node)), setting) if _is_plain(node, _NUMBER) else _NO
    return _read_text(node, member, setting)


def _read_choice(word: str, member: Any, words: tuple[str, ...]) -> Any:
    if word not in words:
        return _NO
    is_enumeration = isinstance(member, type) and issubclass(member, StrEnum)
    return member(word) if is_enumeration else word


def _read_bool(node: yaml.ScalarNode) -> Any:
    word = node.value.lower()
    if node.tag != _TAG + "bool" or word not in _TRUE | _FALSE:
        return _NO
    return word in _TRUE


def _is_plain(node: yaml.ScalarNode, pattern: re.Pattern[str]) -> bool:
    # YAML 1.1 takes 1e-3 for text and 1:30 for the number 90; a person means neither.
    return not node.style and pattern.fullmatch(node.value) is not None


def _digits(node: yaml.ScalarNode) -> str:
    return str(node.value).replace("_", "")


def _bounded(value: float, setting: Setting) -> Any:
    low = -math.inf if setting.minimum is None else setting.minimum
    high = math.inf if setting.maximum is None else setting.maximum
    if not (math.isfinite(value) and low <= value <= high):
        return _NO
    step = setting.multiple_of
    if step is not None and abs(round(value / step) * step - value) > step * 1e-6:
        return _NO
    return value


def _read_text(node: yaml.ScalarNode, member: Any, setting: Setting) -> Any:
    if node.tag not in (_TAG + "str", _TAG + "value") or _CONTROL.search(node.value):
        return _NO
    if setting.pattern and not re.fullmatch(setting.pattern, node.value):
        return _NO
    return member(node.value)


def _hint(node: yaml.Node, known: Known) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return ""
    if int in known.members or float in known.members:
        return _number_hint(node)
    if known.members == (bool,) and node.value.lower() in _TRUE | _FALSE:
        return "; take the quotes away"
    words = choices(known.members[0])
    if words:
        return suggestion(node.value, words)
    return _text_hint(node) if {str, Path} & set(known.members) else ""


def _number_hint(node: yaml.ScalarNode) -> str:
    text = node.value
    unit = _WITH_UNIT.fullmatch(text)
    if unit and unit[2] != "ms":
        return f"; write the number alone: {unit[1]}"
    if _COMMA.fullmatch(text):
        return f"; write a point: {text.replace(',', '.')}"
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1]):
        return f"; write {number_text(float(text[:-1]) / 100)}"
    return "; take the quotes away" if node.style and _NUMBER.fullmatch(text) else ""


def _text_hint(node: yaml.ScalarNode) -> str:
    if _CONTROL.search(node.value):
        return "; it holds a control character"
    kinds = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}
    kind = kinds.get(node.tag.removeprefix(_TAG))
    return f'; YAML reads it as {kind}: write it in quotes, "{shown(node.value)}"' if kind else ""
