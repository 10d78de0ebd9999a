"""What the tests of hearing share: a clock that is moved by hand, and real PulseAudio."""

import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, Samples, Source


def tone(
    frequency_hz: float, seconds: float, *, rate_hz: int = SAMPLE_RATE_HZ, amplitude: float = 0.5
) -> Samples:
    """A sine, shape (n,)."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def noise(seconds: float, *, amplitude: float = 0.1, seed: int = 1) -> Samples:
    """White noise, shape (n,)."""
    generator = np.random.default_rng(seed)
    drawn = generator.standard_normal(round(seconds * SAMPLE_RATE_HZ))
    return (amplitude * drawn).astype(np.float32)


def strongest_hz(samples: Samples) -> float:
    """Frequency of the highest peak of the spectrum."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(samples))


def level_db(samples: NDArray[Any]) -> float:
    """RMS in dB."""
    return 20 * math.log10(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))


def items(source: Source) -> Iterator[Block | Gap]:
    """All that a started source hands over, without waiting for a real clock."""
    while True:
        item = source.read(1.0)
        if isinstance(item, End):
            return
        assert item is not None, "the source handed over nothing in time"
        yield item


def hear(source: Source) -> Samples:
    """Start a source and hear it to its end; its blocks must join on the sample index."""
    source.start()
    heard: list[Samples] = []
    at = 0
    for item in items(source):
        assert isinstance(item, Block)
        assert item.start_sample == at
        at = item.end_sample
        heard.append(item.samples)
    return np.concatenate(heard) if heard else np.zeros(0, np.float32)


def megabytes_needed(prepare: str, work: str, *arguments: str) -> int:
    """How much the largest resident size of a process grows through ``work``, in MB.

    Both are Python code, run one after the other in a process of its own: the peak of this one
    tells of whatever ran in it before, and that of ``getrusage`` outlives even an exec.
    """
    script = f"""
from pathlib import Path

def peak_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))

{textwrap.dedent(prepare)}
before_kb = peak_kb()
{textwrap.dedent(work)}
print((peak_kb() - before_kb) // 1024)
"""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    return int(done.stdout)


_ASOUNDRC = """\
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.roommic {
  type pulse
  device "room.monitor"
  hint { show on description "Room mic" }
}
pcm.roomspeaker {
  type pulse
  device "room"
  hint { show on description "Room speaker" }
}
"""


class Room:
    """A room to play sounds into, with a microphone in it: a real PulseAudio null sink.

    Its monitor is an ALSA device that PortAudio lists as ``roommic``, in processes that are given
    this room's environment.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        runtime = folder / "run"
        home = folder / "home"
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
        }
        for made in (runtime, home):
            made.mkdir(mode=0o700)
        (home / ".asoundrc").write_text(_ASOUNDRC)

    @staticmethod
    def is_possible() -> bool:
        """Whether what it takes is installed."""
        return all(shutil.which(tool) for tool in ("pulseaudio", "paplay", "pactl"))

    def open(self) -> None:
        """Start the server, and wait until it answers."""
        sink = "module-null-sink sink_name=room rate=48000 channels=1 format=s16le"
        native = "module-native-protocol-unix auth-anonymous=1"
        command = ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n"]
        self._server = subprocess.Popen(
            [*command, f"--load={sink}", f"--load={native}"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            if self._answers():
                return
            time.sleep(0.1)
        raise AssertionError("PulseAudio does not start")

    def close(self) -> None:
        """End the server, as when a microphone is pulled out."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)
            self._server = None

    def freeze(self) -> None:
        """Let the server hang, as one does that is stalled but still active."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def play(self, path: Path) -> None:
        """Play a file, and return when it has ended."""
        subprocess.run(
            ["paplay", "--device=room", str(path)], env=self.environment, check=True, timeout=30
        )

    def run(self, script: str) -> "subprocess.Popen[str]":
        """Run Python code in a process that finds this room's microphone."""
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["pactl", "list", "short", "sources"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return "room.monitor" in asked.stdout
