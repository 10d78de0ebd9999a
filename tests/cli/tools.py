"""What the tests of the command line share: running it, in this process or in one of its own."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from detector.cli import main
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import ControlError
from detector.service.control_client import SOCKET_NAME, ControlClient
from tests.model.tools import append_labels, slicing_model

PATIENCE_S = 30.0
"""No test waits longer for a process."""

KNOCK = """\
node: here
sounds:
  knock:
    label: Knock
    evidence: [{classes: [knock]}]
    hold_seconds: 0.5
"""
"""A configuration for the tiny model."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """What it complained of: the lines of an expected failure."""
        return [line for line in self.err.splitlines() if line.startswith("detector: ")]

    def failed(self, code: int) -> str:
        """The one line of an expected failure with this code."""
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out
        assert len(self.complaints) == 1, self
        return self.complaints[0].removeprefix("detector: ")


@contextmanager
def own_logging() -> Iterator[None]:
    """Let a command set up logging, and put pytest's back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class Commands:
    """Runs commands in a home of their own, where no network and no service is found."""

    def __init__(self, folder: Path, runtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.control_socket = runtime / "detector" / SOCKET_NAME
        home = folder / "home"
        home.mkdir()
        nowhere = "http://127.0.0.1:9"  # refuses at once; nothing of the real world is reached
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DETECTOR_", "XDG_")) and name.lower() != "no_proxy"
        } | {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "http_proxy": nowhere,
            "https_proxy": nowhere,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONWARNINGS": "error",
        }

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run a command in this process."""
        self.capsys.readouterr()
        with own_logging(), pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(self.environment):
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:  # argparse's way
                code = int(end.code or 0)
        return Outcome(code, *self.capsys.readouterr())

    def popen(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.PIPE,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        own_group: bool = False,
    ) -> "subprocess.Popen[bytes]":
        """Begin a command in a process of its own; a terminal's keys reach a whole group."""
        return subprocess.Popen(
            [sys.executable, "-m", "detector", *arguments],
            env={**self.environment, **(environment or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0 if own_group else None,
        )

    def process(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Outcome:
        """Run a command in a process of its own."""
        return ended(self.popen(*arguments, environment=environment), stdin, patience_s)

    def shell(self, script: str, *arguments: str | Path) -> Outcome:
        """Run a shell script in which ``detector`` is our command and $1… are arguments."""
        prelude = f'detector() {{ "{sys.executable}" -m detector "$@"; }}\n'
        process = subprocess.Popen(
            ["bash", "-c", prelude + script, "bash", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return ended(process)

    def config(self, text: str) -> Path:
        """A configuration file with this text."""
        path = self.folder / "detector.yaml"
        path.write_text(text, encoding="utf-8")
        return path


def ended(
    process: "subprocess.Popen[bytes]", stdin: bytes | None = None, patience_s: float = PATIENCE_S
) -> Outcome:
    """How a process ends."""
    try:
        out, err = process.communicate(stdin, patience_s)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return Outcome(process.returncode, text(out), text(err))


def text(raw: bytes | None) -> str:
    """What was written, whatever its bytes."""
    return (raw or b"").decode(errors="backslashreplace")


class Daemon:
    """``detector run`` that hears what it is given, and can be asked."""

    def __init__(self, detector: Commands, *options: str | Path) -> None:
        self.log_path = detector.folder / "log"
        with self.log_path.open("wb") as log:
            self.process = detector.popen("run", "--stdin", *options, stderr=log.fileno())
        self.client = ControlClient(detector.control_socket)

    @property
    def log(self) -> str:
        """What it has said."""
        return text(self.log_path.read_bytes())

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(ControlError):
                self.client.request("ping")
                return
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def status(self) -> dict[str, Any]:
        """What it says of itself, once it answers: the broker may be told before it does."""
        self.wait()
        return self.client.request("status")

    def health(self) -> dict[str, Any]:
        """Its health, once it answers."""
        health: dict[str, Any] = self.status()["health"]
        return health

    def hear(self) -> None:
        """Have it hear a knock."""
        assert self.process.stdin is not None
        self.process.stdin.write(s16(knocking()))
        self.process.stdin.flush()

    def end(self) -> Outcome:
        """SIGTERM, and what was left."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        return Outcome(self.process.returncode, "", self.log)

    def close(self) -> None:
        """Gone, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def daemon(detector: Commands, config: Path | None = None) -> Iterator[Daemon]:
    """A daemon while it is needed."""
    made = Daemon(detector, *(("--config", config) if config else ()))
    try:
        yield made
    finally:
        made.close()


def tiny_model(folder: Path, labels: Sequence[str] = ("knock", "ring", "cry")) -> Path:
    """A model of 0.5 s windows, whose scores are the first three samples of a window."""
    path = folder / "tiny.tflite"
    path.write_bytes(slicing_model())
    append_labels(path, {"labels.txt": "".join(f"{label}\n" for label in labels)})
    return path


def knocking(seconds: float = 4.0) -> Samples:
    """For the tiny model: a score of 0.1, and 0.9 in the second second."""
    samples = np.full(round(seconds * SAMPLE_RATE_HZ), 0.1, np.float32)
    samples[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ] = 0.9
    return samples


def s16(samples: Samples) -> bytes:
    """As arecord -t raw -f S16_LE writes them."""
    return np.asarray(np.clip(samples, -1, 1) * 32_767, "<i2").tobytes()


def wav(
    path: Path, samples: Samples, rate_hz: int = SAMPLE_RATE_HZ, subtype: str = "FLOAT"
) -> Path:
    """A WAV file of samples of shape (n,) or (n, channels)."""
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path
