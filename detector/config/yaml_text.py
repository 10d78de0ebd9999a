"""From a file to a tree of YAML nodes, each with its line; nothing is constructed from it.

A configuration is small and flat.  What is not — a huge file, a thousand brackets, an alias that
stands for a thousand others — is refused before it can cost anything.
"""

import os
import re
from pathlib import Path

import yaml

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 20

# The C parser where PyYAML has it: ten times as quick, which a Raspberry Pi notices.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NOT_TEXT = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class Unreadable(Exception):  # noqa: N818 - it never leaves this package
    """The text as a whole cannot be used; ``line`` 0 is the file itself."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def read_text(path: Path) -> str:
    """Read a configuration file; raises Unreadable with the reason for a person."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file") from None
    except IsADirectoryError:
        raise Unreadable("is a folder, not a file") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else error
        raise Unreadable(f"cannot be read: {reason}") from None
    return _decode(data)


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Unreadable(f"is larger than {MAX_BYTES // 1024} KiB: not a configuration file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise Unreadable(
            f"is not UTF-8 text (byte 0x{byte:02x}): save the file as UTF-8", line
        ) from None


def compose(text: str) -> yaml.Node | None:
    """Parse text into its tree of nodes, None where there is nothing in it.

    Raises Unreadable for what is not YAML, with the line.
    """
    text = text.removeprefix("\ufeff")
    strange = _NOT_TEXT.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        raise Unreadable(f"holds a character that is not text (U+{ord(strange[0]):04X})", line)
    try:
        _refuse_excess(text)
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(text, error) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unreadable(f"is not YAML: {str(error).splitlines()[0]}") from None


def _refuse_excess(text: str) -> None:
    """Look over the events, which cost neither recursion nor expansion, for what is too much."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(
                "aliases (what begins with *) are not used here: write the value out", line
            )
        if depth > MAX_DEPTH:
            raise Unreadable(f"is nested deeper than {MAX_DEPTH} levels", line)
        if nodes > MAX_NODES:
            raise Unreadable(f"holds more than {MAX_NODES} values: not a configuration", line)


def _not_yaml(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark else 0
    lines = text.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Unreadable("is not YAML: a tab in the indentation; use spaces", number)
    if "document" in f"{error.context} {error.problem}" and "single" in str(error.context):
        return Unreadable("is not YAML for a configuration: a second document begins", number)
    parts = (error.problem, error.context)
    return Unreadable("is not YAML: " + ", ".join(part for part in parts if part), number)
