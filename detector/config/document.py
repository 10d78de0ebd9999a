"""Walk a tree of YAML nodes along the schema, noting every problem and where each value is from."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from detector.config.describe import REQUIRED, Known, expected, join, known_settings, walk
from detector.config.setting import Origin
from detector.config.values import (
    Wrong,
    check_tag,
    is_empty,
    scalar,
    shown,
    shown_node,
    suggestion,
)
from detector.core.errors import ConfigError, Problem

MAX_PROBLEMS = 100
WRONG: Any = object()
"""Stands for a value that cannot be used; its problem is noted."""
DEFAULT = Origin("default")

_FILE_HINT = (
    "the password never stands in the configuration: put it in a file and name it in "
    "mqtt.password_file"
)


class Document:
    """One configuration being read. Owned by one call of the loader."""

    def __init__(self, source: str, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self.origins: dict[str, Origin] = {}
        self.lines: dict[str, int] = {}
        """Line of everything that is written, sections too, by key path."""
        self.wrong: set[str] = set()
        """Key paths that have a problem, so that no second one is made of it."""
        self._problems: list[tuple[int, Problem]] = []

    # Problems.

    def problem(self, line: int, key: str, message: str) -> None:
        """Note a problem; ``line`` 0 is the file as a whole."""
        where = f"{self.source}:{line}" if line else self.source
        self._problems.append((line, Problem(where, key, message)))
        self.wrong.add(key)

    def problem_at(self, key: str, message: str) -> None:
        """Note a problem on the line of a key, or of what it stands in where it is not written."""
        above = key
        while above and above not in self.lines:
            above = above[: max(above.rfind("."), above.rfind("["), 0)]
        self.problem(self.lines.get(above, 0), key, message)

    @property
    def problems(self) -> list[Problem]:
        """All problems so far, in the order of their lines."""
        problems = [problem for _, problem in sorted(self._problems, key=lambda noted: noted[0])]
        if len(problems) > MAX_PROBLEMS:
            more = Problem(self.source, "", f"{len(problems) - MAX_PROBLEMS} more problems")
            problems = [*problems[:MAX_PROBLEMS], more]
        return problems

    def raise_problems(self, others: Iterable[Problem] = ()) -> None:
        """Raise one ConfigError with all problems, and those of other files, if there are any."""
        if problems := [*self.problems, *others]:
            raise ConfigError(problems)

    def is_written(self, key: str) -> bool:
        """Whether the file itself has something at a key path."""
        return key in self.lines

    # Mappings.

    def entries(self, node: yaml.Node, key: str) -> Iterator[tuple[str, yaml.Node]]:
        """Names and values of a mapping, noting what is no mapping or stands twice."""
        if is_empty(node) or not self._is_mapping(node, key):
            return
        for name_node, value in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.problem(line, key, f"{shown_node(name_node)} cannot be a key")
                continue
            name = name_node.value
            path = join(key, shown(name))
            if path in self.lines:
                self.problem(line, path, f"stands twice, first in line {self.lines[path]}")
                continue
            self.lines[path] = line
            yield name, value

    def _is_mapping(self, node: yaml.Node, key: str) -> bool:
        try:
            check_tag(node)
        except Wrong as wrong:
            self.problem(_line(node), key, str(wrong))
            return False
        if not isinstance(node, yaml.MappingNode):
            what = shown_node(node)
            message = f"{what} is not a mapping of settings (lines of `name: value`)"
            self.problem(_line(node), key, message)
            return False
        return True

    def _unknown(self, section: type[Any], name: str, path: str) -> None:
        if len(self._problems) > MAX_PROBLEMS:
            self.problem(self.lines[path], path, "is not known")
        elif "password" in name.lower() and len(name) <= 20:
            self.problem(self.lines[path], path, f"is not known; {_FILE_HINT}")
        else:
            names = [known.name for known in known_settings(section)]
            hint = suggestion(name, names) or _moved(name)
            self.problem(self.lines[path], path, f"is not known{hint}")

    # Sections.

    def given(self, node: yaml.Node, section: type[Any], key: str) -> dict[str, Any]:
        """What is written of a section and right; of a mapping of names, its node."""
        known = {setting.name: setting for setting in known_settings(section)}
        values: dict[str, Any] = {}
        for name, value_node in self.entries(node, key):
            path = join(key, shown(name))
            if name not in known:
                self._unknown(section, name, path)
                continue
            value = self._value(value_node, known[name], path)
            if value is WRONG:
                self.wrong.add(path)
            else:
                values[name] = value
        return values

    def section(self, node: yaml.Node, section: type[Any], key: str) -> Any:
        """A whole section, or WRONG where something that it must have is missing."""
        values = self.given(node, section, key)
        return self.complete(section, values, key)

    def complete(self, section: type[Any], values: dict[str, Any], key: str) -> Any:
        """Fill up with defaults; WRONG where something without a default is missing."""
        for known in known_settings(section):
            if known.name in values:
                continue
            path = join(key, known.name)
            if known.default is not REQUIRED:
                values[known.name] = known.default
                self._note_default(known, path)
            elif path not in self.wrong:
                self.problem_at(path, f"is missing: {expected(known)}")
        return section(**values) if _is_complete(section, values) else WRONG

    def _note_default(self, known: Known, path: str) -> None:
        if dataclasses.is_dataclass(known.default):
            for inner in known_settings(type(known.default)):
                self._note_default(inner, join(path, inner.name))
        else:
            self.origins[path] = DEFAULT

    # Values.

    def _value(self, node: yaml.Node, known: Known, path: str) -> Any:
        if known.is_mapping:
            return node
        if known.section and not (known.optional and is_empty(node)):
            return self.section(node, known.section, path)
        if known.item:
            return self._items(node, known, path)
        return self._scalar(node, known, path)

    def _scalar(self, node: yaml.Node, known: Known, path: str) -> Any:
        try:
            value = scalar(node, known)
            if isinstance(value, Path):
                value = self._resolve(value)
        except Wrong as wrong:
            self.problem(_line(node), path, str(wrong))
            return WRONG
        self.origins[path] = Origin(self.source, _line(node))
        self.lines.setdefault(path, _line(node))
        return value

    def _resolve(self, path: Path) -> Path:
        try:
            return self.folder / path.expanduser()
        except RuntimeError:
            raise Wrong(f"{shown(str(path))} begins with a home that is not known here") from None

    def _items(self, node: yaml.Node, known: Known, path: str) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            self.problem(_line(node), path, _no_list(node, known))
            return WRONG
        if not node.value:
            self.problem(_line(node), path, "is empty: write at least one")
            return WRONG
        one = dataclasses.replace(known, members=(known.item,), optional=False, default=REQUIRED)
        items = [self._item(item, one, f"{path}[{i}]") for i, item in enumerate(node.value)]
        return WRONG if WRONG in items else tuple(items)

    def _item(self, node: yaml.Node, known: Known, path: str) -> Any:
        self.lines[path] = _line(node)
        return self._value(node, known, path)


def _no_list(node: yaml.Node, known: Known) -> str:
    if is_empty(node):
        return f"is empty: write {expected(known)}"
    single = isinstance(node, yaml.ScalarNode) and known.item is str
    hint = f'; write ["{shown(node.value)}"]' if single else ""
    return f"{shown_node(node)} is not {expected(known)}{hint}"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_complete(section: type[Any], values: Mapping[str, Any]) -> bool:
    return all(known.name in values for known in known_settings(section))


@cache
def _paths_by_name() -> dict[str, str]:
    return {known.name: path for path, known in reversed(list(walk()))}


def _moved(name: str) -> str:
    path = _paths_by_name().get(name)
    return f"; did you mean {path}?" if path else ""
