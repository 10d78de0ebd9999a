"""Bare connections to a broker, all at the same moment: what the broker and the kernel can take."""

import select
import socket
import time
from pathlib import Path

_LIMIT_S = 60.0


def storm(port: int, connections: int) -> list[float]:
    """Seconds until each of so many was greeted by the broker; those that never were, miss."""
    poll = select.epoll()
    began_s, ends_s = time.monotonic(), []
    sockets = [_dial(poll, port) for _ in range(connections)]
    open_ = {one.fileno(): (one, number) for number, one in enumerate(sockets)}
    while open_ and time.monotonic() - began_s < _LIMIT_S:
        for descriptor, what in poll.poll(1.0):
            connection, number = open_[descriptor]
            if what & select.EPOLLIN:
                if connection.recv(64):
                    ends_s.append(time.monotonic() - began_s)
                _hang_up(poll, connection)
                del open_[descriptor]
            elif what & select.EPOLLOUT:
                connection.send(_connect_packet(f"bare{number:05d}"))
                poll.modify(descriptor, select.EPOLLIN)
            else:
                _hang_up(poll, connection)
                del open_[descriptor]
    for connection, _ in open_.values():
        _hang_up(poll, connection)
    return ends_s


def overflows() -> int:
    """Connections that the kernel has turned away so far, because nobody accepted fast enough."""
    names, numbers = [
        line.split()[1:]
        for line in Path("/proc/net/netstat").read_text().splitlines()
        if line.startswith("TcpExt:")
    ]
    return int(dict(zip(names, numbers, strict=True))["ListenOverflows"])


def _dial(poll: select.epoll, port: int) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(0.0)
    connection.connect_ex(("127.0.0.1", port))
    poll.register(connection.fileno(), select.EPOLLOUT)
    return connection


def _hang_up(poll: select.epoll, connection: socket.socket) -> None:
    poll.unregister(connection.fileno())
    connection.close()


def _connect_packet(name: str) -> bytes:
    """MQTT 3.1.1's CONNECT with a clean session."""
    text = name.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(text).to_bytes(2) + text
    return bytes([0x10, len(body)]) + body
