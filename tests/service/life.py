"""A daemon's life on the test's main thread, told scores from a file, acted upon by a script."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile

from detector.alerts.homeassistant import DeviceInfo
from detector.config import Config, MqttConfig
from detector.core.audio import Block, Gap
from detector.core.recognition import Observation
from detector.service.clock import SystemClock
from detector.service.control_client import ControlClient
from detector.service.daemon import Daemon
from detector.service.monitor import ModelFacts
from detector.service.parts import LoadedModel, Surroundings
from tests.service.bench import LABELS, PATIENCE_S, configured
from tests.service.fakes import ToldRecogniser


def tell(path: Path, *barks: float) -> Path:
    """A recording that has one of these scores for Bark at the beginning of each second."""
    samples = np.random.default_rng(0).normal(0.0, 0.01, (len(barks), 16_000)).astype(np.float32)
    samples[:, :4] = 0.0
    samples[:, 1] = barks
    soundfile.write(path, samples.reshape(-1), 16_000, subtype="FLOAT")
    return path


ENDED = "ENDED"
"""Said by ``Life`` itself, when there is no daemon any more."""


class Notifications:
    """The end of the notification socket that systemd would hold."""

    def __init__(self, path: Path, *, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(patience_s)

    def wait_for(self, beginning: str) -> str:
        """The next notification that begins so; all before it are noted too.

        Raises EOFError where the daemon ends instead.
        """
        while (told := self._socket.recv(4096).decode()) != ENDED:
            self.heard.append(told)
            if told.startswith(beginning):
                return told
        raise EOFError(f"the daemon ended without {beginning}")

    def all(self) -> list[str]:
        """Everything so far, without the status lines."""
        self._socket.settimeout(0.0)
        try:
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return [one for one in self.heard if not one.startswith("STATUS=")]

    def close(self) -> None:
        """No more."""
        self._socket.close()


@contextmanager
def _harmless_signals() -> Iterator[None]:
    """A signal that comes when the daemon has just ended must not end the tests."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class LeapingClock(SystemClock):
    """The machine's own, which can be put forward."""

    leap_s = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.leap_s


class HangingRecogniser(ToldRecogniser):
    """Comes back from the first audio only when it is let go."""

    def __init__(self) -> None:
        super().__init__(LABELS)
        self.busy = threading.Event()
        self.let_go = threading.Event()

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Hang."""
        self.busy.set()
        self.let_go.wait(PATIENCE_S)
        return super().feed(item)


class FailingRecogniser(ToldRecogniser):
    """Has a defect that shows with the first audio."""

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Fail."""
        raise ZeroDivisionError(type(item))


@dataclass
class Life:
    """What a daemon needs to live in a folder; ``config`` is what a reload finds."""

    folder: Path
    config: Config = field(default_factory=configured)
    models_loaded: int = 0
    clock: LeapingClock = field(default_factory=LeapingClock)
    recogniser: ToldRecogniser = field(default_factory=lambda: ToldRecogniser(LABELS))
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare it: an hour of silence to listen to, in real time."""
        self.notifications = Notifications(self.folder / "notify")
        self.problem: Exception | None = None
        self.environ |= {
            "NOTIFY_SOCKET": str(self.notifications.path),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
        }
        self.listen_to(tell(self.folder / "silence.wav", *[0.0] * 60), realtime=True)
        self.control = ControlClient(self.folder / "run" / "control.sock", timeout_s=PATIENCE_S)

    def listen_to(self, path: Path, *, realtime: bool) -> None:
        """Hear this file, from the next (re)load on."""
        audio = replace(self.config.audio, source="file", path=path, realtime=realtime)
        self.config = replace(self.config, audio=audio, state_directory=self.folder / "state")

    def listen_for(self, text: str) -> None:
        """Other sounds, from the next reload on."""
        self.config = replace(self.config, sounds=configured(text).sounds)

    def tell_broker(self, port: int) -> None:
        """Use MQTT."""
        self.config = replace(self.config, mqtt=MqttConfig(host="127.0.0.1", port=port))

    def run(self, script: Callable[[], None] | None = None) -> int:
        """Live, on this thread; the script acts from another once it is ready.  Its exit code.

        A daemon that is still alive when the script is through is told to stop.
        """
        daemon = Daemon(self.config, self._load_model(self.config), self._surroundings())
        if script is None:
            return daemon.run()
        with _harmless_signals(), ThreadPoolExecutor(1) as pool:
            acted = pool.submit(self._act, script)
            try:
                code = daemon.run()
            finally:
                self._say_ended()
            acted.result(PATIENCE_S)
            return code

    def _act(self, script: Callable[[], None]) -> None:
        try:
            self.notifications.wait_for("READY=1")
            script()
        finally:
            self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the thread that the daemon lives on."""
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, number)

    def reload(self) -> None:
        """SIGHUP, and wait until it is over."""
        self.signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in self.notifications.wait_for("RELOADING=1")
        self.notifications.wait_for("READY=1")

    def _say_ended(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(ENDED.encode(), os.fspath(self.notifications.path))

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            clock=self.clock,
            environ=self.environ,
            device=DeviceInfo(software="1.2.3"),
            load_config=self._load_config,
            load_model=self._load_model,
        )

    def _load_config(self) -> Config:
        if self.problem is not None:
            raise self.problem
        return self.config

    def _load_model(self, _config: Config) -> LoadedModel:
        self.models_loaded += 1
        facts = ModelFacts("yamnet", "told", self.recogniser.spec)
        return LoadedModel(self.recogniser, facts)
