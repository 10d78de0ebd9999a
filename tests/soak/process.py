"""The daemon as a process, and what it takes of the machine."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from detector.service.control_client import ControlClient
from tests.anymodel import any_model


@dataclass(frozen=True)
class Usage:
    """What a process takes."""

    rss_mb: float
    pss_mb: float
    descriptors: int
    threads: int


class Daemon:
    """``detector run`` in a folder of its own, with this configuration."""

    def __init__(self, folder: Path, config_text: str, *options: str) -> None:
        self.state = folder / "state"
        config = folder / "detector.yaml"
        config.write_text(f"{config_text}\nstate_directory: {self.state}\n")
        self._log = (folder / "detector.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "detector", "run", "--config", config, *options],
            env={
                **os.environ,
                "DETECTOR_MODEL": str(any_model()),  # so that none is fetched
                "RUNTIME_DIRECTORY": str(folder / "run"),
            },
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )
        self.control = ControlClient(folder / "run" / "control.sock", timeout_s=20.0)

    @property
    def log(self) -> str:
        """What it has said."""
        return Path(os.fsdecode(self._log.name)).read_text(errors="replace")

    def usage(self) -> Usage:
        """Now. Raises OSError where it has ended."""
        place = Path("/proc", str(self.process.pid))
        memory = _kilobytes(place / "smaps_rollup")
        threads = next(
            int(line.split()[1])
            for line in (place / "status").read_text().splitlines()
            if line.startswith("Threads:")
        )
        return Usage(
            memory["Rss"] / 1024, memory["Pss"] / 1024, len(list((place / "fd").iterdir())), threads
        )

    def windows(self) -> int:
        """Windows classified so far."""
        return int(self.control.request("status")["windows"])

    def end(self, patience_s: float = 30.0) -> int:
        """Close its input, and wait; its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(patience_s)

    def stop(self, patience_s: float = 30.0) -> int:
        """SIGTERM, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def close(self) -> None:
        """Whatever happened, it is gone after this."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._log.close()


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines()[1:])
    return {fields[0].rstrip(":"): int(fields[1]) for fields in lines if fields[-1] == "kB"}
