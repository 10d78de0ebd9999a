"""The control socket: what other programs of this machine may ask of the running daemon.

A Unix socket in the runtime directory, for the service's group.  One JSON object a line, both
ways: a request has a ``command``; the answer has ``ok`` and either the result or an ``error``.
``subscribe`` is answered by a stream of ``{"snapshot": …}`` and ``{"event": …}`` lines, ``audio``
by one of what the microphone hears, which is logged: nobody records without a trace.
"""

import json
import logging
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from detector.core.errors import ControlError, DetectorError
from detector.service.control_client import ControlClient, own_directories

_log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 4096
MAX_CLIENTS = 16
QUEUED_LINES = 100
"""A subscriber that is further behind than this misses lines."""
POLL_S = 3600.0
"""Nothing is looked for in between: a client wakes the server, and so does a stop."""

SUBSCRIBE, AUDIO = "subscribe", "audio"
"""The requests that are answered by a stream."""

Answer = Mapping[str, Any]
Handler = Callable[[Mapping[str, Any]], Answer]


def runtime_directory(environ: Mapping[str, str]) -> Path:
    """Where the socket lies: systemd's directory, else the user's own."""
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].split(":")[0])
    return own_directories(environ, os.getuid())[0]


class ControlServer:
    """Answers on the control socket. ``start`` and ``stop`` belong to one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.handlers: Mapping[str, Handler] = {}
        """Who answers which command; to be set before ``start``."""
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._subscribers: dict[Queue[str | None], str] = {}
        """With what each has asked for."""
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """Where the socket lies."""
        return self._path

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody would read what is broadcast."""
        return SUBSCRIBE in self._subscribers.copy().values()

    @property
    def has_recorders(self) -> bool:
        """Whether anybody wants the audio itself."""
        return AUDIO in self._subscribers.copy().values()

    def start(self) -> None:
        """Begin to answer; raises ControlError where the socket cannot be made."""
        if self._server is not None:
            return
        try:
            self._prepare_directory()
            self._server = _Server(self._path, self)
        except OSError as error:
            reason = error.strerror or error
            raise ControlError(f"{self._path}: no control socket: {reason}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": POLL_S},
            name="detector-control",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Cease to answer and remove the socket."""
        if self._server is None or self._thread is None:
            return
        with self._lock:
            subscribers = list(self._subscribers)
        for queue in subscribers:
            _dismiss(queue)
        self._server.close_soon()
        self._thread.join(1.0)
        if self._thread.is_alive():
            _log.error("bug: thread %s did not end within 1 s", self._thread.name)
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        self._server = self._thread = None

    def broadcast(self, line: Mapping[str, Any], to: str = SUBSCRIBE) -> None:
        """Send a line to all who have asked for its stream; one who does not read misses it."""
        with self._lock:
            subscribers = [queue for queue, asked in self._subscribers.items() if asked == to]
        if subscribers:
            text = json.dumps(line, ensure_ascii=False)
            for queue in subscribers:
                _offer(queue, text)

    def answer(self, request_line: bytes) -> Answer:
        """The answer to one request line."""
        try:
            request = json.loads(request_line)
            name = request["command"]
            handler = self.handlers[name]
        except (ValueError, TypeError, KeyError, RecursionError):
            known = ", ".join(sorted([*self.handlers, SUBSCRIBE, AUDIO]))
            return {"ok": False, "error": f"not a request; its command is one of {known}"}
        try:
            return {"ok": True, **handler(request)}
        except DetectorError as error:
            return {"ok": False, "error": str(error)}
        except Exception:  # noqa: BLE001 - no request may end the server
            _log.exception("control request %r failed", name)
            return {"ok": False, "error": "internal error, see the log"}

    def subscribe(self, asked: str = SUBSCRIBE) -> Queue[str | None]:
        """A new subscriber's queue; None in it says that the server stops."""
        queue: Queue[str | None] = Queue(QUEUED_LINES)
        with self._lock:
            self._subscribers[queue] = asked
        return queue

    def unsubscribe(self, queue: Queue[str | None]) -> None:
        """Forget a subscriber."""
        with self._lock:
            self._subscribers.pop(queue, None)

    def _prepare_directory(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.parent.stat().st_uid != os.getuid():
            raise PermissionError(1, f"{self._path.parent} belongs to another user")
        if self._path.is_socket() and _somebody_answers(self._path):
            raise FileExistsError(17, "another detector is running here")
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CLIENTS

    def __init__(self, path: Path, control: ControlServer) -> None:
        self.control = control
        self._places = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(str(path), _Client)

    def server_bind(self) -> None:
        """Bind, for the owner and the group only."""
        super().server_bind()
        Path(str(self.server_address)).chmod(0o660)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn away clients beyond the limit."""
        del request, client_address
        return self._places.acquire(blocking=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to serve a client; one for whom there is no thread gives its place back."""
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client on a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell of."""
        del request, client_address
        _log.debug("a control client went away", exc_info=True)

    def close_soon(self) -> None:
        """Ask serve_forever to return; harmless if it has."""
        threading.Thread(target=self.shutdown, daemon=True).start()
        self.socket.shutdown(socket.SHUT_RDWR)  # which wakes it


class _Client(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 60.0

    def handle(self) -> None:
        control = self.server.control
        while line := self.rfile.readline(MAX_REQUEST_BYTES + 1):
            if len(line) > MAX_REQUEST_BYTES:
                self._send(json.dumps({"ok": False, "error": "request too long"}))
                return
            asked = _asked_stream(line)
            if asked == AUDIO:
                self._stream_audio(control)
                return
            if asked is not None:
                self._stream(control, asked)
                return
            self._send(json.dumps(control.answer(line), ensure_ascii=False))

    def _stream_audio(self, control: ControlServer) -> None:
        who = _peer(self.connection)
        _log.warning("%s begins to record what the microphone hears", who)
        try:
            self._stream(control, AUDIO)
        finally:
            _log.warning("%s has ceased to record", who)

    def _stream(self, control: ControlServer, asked: str) -> None:
        queue = control.subscribe(asked)
        try:
            self._send('{"ok": true}')
            while (text := self._next(queue)) is not None:
                self._send(text)
        finally:
            control.unsubscribe(queue)

    def _next(self, queue: "Queue[str | None]") -> str | None:
        """The next line; an empty one now and then finds out whether the client still reads."""
        with suppress(Empty):
            return queue.get(timeout=10.0)
        return ""

    def _send(self, text: str) -> None:
        # A path may hold a byte that is no text: in JSON, its backslash escape is right.
        self.wfile.write(text.encode(errors="backslashreplace") + b"\n")


def _asked_stream(line: bytes) -> str | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    command = request.get("command") if isinstance(request, dict) else None
    return command if command in (SUBSCRIBE, AUDIO) else None


def _peer(connection: socket.socket) -> str:
    """Who is at the other end, as the kernel knows it."""
    size = struct.calcsize("3i")
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    process, user, _ = struct.unpack("3i", told)
    return f"process {process} of user {user}"


def _offer(queue: "Queue[str | None]", text: str) -> None:
    with suppress(Full):
        queue.put_nowait(text)


def _dismiss(queue: "Queue[str | None]") -> None:
    """Let a subscriber go; what it has not read makes room for that, else it would wait on."""
    with suppress(Empty):
        while True:
            queue.get_nowait()
    with suppress(Full):
        queue.put_nowait(None)


def _somebody_answers(path: Path) -> bool:
    try:
        ControlClient(path, timeout_s=1.0).request("ping")
    except ControlError:
        return False
    return True
