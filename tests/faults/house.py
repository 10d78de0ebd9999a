"""A whole house: a room with sound in it, a broker, the daemon as a process, and who watches it."""

import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from detector.core.errors import ControlError
from detector.service.control_client import ControlClient
from tests.alerts.tools import Broker
from tests.anymodel import any_model
from tests.audio.tools import Room, noise
from tests.faults.recorder import AT, DISCOVERY, Recorder, tally
from tests.faults.table import MissedError, Outcome, wait_until

RECORDINGS = Path(os.environ.get("DETECTOR_AUDIO", ""))
ROOM_TONE = "room_tone/precise_comm__bg_noise9.flac"
SIREN = "siren/giulbia__2-72688-A.flac"
TONE_S = 900
"""The longest a row may take: the room's tone is one long file, so that it has no gaps."""
CONFIG = """\
node: nursery
audio: {{device: roommic}}
mqtt: {mqtt}
sounds:
  siren: {{hold_seconds: {hold_seconds}}}
  glass_breaking: {{hold_seconds: 2}}
"""


@dataclass
class House:
    """Opened by ``house``; everything in it can be broken."""

    folder: Path
    room: Room
    broker: Broker
    recorder: Recorder
    prefix: tuple[str, ...] = ()
    """What goes before the daemon's command line."""
    daemon: "subprocess.Popen[bytes] | None" = None
    player: "subprocess.Popen[bytes] | None" = None
    destroyed: set[tuple[str, str]] = field(default_factory=set)
    """What was decided, and written down, where the fault then destroyed that."""
    _began: dict[str, float] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The daemon's home."""
        return Path(self.room.environment["HOME"])

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return (self.folder / "detector.log").read_text(errors="replace")

    def start_daemon(self) -> None:
        """``detector run``, told nothing but its configuration."""
        environment = self.room.environment | {
            "DETECTOR_MODEL": str(any_model()),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        with (self.folder / "detector.log").open("ab") as log:
            command = (sys.executable, "-m", "detector", "run", "--config", "detector.yaml")
            self.daemon = subprocess.Popen(
                [*self.prefix, *command],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def stop_daemon(self) -> int:
        """SIGTERM; its exit code."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(20)
        self.daemon = None
        return code

    def kill_daemon(self) -> None:
        """SIGKILL: it cannot do anything about it."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait(10)
        self.daemon = None

    def pactl(self, *arguments: str) -> None:
        """Have the sound server change something."""
        subprocess.run(
            ["pactl", *arguments],
            env=self.room.environment,
            check=True,
            timeout=30,
            capture_output=True,
        )

    def play_on(self, path: Path) -> None:
        """Have the room sound like this from now on."""
        self.silence()
        self.player = subprocess.Popen(
            ["paplay", "--device=room", str(path)],
            env=self.room.environment,
            stderr=subprocess.DEVNULL,
        )

    def silence(self) -> None:
        """No player: the sink gives digital zeros."""
        if self.player is not None:
            self.player.kill()
            self.player.wait(5)
            self.player = None

    def tone(self) -> None:
        """A quiet room that is never digitally silent."""
        self.play_on(self.folder / "tone.wav")

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask the daemon over its control socket; raises ControlError."""
        path = Path(self.room.environment["XDG_RUNTIME_DIR"]) / "detector" / "control.sock"
        return ControlClient(path).request(command, **arguments)

    def health(self) -> dict[str, Any]:
        """What the daemon says of itself; empty where it does not answer."""
        with contextlib.suppress(ControlError):
            return dict(self.ask("status")["health"])
        return {}

    def connected(self) -> bool:
        """Whether the daemon believes that it has a broker."""
        return bool(self.health().get("mqtt", {}).get("connected"))

    def undelivered(self) -> int:
        """Events that wait for the broker; -1 where nobody can tell."""
        return int(self.health().get("mqtt", {}).get("undelivered", -1))

    def deaf_s(self) -> float:
        """Since the daemon's start."""
        return float(self.health().get("deaf_seconds", {}).get("total", 0.0))

    def wait_for(self, topic: str, payload: str, since_s: float, limit_s: float) -> float:
        """Seconds from ``since_s`` until the message arrived; raises MissedError."""
        what = f"{topic} {payload}"
        remaining_s = limit_s - (time.monotonic() - since_s)
        wait_until(lambda: self.recorder.since(since_s, topic, payload), remaining_s, what)
        return self.recorder.since(since_s, topic, payload)[0].at_s - since_s

    def alerts(self, number: int, *, seconds: float = 0.0) -> None:
        """Have that many events decided, whatever else is wrong."""
        for _ in range(number):
            self.ask("test_alert", sound="siren")
            time.sleep(seconds / number)

    def siren(self) -> None:
        """A real one, which the daemon must hear; it goes on when this returns."""
        since_s = time.monotonic()
        self.room.play(RECORDINGS / SIREN)
        self.wait_for(f"{AT}/sound/siren/state", "ON", since_s, 15.0)

    def decided(self) -> set[tuple[str, str]]:
        """What the outbox has on the disk, but for ends of test alerts, which are no messages."""
        path = self.folder / "state" / "detector" / "outbox-nursery.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT id, phase, kind FROM events").fetchall()
        there = {(id_, phase) for id_, phase, kind in rows if (kind, phase) != _NO_MESSAGE}
        return there | self.destroyed

    def finish(self, outcome: Outcome) -> Outcome:
        """Let everything be delivered, stop the daemon, and count."""
        with contextlib.suppress(MissedError):
            wait_until(lambda: self.undelivered() == 0, 40.0, "delivery of everything")
        outcome.deaf_s = self.deaf_s() if outcome.deaf_s is None else outcome.deaf_s
        outcome.require(self.stop_daemon() == 0, "the daemon did not end well")
        time.sleep(0.3)  # what it said last is on its way to the recorder
        outcome.events, failures = tally(self.recorder.events(), self.decided())
        outcome.failures += failures
        for word in ("Traceback", "bug:"):
            outcome.require(word not in self.log, f"{word} in the log")
        return outcome

    def everything_told(self, since_s: float) -> bool:
        """Whether discovery, states and availability have been told since a moment."""
        topics = {one.topic for one in list(self.recorder.heard) if one.at_s >= since_s}
        wanted = ("sound/siren/state", "sound/glass_breaking/state", "armed/state", "health")
        return {DISCOVERY, *(f"{AT}/{name}" for name in wanted)} <= topics and (
            self.recorder.last(f"{AT}/status") == "online"
            and self.recorder.last(f"{AT}/mic/status") == "online"
        )


_NO_MESSAGE = ("test_alert", "offset")


@contextmanager
def house(
    folder: Path,
    *,
    broker_settings: str = "allow_anonymous true",
    broker_runs: bool = True,
    room_open: bool = True,
    daemon_runs: bool = True,
    mqtt: str = "{{host: 127.0.0.1, port: {port}}}",
    hold_seconds: float = 60.0,
    watcher: tuple[str, str] | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[House]:
    """A house in which everything works, unless it is told otherwise."""
    with ExitStack() as stack:
        # Short: Unix sockets lie in it.
        room = Room(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        if room_open:
            room.open()
        stack.callback(room.close)
        broker = Broker(folder, broker_settings)
        broker.port = quiet_port()
        if broker_runs:
            broker.start()
        stack.callback(broker.kill)
        name, password = watcher or (None, "")
        recorder = Recorder(broker.port, username=name, password=password)
        stack.callback(recorder.close)
        made = House(folder, room, broker, recorder, prefix)
        stack.callback(_put_out, made)
        _write_tone(folder / "tone.wav")
        settings = mqtt.format(port=broker.port)
        (folder / "detector.yaml").write_text(
            CONFIG.format(mqtt=settings, hold_seconds=hold_seconds)
        )
        if room_open:
            made.tone()
        if daemon_runs:
            made.start_daemon()
        if daemon_runs and broker_runs and room_open and watcher is None:
            wait_until(lambda: made.everything_told(0.0), 30.0, "a house in which all is well")
        yield made


def _put_out(made: House) -> None:
    """Nothing that was started outlives the house."""
    made.silence()
    if made.daemon is not None:
        made.daemon.kill()
        made.daemon.wait(10)


def quiet_port() -> int:
    """A free port that no outgoing connection is given.

    Who tries again and again to reach a local port of that range, where nobody listens, will
    some time be connected to himself, and then nobody else can listen there.
    """
    while True:
        port = random.randint(20_000, 29_999)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _write_tone(path: Path) -> None:
    """Of the recordings, or where there are none, noise."""
    if os.environ.get("DETECTOR_AUDIO"):
        samples, rate_hz = soundfile.read(RECORDINGS / ROOM_TONE, dtype="int16", always_2d=True)
        mono = samples[:, 0]
    else:
        mono, rate_hz = (32_768 * noise(60.0, amplitude=0.0005)).astype(np.int16), 16_000
    soundfile.write(path, np.tile(mono, TONE_S * rate_hz // len(mono)), rate_hz, "PCM_16")
