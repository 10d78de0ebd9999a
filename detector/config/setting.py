"""What can be said of a setting, in words and in bounds."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a setting beside its type and default."""

    doc: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    pattern: str | None = None
    """A regular expression the whole of a string must match."""
    pattern_means: str = ""
    """The same in words, for the error message."""


def setting(
    doc: str,
    *,
    default: Any = ...,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    multiple_of: float | None = None,
    pattern: str | None = None,
    pattern_means: str = "",
) -> Any:
    """A dataclass field that carries its Setting; required when there is no default."""
    described = Setting(doc, unit, minimum, maximum, multiple_of, pattern, pattern_means)
    metadata = {"setting": described}
    if default is ...:
        return field(metadata=metadata)
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


HOST_PATTERN = r"[^\s:/@]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?"
"""A host's name or IPv4 address, or an IPv6 address: no scheme, no port."""
NAME_PATTERN = r"[a-z][a-z0-9_]{0,39}"
NODE_PATTERN = r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,39}"
SHA256_PATTERN = r"[0-9a-f]{64}"
SHA256_MEANS = "64 hexadecimal digits in lower case"
TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]"
TOPIC_PATTERN = r"[^/#+$\s\x00][^#+$\s\x00]*(?<!/)"
TOPIC_MEANS = "a topic without wildcards, spaces or a slash at either end"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: ``default``, ``shipped``, or a file and a line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"
