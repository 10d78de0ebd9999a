"""What systemd is told, read from real datagram sockets."""

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from detector.service.systemd import Notifier


class Listener:
    """The end that systemd would hold."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5.0)
        self.socket.bind(address)

    def hear(self) -> str:
        """The next notification."""
        return self.socket.recv(4096).decode()


@pytest.mark.parametrize("abstract", [False, True])
def test_everything_is_told_in_systemds_words(short_path: Path, *, abstract: bool) -> None:
    """Over a path, or a name that lies nowhere."""
    name = f"detector-test-{secrets.token_hex(8)}" if abstract else str(short_path / "notify")
    listener = Listener(f"\0{name}" if abstract else name)
    notifier = Notifier({"NOTIFY_SOCKET": f"@{name}" if abstract else name})
    with listener.socket:
        notifier.ready()
        notifier.reloading(12.3456789)
        notifier.watchdog()
        notifier.status("microphone ok: größer ✓")
        notifier.stopping()
        assert [listener.hear() for _ in range(5)] == [
            "READY=1",
            "RELOADING=1\nMONOTONIC_USEC=12345678",
            "WATCHDOG=1",
            "STATUS=microphone ok: größer ✓",
            "STOPPING=1",
        ]


@pytest.mark.parametrize(
    ("line", "told"),
    [("one\nWATCHDOG=trigger\r\n", "one WATCHDOG=trigger"), ("caf\udce9.wav", "caf?.wav")],
)
def test_a_status_is_one_line_of_text_whatever_is_in_it(
    short_path: Path, line: str, told: str
) -> None:
    """A device or a file may have any name: none becomes a notification of its own, or an error."""
    listener = Listener(str(short_path / "notify"))
    with listener.socket:
        Notifier({"NOTIFY_SOCKET": str(short_path / "notify")}).status(line)
        assert listener.hear() == f"STATUS={told}"


@pytest.mark.parametrize("address", ["", "notify", "vsock:2:1234", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    """By hand, in a container, or after systemd has gone."""
    Notifier({"NOTIFY_SOCKET": address}).ready()
    Notifier({}).ready()


@pytest.mark.parametrize(
    ("environ", "period_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_it_is_this_process_s(
    environ: Mapping[str, str], period_s: float | None
) -> None:
    """A shell between systemd and us must not have us feed for it."""
    assert Notifier(environ).watchdog_s == period_s
