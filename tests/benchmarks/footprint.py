"""What the daemon takes: processor, wake-ups, memory, card, and time to its first window.

    python -m tests.benchmarks.footprint [--seconds 600] [--starts 5] [--json]

Runs the real daemon with the shipped settings, a real (virtual) microphone and a real broker: in
a quiet room (recorded room tone), then in a busy one (recordings without a pause).  Memory is the
PSS of all its processes, beside that of one process that imports the same libraries, and
classifies a window with the same model, and nothing else.  Processor time and wake-ups are what the
kernel accounts; a wake-up is a change of context that a thread asked for.  Needs DETECTOR_MODEL and
DETECTOR_AUDIO.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from detector.config.sounds import shipped_sounds
from detector.core.errors import ControlError
from detector.service.control_client import ControlClient
from tests.alerts.tools import Broker, running
from tests.audio.tools import Room
from tests.soak.sounds import RATE_HZ, house
from tests.system.test_daemon import Detector, room_tone

CONFIG = """
node: footprint
audio: {{device: roommic}}
mqtt: {{host: 127.0.0.1, port: {port}}}
sounds: [{sounds}]
"""
LIBRARIES = """
import os
import numpy, paho.mqtt.client, sounddevice, sqlite3, yaml
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter
interpreter = Interpreter(os.environ["DETECTOR_MODEL"], num_threads=1)
interpreter.allocate_tensors()
interpreter.invoke()
print("ready", flush=True)
input()
"""
DAY_S = 86_400.0
SETTLE_S = 5.0
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Count:
    """What the kernel has counted of a family of processes so far."""

    at_s: float
    cpu_s: float
    wakeups: int
    written: int
    """Bytes that went to storage."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in a room."""

    room: str
    seconds: float
    cpu_percent: float
    """Of one core."""
    wakeups_per_s: float
    written_mb_per_day: float
    pss_mb: float
    windows: int


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="foot-") as name, _house(Path(name)) as house_:
        libraries_mb = _libraries_mb(house_.room)
        starts_s = [house_.first_window_s() for _ in range(options.starts)]
        taken = [house_.taken(room, options.seconds) for room in ("quiet", "busy")]
    if options.json:
        figures = {"first_window_s": starts_s, "libraries_pss_mb": libraries_mb}
        print(json.dumps(figures | {"rooms": [asdict(one) for one in taken]}))
        return
    _print(taken, libraries_mb, starts_s)


def _print(taken: list[Taken], libraries_mb: float, starts_s: list[float]) -> None:
    head = ("room", "seconds", "% of a core", "wake-ups/s", "MB written/day", "PSS MB", "windows")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for one in taken:
        print(
            f"| {one.room} | {one.seconds:.0f} | {one.cpu_percent:.2f} | {one.wakeups_per_s:.1f} | "
            f"{one.written_mb_per_day:.2f} | {one.pss_mb:.1f} | {one.windows} |"
        )
    most_mb = max(one.pss_mb for one in taken)
    print(
        f"\n- libraries and model by themselves: {libraries_mb:.1f} MB; the daemon's processes: "
        f"{most_mb - libraries_mb:+.1f} MB, {most_mb / libraries_mb:.2f} ×\n"
        f"- from start to the first classified window: {statistics.median(starts_s):.2f} s, "
        f"{min(starts_s):.2f} … {max(starts_s):.2f} s of {len(starts_s)} starts, of which "
        "0.975 s are the window"
    )


