"""Targets: a daemon that runs, with hostile clients on its control socket and on its broker."""

import contextlib
import json
import random
import socket
import time
import unicodedata
from pathlib import Path

import numpy as np
import soundfile

from detector.alerts.session import Received
from detector.core.errors import ControlError
from detector.service.control import MAX_CLIENTS, MAX_REQUEST_BYTES
from tests.alerts.tools import Broker, Watcher
from tests.fuzz.command_topics import received
from tests.fuzz.control_requests import request_line
from tests.fuzz.target import Target, require
from tests.soak.process import Daemon, Usage

PATIENCE_S = 20.0
LOOK_EVERY = 100
MOST_STRAY = 8
"""Clients that subscribe, or ask half a question, and then neither read nor leave."""
SPARE_THREADS = MAX_CLIENTS + 4
SPARE_DESCRIPTORS = 2 * MAX_CLIENTS


class LiveTarget(Target):
    """A daemon of its own that listens to a quiet room, and must be there and right at the end."""

    usual_count = 5000
    patience_s = 60.0
    most_growth_mb = 24.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.broker = Broker(folder)
        self.broker.start()
        quiet = np.random.default_rng(0).normal(0.0, 0.003, 16_000 * 600).astype(np.float32)
        soundfile.write(folder / "quiet.wav", quiet, 16_000)
        self.daemon = Daemon(folder, _config(folder, self.broker.port))
        self._fed = 0
        self._refused = 0
        self._wait_for_it()
        for command in ("test_alert", "history", "recent"):  # whatever that opens, stays open
            self.ask(command)
        time.sleep(1.0)
        self._before = self.daemon.usage()

    def _wait_for_it(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(ControlError):
                if self.daemon.control.request("status")["health"]["mqtt"]["connected"]:
                    return
            require(self.daemon.process.poll() is None, self.daemon.log[-2000:])
            time.sleep(0.1)
        raise TimeoutError(f"it did not start: {self.daemon.log[-2000:]}")

    @property
    def growth_mb(self) -> float:
        """Of the daemon."""
        return self.daemon.usage().rss_mb - self._before.rss_mb

    def look(self) -> None:
        """Now and then: it lives, answers, and takes no more than it may."""
        self._fed += 1
        if self._fed % LOOK_EVERY:
            return
        require(self.daemon.process.poll() is None, f"it ended:\n{self.daemon.log[-2000:]}")
        usage, before = self.daemon.usage(), self._before
        require(usage.threads <= before.threads + SPARE_THREADS, f"{usage} after {before}")
        require(
            usage.descriptors <= before.descriptors + SPARE_DESCRIPTORS, f"{usage} after {before}"
        )

    def ask(self, command: str) -> dict[str, object]:
        """Ask it, as somebody who waits until there is room."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.daemon.control.request(command)
            except ControlError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        """It is as it was before, hears, and ends as it should."""
        try:
            self._settle()
            status = self.ask("status")
            require(status["health"]["mic_state"] in {"ok", "muted"}, f"the microphone: {status}")  # type: ignore[index]
            log = self.daemon.log
            require("bug:" not in log and "Traceback" not in log, _around(log, "bug:", "Traceback"))
            code = self.daemon.stop()
            require(code == 0, f"exit code {code}")
        finally:
            self.daemon.close()
            self.broker.stop()

    def _settle(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        before = self._before
        while (
            now := self.daemon.usage()
        ).descriptors > before.descriptors or now.threads > before.threads:
            require(time.monotonic() < deadline, f"{now} after {before}")
            time.sleep(0.2)
        _note_usage(self.notes, before, now)


def _note_usage(notes: dict[str, int], before: Usage, now: Usage) -> None:
    notes["descriptors before"] = before.descriptors
    notes["descriptors after"] = now.descriptors
    notes["threads before"] = before.threads
    notes["threads after"] = now.threads


def _config(folder: Path, port: int) -> str:
    return (
        f"node: nursery\naudio: {{source: file, path: {folder / 'quiet.wav'}}}\n"
        f"mqtt: {{host: 127.0.0.1, port: {port}}}\nsounds: [dog_bark, baby_cry]\n"
    )


def _around(log: str, *marks: str) -> str:
    at = min(log.find(mark) for mark in marks if mark in log) if any(m in log for m in marks) else 0
    return log[max(0, at - 300) : at + 2000]


class HostileClients(LiveTarget):
    """Half lines, endless lines, crowds, clients that leave in the middle or never read."""

    name = "socket"
    most_growth_mb = 64.0  # each thread of a crowd may leave the allocator an arena; that ends

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = str(self.daemon.control.path)
        self._stray: list[socket.socket] = []

    def make(self, rng: random.Random) -> tuple[str, list[bytes]]:
        """A manner, and pieces to send."""
        manner = rng.choice(
            ("read", "read", "read", "leave", "leave", "stay", "slow", "crowd", "shut")
        )
        lines = [request_line(rng).replace(b"\n", b" ") for _ in range(rng.randint(1, 4))]
        if manner == "stay" and rng.random() < 0.7:
            lines = [b'{"command": "subscribe"}']
        kind = rng.random()
        if kind < 0.05:
            lines = [b"x" * rng.randint(MAX_REQUEST_BYTES - 2, 300_000)]
        ending = b"" if rng.random() < 0.15 else b"\n"
        return manner, [*(line + b"\n" for line in lines[:-1]), lines[-1] + ending]

    def feed(self, made: tuple[str, list[bytes]]) -> bool:
        """Behave so; True where there was an answer."""
        manner, pieces = made
        if b"selftest" in b"".join(pieces):
            manner = "leave"  # one takes seconds, and nobody waits for it
        try:
            return self._behave(manner, pieces)
        except OSError:
            return False  # turned away, or cut off
        finally:
            self.look()

    def _behave(self, manner: str, pieces: list[bytes]) -> bool:
        if manner == "crowd":
            crowd = [self._connect() for _ in range(MAX_CLIENTS + 6)]
            for one in crowd:
                with contextlib.suppress(OSError):
                    one.sendall(pieces[0])
            for one in crowd:
                one.close()
            return False
        connection = self._connect()
        if manner == "stay":
            return self._stay(connection, pieces)
        with connection:
            self._send(connection, pieces, slowly=manner == "slow")
            if manner == "leave":
                return False
            if manner == "shut":
                connection.shutdown(socket.SHUT_RDWR)
                return False
            connection.shutdown(socket.SHUT_WR)
            return _read_answers(connection)

    def _stay(self, connection: socket.socket, pieces: list[bytes]) -> bool:
        self._stray.append(connection)
        if len(self._stray) > MOST_STRAY:
            self._stray.pop(0).close()
        self._send(connection, pieces, slowly=False)
        return False

    def _send(self, connection: socket.socket, pieces: list[bytes], *, slowly: bool) -> None:
        for piece in pieces:
            if slowly:
                for at in range(0, min(len(piece), 60), 20):
                    connection.sendall(piece[at : at + 20])
                    time.sleep(0.001)
                connection.sendall(piece[60:])
            else:
                connection.sendall(piece)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_S)
        connection.connect(self._path)
        return connection

    def close(self) -> None:
        """All leave."""
        for one in self._stray:
            one.close()
        super().close()


def _read_answers(connection: socket.socket) -> bool:
    """Whether at least one was yes; every line is JSON."""
    with connection.makefile("rb") as stream:
        answers = []
        while line := stream.readline():
            if b'"snapshot"' in line or line == b'{"ok": true}\n':
                return True  # a subscription, which has no end
            answers.append(json.loads(line))
    return any(answer.get("ok") for answer in answers)


class HostileMessages(LiveTarget):
    """Messages on all topics that it subscribes to, and on their neighbours."""

    name = "broker"
    usual_count = 20_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._watcher = Watcher(self.broker.port)

    def make(self, rng: random.Random) -> Received:
        """A message."""
        return received(rng)

    def feed(self, made: Received) -> bool:
        """Publish it; True where the broker takes it."""
        topic = made.topic
        if topic.endswith("/state") or not topic:
            return False  # the daemon's own words, which only the broker's rights can guard
        if any(c in "+#" or unicodedata.category(c)[0] == "C" for c in topic):
            return False  # a broker would not take it
        sent = self._watcher.client.publish(topic, made.payload, qos=1, retain=made.retained)
        if self._fed % 20 == 0:
            sent.wait_for_publish(PATIENCE_S)
        self.look()
        if self._fed % LOOK_EVERY == 0:
            self._check()
        return True

    def _check(self) -> None:
        refused = self.ask("status")["health"]["mqtt"]["refused_commands"]  # type: ignore[index]
        require(refused > self._refused, f"{refused} refused, after {self._refused}")
        self._refused = refused
        for seen in self._watcher.seen:
            if seen.topic.endswith("/threshold/state") and seen.topic.startswith(
                "detector/nursery"
            ):
                require(seen.payload == "" or 0.0 < float(seen.payload) < 1.0, f"{seen}")
        self._watcher.forget()

    def close(self) -> None:
        """A right command is obeyed still."""
        self.notes["commands refused by the daemon"] = self._refused
        deadline = time.monotonic() + PATIENCE_S
        at = "detector/nursery/sound/dog_bark/threshold"
        while not any(s.topic == f"{at}/state" and s.payload == "0.61" for s in self._watcher.seen):
            require(time.monotonic() < deadline, "it does not obey any more")
            self._watcher.say(f"{at}/set", "0.61")
            time.sleep(0.2)
        self._watcher.close()
        super().close()
