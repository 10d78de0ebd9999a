"""What ``strace`` saw of a process and its children: paths, sockets, refusals."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STRACE = ("strace", "-ff", "-yy", "-s", "300", "-qq", "-o")
"""One file for each thread, so that no line is torn; descriptors with their paths."""

WRITING = re.compile(
    "(mk(dir|nod)|unlink|(sym)?link|chmod|fchmod|fchown|rename)(at2?)?"
    "|creat|rmdir|l?chown|truncate|f?utimes?(at)?|utimensat|l?(set|remove)xattr"
)
"""Calls that change the file system by a path."""
_LINE = re.compile(r"(\w+)\((.*?)\)?\s+= (-?\d+|0x[0-9a-f]+|\?)(.*)")
_QUOTED = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?, )?"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """One system call."""

    name: str
    arguments: str
    result: str
    remark: str

    @property
    def failed(self) -> bool:
        """Whether the kernel said no."""
        return self.result.startswith("-")

    def paths(self) -> Iterator[str]:
        """The paths in its arguments, absolute where strace knows what they are relative to."""
        for folder, path in _QUOTED.findall(self.arguments):
            yield path if path.startswith("/") else f"{folder}/{path}".rstrip("/")


class Trace:
    """All calls, from the moment that ``program`` became what was traced."""

    def __init__(self, folder: Path, program: str) -> None:
        self.calls: list[Call] = []
        for file in sorted(folder.glob("trace.*")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            begins = [n for n, line in enumerate(lines) if _becomes(line, program)]
            self.calls += _parsed(lines[begins[-1] if begins else 0 :])

    def named(self, *names: str) -> list[Call]:
        """The calls of these names."""
        return [call for call in self.calls if call.name in names]

    def written_paths(self) -> set[str]:
        """Every path that it tried to make, change, rename or remove, or opened for writing."""
        opened = [
            call
            for call in self.named("open", "openat", "openat2")
            if re.search(r"\bO_(WRONLY|RDWR|CREAT|TRUNC)\b", call.arguments)
        ]
        changed = [call for call in self.calls if WRITING.fullmatch(call.name)]
        return {path for call in (*opened, *changed) for path in call.paths()}

    def families(self) -> set[str]:
        """The families of the sockets that it asked for."""
        asked = self.named("socket", "socketpair")
        return {call.arguments.split(",")[0] for call in asked}

    def addresses(self, *names: str) -> set[str]:
        """Where these calls went: ``unix /run/x``, ``inet 127.0.0.1:1883``."""
        return {_address(call.arguments) for call in self.named(*names)} - {""}

    def refused(self) -> set[str]:
        """The calls that the filter refused."""
        return {call.name for call in self.calls if "EPERM" in call.remark}

    def network_bytes(self) -> int:
        """How much was sent over the network."""
        sent = self.named("send", "sendto", "sendmsg", "write", "writev")
        return sum(
            int(call.result) for call in sent if "<TCP" in call.arguments and not call.failed
        )


def is_possible() -> bool:
    """Whether strace is installed."""
    return shutil.which(STRACE[0]) is not None


def _becomes(line: str, program: str) -> bool:
    return line.startswith("execve(") and program in line and line.endswith(" = 0")


def _parsed(lines: list[str]) -> Iterator[Call]:
    for line in lines:
        if found := _LINE.match(line):
            yield Call(*found.groups())


def _address(arguments: str) -> str:
    if unix := re.search(r'sun_path=(@?"[^"]*")', arguments):
        return "unix " + unix[1].replace('"', "")
    port = re.search(r"sin6?_port=htons\((\d+)\)", arguments)
    host = re.search(r'inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"', arguments)
    return f"inet {host[1]}:{port[1]}" if host and port else ""
