"""A virtual microphone of which every sample's moment is known: PulseAudio reads it from a pipe."""

import os
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ
from tests.audio.tools import Room

DEVICE = "pipemic"
PIECE_SAMPLES = 160
"""10 ms at a time, each handed over when its last sample would have been captured."""
_PIPE_BYTES = 4096
_SETTLE_S = 0.5
_F_SETPIPE_SZ = 1031
_ASOUNDRC = f"""
pcm.{DEVICE} {{
  type pulse
  device "{DEVICE}"
  hint {{ show on description "Pipe mic" }}
}}
"""


class PipeMicrophone:
    """Plays samples into a room's sound server in real time. One run, then closed.

    Sample n is captured at ``at(n)``, on the machine's monotonic clock: the pieces are written at
    these moments, as a sound card would.  ``late_s`` is how late each was written: what this
    process was kept from, which counts as latency of whoever listens.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pipe = Path(room.environment["HOME"]) / "microphone"
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._began_s = 0.0
        self.ended = threading.Event()
        self.late_s: list[float] = []

    def open(self) -> None:
        """Let the sound server have it, in place of the room's own microphone."""
        home = Path(self._room.environment["HOME"])
        with (home / ".asoundrc").open("a") as file:
            file.write(_ASOUNDRC)
        form = f"format=s16le rate={SAMPLE_RATE_HZ} channels=1"
        module = f"module-pipe-source source_name={DEVICE} file={self._pipe} {form}"
        subprocess.run(
            ["pactl", "load-module", *module.split()],
            env=self._room.environment,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=30,
        )
        time.sleep(_SETTLE_S)

    def play(self, samples: NDArray[np.int16]) -> None:
        """Begin to play them, shape (n,); returns at once."""
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(samples,), name="pipe-microphone")
        self._thread.start()

    def at(self, sample: float) -> float:
        """Monotonic time at which a sample is captured."""
        return self._began_s + sample / SAMPLE_RATE_HZ

    def close(self) -> None:
        """Cease."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _run(self, samples: NDArray[np.int16]) -> None:
        import fcntl

        with self._pipe.open("wb", buffering=0) as pipe:
            fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, _PIPE_BYTES)
            for start in range(0, len(samples), PIECE_SAMPLES):
                piece = samples[start : start + PIECE_SAMPLES]
                due_s = self.at(start + len(piece))
                if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                    break
                os.write(pipe.fileno(), piece.astype("<i2").tobytes())
                self.late_s.append(time.monotonic() - due_s)
        self.ended.set()