@dataclass(slots=True)
class _House:
    """A room with a microphone, and a broker."""

    folder: Path
    room: Room
    port: int

    def taken(self, kind: str, seconds: float) -> Taken:
        """What a daemon takes in a room that is quiet or busy."""
        with room_tone(self.room, self._sound(kind)), self._daemon() as (daemon, control):
            _await_window(control)
            time.sleep(SETTLE_S)
            windows, before = _windows(control), _count(daemon.process.pid)
            time.sleep(seconds)
            after, pss_mb = _count(daemon.process.pid), _pss_mb(daemon.process.pid)
            windows = _windows(control) - windows
        span_s = after.at_s - before.at_s
        return Taken(
            kind,
            span_s,
            100.0 * (after.cpu_s - before.cpu_s) / span_s,
            (after.wakeups - before.wakeups) / span_s,
            (after.written - before.written) / 1e6 * DAY_S / span_s,
            pss_mb,
            windows,
        )

    def first_window_s(self) -> float:
        """From the start of the process until a window has been classified."""
        with room_tone(self.room, self._sound("quiet")):
            time.sleep(0.5)
            began_s = time.monotonic()
            with self._daemon() as (_, control):
                return _await_window(control) - began_s

    def _sound(self, kind: str) -> Path:
        recordings = Path(os.environ["DETECTOR_AUDIO"])
        if kind == "quiet":
            return recordings / "room_tone" / "precise_comm__bg_noise9.flac"
        path = self.folder / "busy.wav"
        if not path.exists():
            pieces = list(house(recordings, hours=1.0, seed=1))[::2]  # without pauses
            soundfile.write(path, np.concatenate(pieces), RATE_HZ)
        return path

    @contextmanager
    def _daemon(self) -> Iterator[tuple[Detector, ControlClient]]:
        config = self.folder / "detector.yaml"
        config.write_text(CONFIG.format(port=self.port, sounds=", ".join(shipped_sounds())))
        daemon = Detector(self.room, config, Path(os.environ["DETECTOR_MODEL"]))
        socket = Path(self.room.environment["XDG_RUNTIME_DIR"], "detector", "control.sock")
        try:
            yield daemon, ControlClient(socket)
            daemon.stop()
        finally:
            daemon.process.kill()
            daemon.process.wait()


@contextmanager
def _house(folder: Path) -> Iterator[_House]:
    room = Room(folder)
    room.open()
    try:
        with running(Broker(folder)) as broker:
            yield _House(folder, room, broker.port)
    finally:
        room.close()


def _windows(control: ControlClient) -> int:
    return int(control.request("status")["windows"])


def _await_window(control: ControlClient) -> float:
    """Monotonic time at which a window was seen to have been classified."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            if _windows(control):
                return time.monotonic()
        except ControlError:
            pass  # not yet there
        time.sleep(0.01)
    raise SystemExit("the daemon has classified no window in time")


def _family(pid: int) -> list[int]:
    children = Path("/proc", str(pid), "task").glob("*/children")
    return [pid, *(int(one) for path in children for one in path.read_text().split())]


def _count(pid: int) -> Count:
    ticks = os.sysconf("SC_CLK_TCK")
    cpu_s, wakeups, written = 0.0, 0, 0
    for one in _family(pid):
        place = Path("/proc", str(one))
        fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        cpu_s += (int(fields[11]) + int(fields[12])) / ticks
        wakeups += sum(
            _number(path, "voluntary_ctxt_switches") for path in place.glob("task/*/status")
        )
        written += _number(place / "io", "write_bytes")
    return Count(time.monotonic(), cpu_s, wakeups, written)


def _pss_mb(pid: int) -> float:
    return (
        sum(_number(Path("/proc", str(one), "smaps_rollup"), "Pss") for one in _family(pid)) / 1024
    )


def _number(path: Path, name: str) -> int:
    lines = path.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _libraries_mb(room: Room) -> float:
    """PSS of a process that has only imported them, and loaded the model."""
    with subprocess.Popen(
        [sys.executable, "-c", LIBRARIES],
        env=room.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pss_mb = _number(Path("/proc", str(process.pid), "smaps_rollup"), "Pss") / 1024
        process.kill()
    return pss_mb


def _options() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.footprint", description=summary
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="in each room; default: 600")
    parser.add_argument("--starts", type=int, default=5, help="until the first window; default: 5")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
