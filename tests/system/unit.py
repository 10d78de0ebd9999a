"""What the shipped unit allows, read from its own text."""

import os
import re
import shlex
import subprocess
from functools import cache
from importlib import resources


def settings(name: str) -> list[str]:
    """The values of a setting of detector.service, in their order."""
    text = (resources.files("detector.systemd") / "detector.service").read_text(encoding="utf-8")
    return re.findall(rf"(?m)^{name}=(.*)$", text)


def environment() -> dict[str, str]:
    """The variables that the unit sets."""
    return dict(
        word.split("=", 1) for line in settings("Environment") for word in shlex.split(line)
    )


def address_families() -> set[str]:
    """``AF_UNIX`` and the like."""
    return set(settings("RestrictAddressFamilies")[0].split())


def system_calls() -> set[str]:
    """The names of the system calls that are allowed."""
    allowed: set[str] = set()
    for line in settings("SystemCallFilter"):
        named = set().union(*(_expanded(word) for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def _expanded(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    return set().union(*(_expanded(member) for member in _groups()[word]))


@cache
def _groups() -> dict[str, list[str]]:
    """Every group of system calls, as this machine's systemd has it."""
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
    ).stdout
    groups: dict[str, list[str]] = {}
    for block in told.split("\n\n"):
        name, *members = [line.strip() for line in block.strip().splitlines()] or [""]
        if name.startswith("@"):
            groups[name] = [member for member in members if not member.startswith("#")]
    return groups
