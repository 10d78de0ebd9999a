"""Asks the running daemon over its control socket."""

import json
import os
import socket
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from detector.core.errors import ControlError

SOCKET_NAME = "control.sock"


def own_directories(environ: Mapping[str, str], user_id: int) -> list[Path]:
    """Where a daemon that a user runs by hand puts its socket; the first is preferred."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    # The server makes it for its user only, and refuses one that is another's.
    fallback = Path(f"/tmp/detector-{user_id}")  # noqa: S108 - see above
    return [Path(runtime) / "detector", fallback] if runtime else [fallback]


def find_sockets(
    environ: Mapping[str, str], *, system: Path = Path("/run"), user_id: int | None = None
) -> list[Path]:
    """The control sockets there are: first those of ``user_id`` (us), then those of services."""
    us = os.getuid() if user_id is None else user_id
    own = [folder / SOCKET_NAME for folder in own_directories(environ, us)]
    services = sorted(system.glob(f"detector*/{SOCKET_NAME}"))
    # In /tmp anybody may lay a socket under our name.
    ours = [path for path in own if _is_socket(path) and path.stat().st_uid == us]
    return [*ours, *filter(_is_socket, services)]


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


class ControlClient:
    """One question at a time to the daemon behind a socket."""

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    @property
    def path(self) -> Path:
        """The socket it asks at."""
        return self._path

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and return the answer; raises ControlError if there is none or it is no."""
        with self._connect() as connection:
            return self._ask(connection, {"command": command, **arguments})

    def subscribe(self, stream_name: str = "subscribe") -> Generator[dict[str, Any], None, None]:
        """All that the daemon broadcasts on a stream, until it stops."""
        with self._connect() as connection:
            stream = connection.makefile("rb")
            self._ask(connection, {"command": stream_name}, stream)
            try:
                for line in stream:
                    if line.strip():
                        yield json.loads(line)
            except (OSError, ValueError) as error:
                raise ControlError(f"{self._path}: the daemon broke off") from error

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            reason = error.strerror or error
            raise ControlError(f"{self._path}: nobody answers: {reason}") from error
        return connection

    def _ask(
        self, connection: socket.socket, request: Mapping[str, Any], stream: Any = None
    ) -> dict[str, Any]:
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = (stream or connection.makefile("rb")).readline()
            if stream is not None:
                connection.settimeout(None)
            answer = dict(json.loads(line))
        except (OSError, ValueError, TypeError) as error:
            raise ControlError(f"{self._path}: no answer from the daemon") from error
        if not answer.get("ok"):
            raise ControlError(str(answer.get("error", "refused")))
        return answer
