"""What the daemon takes: processor, wake-ups, memory, card, and time to its first window.

    python -m tests.benchmarks.footprint [--seconds 600] [--starts 5] [--json]

Runs the real daemon with the shipped settings, a real (virtual) microphone and a real broker: in
a quiet room (recorded room tone), then in a busy one (recordings without a pause).  Memory is the
PSS of all its processes, beside that of one process that imports the same libraries, and
classifies a window with the same model, and nothing else.  Processor time and wake-ups are what the
kernel accounts; a wake-up is a change of context that a thread asked for.  A start is one with
compiled modules, as pip installs them, and a warm disk; it is measured with a microphone that is
there at once, and with the room's, whose first audio comes some 1.4 s after it was opened.  Needs
DETECTOR_MODEL and DETECTOR_AUDIO.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
from tests.benchmarks.pipe_microphone import DEVICE, PipeMicrophone
from tests.soak.sounds import RATE_HZ, house
from tests.system.test_daemon import Detector, room_tone

CONFIG = """
node: footprint
audio: {{device: {device}}}
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
PROMPT_START_S = 10.0
"""More than one takes."""
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Count:
    """What the kernel has counted of a family of processes so far."""

    at_s: float
    cpu_s: tuple[float, ...]
    """Of each process; the first is the daemon, then what captures."""
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
    capture_cpu_percent: float
    """The capture process's part of it."""
    wakeups_per_s: float
    written_mb_per_day: float
    pss_mb: float
    capture_pss_mb: float
    """The capture process's part of it."""
    windows: int


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process."""

    capture_s: float
    """Until there was a capture process: interpreter, what is imported before, configuration."""
    answers_s: float
    """Until it answered on its socket: the model, heads, outlets."""
    window_s: float
    """Until a window was classified."""


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="foot-") as name, _house(Path(name)) as house_:
        house_.start("quiet")  # so that everything is compiled, and in the page cache
        libraries_mb = _libraries_mb(house_.room)
        starts = [house_.start("quiet") for _ in range(options.starts)]
        prompt = house_.prompt_starts(options.starts)
        taken = [house_.taken(room, options.seconds) for room in ("quiet", "busy")]
    if options.json:
        print(
            json.dumps(
                {
                    "first_window_s": [one.window_s for one in starts],
                    "starts": [asdict(one) for one in prompt],
                    "libraries_pss_mb": libraries_mb,
                    "rooms": [asdict(one) for one in taken],
                }
            )
        )
        return
    _print(taken, libraries_mb)
    _print_starts(prompt, "with a microphone that is there at once")
    _print_starts(starts, "with the room's")


_HEAD = (
    "room",
    "seconds",
    "% of a core",
    "of it capture",
    "wake-ups/s",
    "MB written/day",
    "PSS MB",
    "of it capture",
    "windows",
)


def _print(taken: list[Taken], libraries_mb: float) -> None:
    head = _HEAD
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for one in taken:
        print(
            f"| {one.room} | {one.seconds:.0f} | {one.cpu_percent:.2f} | "
            f"{one.capture_cpu_percent:.2f} | {one.wakeups_per_s:.1f} | "
            f"{one.written_mb_per_day:.2f} | {one.pss_mb:.1f} | {one.capture_pss_mb:.1f} | "
            f"{one.windows} |"
        )
    most_mb = max(one.pss_mb for one in taken)
    print(
        f"\n- libraries and model by themselves: {libraries_mb:.1f} MB; the daemon's processes: "
        f"{most_mb - libraries_mb:+.1f} MB, {most_mb / libraries_mb:.2f} ×"
    )


def _print_starts(starts: list[Start], where: str) -> None:
    capture_s, answers_s, window_s = (
        statistics.median(getattr(one, name) for one in starts)
        for name in ("capture_s", "answers_s", "window_s")
    )
    first, last = min(one.window_s for one in starts), max(one.window_s for one in starts)
    print(
        f"- from start to the first classified window, {where}: {window_s:.2f} s, {first:.2f} … "
        f"{last:.2f} s of {len(starts)} starts, of which 0.975 s are the window; until the device "
        f"is being opened {capture_s:.2f} s, until it answers {answers_s:.2f} s"
    )


@dataclass(slots=True)
class _House:
    """A room with a microphone, and a broker."""

    folder: Path
    room: Room
    port: int

    def taken(self, kind: str, seconds: float) -> Taken:
        """What a daemon takes in a room that is quiet or busy."""
        with room_tone(self.room, self._sound(kind)), self._daemon("roommic") as (daemon, control):
            _await_window(control)
            time.sleep(SETTLE_S)
            windows, before = _windows(control), _count(daemon.process.pid)
            time.sleep(seconds)
            after, pss_mb = _count(daemon.process.pid), _pss_mb(daemon.process.pid)
            windows = _windows(control) - windows
        span_s = after.at_s - before.at_s
        spent = zip(after.cpu_s, before.cpu_s, strict=True)
        percents = [100.0 * (now_s - then_s) / span_s for now_s, then_s in spent]
        return Taken(
            kind,
            span_s,
            sum(percents),
            sum(percents[1:]),
            (after.wakeups - before.wakeups) / span_s,
            (after.written - before.written) / 1e6 * DAY_S / span_s,
            sum(pss_mb),
            sum(pss_mb[1:]),
            windows,
        )

    def start(self, kind: str) -> Start:
        """Start one in the room."""
        with room_tone(self.room, self._sound(kind)):
            time.sleep(0.5)
            return self._start("roommic")

    def prompt_starts(self, count: int) -> list[Start]:
        """Start some with a microphone that is there at once."""
        samples, _ = soundfile.read(self._sound("quiet"), dtype="int16")
        need = round((count + 1) * PROMPT_START_S * RATE_HZ)
        microphone = PipeMicrophone(self.room)
        microphone.open()
        microphone.play(np.resize(samples, need))
        # One that nobody hears is suspended, and what was to be heard comes all at once later.
        hearer = subprocess.Popen(
            ["parec", f"--device={DEVICE}"], env=self.room.environment, stdout=subprocess.DEVNULL
        )
        time.sleep(1.0)
        try:
            return [self._start(DEVICE) for _ in range(count)]
        finally:
            microphone.close()
            hearer.terminate()
            hearer.wait()

    def _start(self, device: str) -> Start:
        began_s = time.monotonic()
        with self._daemon(device) as (daemon, control):
            capture_s = _until(lambda: len(_family(daemon.process.pid)) > 1)
            answers_s = _until(lambda: _answers(control))
            window_s = _await_window(control)
        return Start(capture_s - began_s, answers_s - began_s, window_s - began_s)

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
    def _daemon(self, device: str) -> Iterator[tuple[Detector, ControlClient]]:
        config = self.folder / "detector.yaml"
        config.write_text(
            CONFIG.format(device=device, port=self.port, sounds=", ".join(shipped_sounds()))
        )
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
    room.environment |= {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
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
    return _until(lambda: _answers(control) and _windows(control) > 0)


def _answers(control: ControlClient) -> bool:
    try:
        control.request("ping")
    except ControlError:
        return False
    return True


def _until(is_so: Callable[[], bool]) -> float:
    """Monotonic time at which something was seen to be so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if is_so():
            return time.monotonic()
        time.sleep(0.01)
    raise SystemExit("the daemon has not begun in time")


def _family(pid: int) -> list[int]:
    children = Path("/proc", str(pid), "task").glob("*/children")
    return [pid, *(int(one) for path in children for one in path.read_text().split())]


def _count(pid: int) -> Count:
    ticks = os.sysconf("SC_CLK_TCK")
    wakeups, written = 0, 0
    cpu_s: list[float] = []
    for one in _family(pid):
        place = Path("/proc", str(one))
        fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        cpu_s.append((int(fields[11]) + int(fields[12])) / ticks)
        wakeups += sum(
            _number(path, "voluntary_ctxt_switches") for path in place.glob("task/*/status")
        )
        written += _number(place / "io", "write_bytes")
    return Count(time.monotonic(), tuple(cpu_s), wakeups, written)


def _pss_mb(pid: int) -> list[float]:
    """Of each process."""
    rollups = [Path("/proc", str(one), "smaps_rollup") for one in _family(pid)]
    return [_number(rollup, "Pss") / 1024 for rollup in rollups]


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
