"""Plays the scene of the latency benchmark to a running daemon, and notes what a subscriber gets.

Everything is real: ``detector run`` as a process with its capture process, PulseAudio, mosquitto,
and the outbox's database on a disk.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from detector.audio.blocks import surplus
from detector.core.audio import SAMPLE_RATE_HZ, Block
from detector.service.along import heard_in
from detector.service.control_client import ControlClient
from detector.workbench.grid import WINDOW_SAMPLES
from tests.alerts.tools import Broker, running
from tests.audio.tools import Room
from tests.benchmarks.latency_scene import LEAD_S, LatencyScene
from tests.benchmarks.pipe_microphone import DEVICE, PipeMicrophone
from tests.faults.recorder import AT, EVENT_TOPICS, Recorder

CONFIG = """\
node: nursery
audio: {{device: {device}}}
mqtt: {{host: 127.0.0.1, port: {port}}}
sounds: [{sounds}]
{more}
"""
_LISTEN_ALONG_S = 6.0
_LOCK_STEP_S = 2.0
_LOCK_SAMPLES = 400


@dataclass
class Run:
    """What came of it; everything in seconds of the scene."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of sounds' events, with ``received_s`` and ``decided_s``."""
    source_at_s: float = 0.0
    """Where in the scene the first sample lies that the daemon puts into a window."""
    capture_s: list[float] = field(default_factory=list)
    """From the capture of a block's last sample to its arrival in the daemon's reach."""
    late_s: list[float] = field(default_factory=list)
    """How late the pieces were written to the microphone."""
    classify_ms: float = 0.0
    load: float = 0.0
    """Load of the machine at the end, over a minute or so."""
    gaps: int = 0

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(vars(self)))

    @classmethod
    def load_from(cls, path: Path) -> "Run":
        """What ``save`` wrote."""
        return cls(**json.loads(path.read_text()))


def play_to_daemon(scene: LatencyScene, model: Path, more: str = "") -> Run:
    """Play all of it; takes as long as it lasts. ``more`` is added to the configuration."""
    sounds = ", ".join(dict.fromkeys(one.sound for one in scene.played))
    with _house(model, sounds, more) as (microphone, recorder, control):
        microphone.play(scene.samples)
        began_wall_s = time.time() - time.monotonic() + microphone.at(0)
        _wait_until_heard(recorder, microphone)
        run = Run()
        _listen_along(control, microphone, scene, run)
        microphone.ended.wait(len(scene.samples) / SAMPLE_RATE_HZ + 30.0)
        health = control.request("status")["health"]
        run.classify_ms, run.gaps = health["inference_ms_p50"], health["gaps"]
        run.late_s, run.load = microphone.late_s, os.getloadavg()[0]
        for heard in [one for one in list(recorder.heard) if one.topic in EVENT_TOPICS]:
            body = json.loads(heard.payload)
            if body["kind"] == "sound":
                body["received_s"] = heard.at_s - microphone.at(0)
                body["decided_s"] = _decided_unix_s(body) - began_wall_s
                run.events.append(body)
        return run


@contextlib.contextmanager
def _house(
    model: Path, sounds: str, more: str
) -> Iterator[tuple[PipeMicrophone, Recorder, ControlClient]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        room = Room(folder)
        room.open()
        stack.callback(room.close)
        microphone = PipeMicrophone(room)
        microphone.open()
        stack.callback(microphone.close)
        broker = stack.enter_context(running(Broker(folder)))
        recorder = Recorder(broker.port)
        stack.callback(recorder.close)
        text = CONFIG.format(device=DEVICE, port=broker.port, sounds=sounds, more=more)
        (folder / "detector.yaml").write_text(text)
        stack.enter_context(_daemon(room, folder, model))
        socket = Path(room.environment["XDG_RUNTIME_DIR"]) / "detector" / "control.sock"
        yield microphone, recorder, ControlClient(socket)


@contextlib.contextmanager
def _daemon(room: Room, folder: Path, model: Path) -> Iterator[None]:
    environment = room.environment | {
        "DETECTOR_MODEL": str(model),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    command = [sys.executable, "-m", "detector", "run", "--config", str(folder / "detector.yaml")]
    with (folder / "detector.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    except Exception:
        print((folder / "detector.log").read_text(), file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_heard(recorder: Recorder, microphone: PipeMicrophone) -> None:
    while recorder.last(f"{AT}/mic/status") != "online":
        if time.monotonic() > microphone.at((LEAD_S - _LISTEN_ALONG_S - 3.0) * SAMPLE_RATE_HZ):
            raise RuntimeError("the daemon did not hear the microphone in time")
        time.sleep(0.1)


def _listen_along(
    control: ControlClient, microphone: PipeMicrophone, scene: LatencyScene, run: Run
) -> None:
    """Find the daemon's samples in ours, and how long each took."""
    blocks: list[Block] = []
    stream = control.subscribe("audio")
    ends_s = time.monotonic() + _LISTEN_ALONG_S
    for document in stream:
        item = heard_in(document)
        if isinstance(item, Block):
            blocks.append(item)
        if time.monotonic() > ends_s:
            break
    threading.Thread(target=stream.close, daemon=True).start()
    shift = _shift(blocks, microphone, scene)
    block_samples = len(blocks[0].samples)
    passed_over = surplus(block_samples, WINDOW_SAMPLES, block_samples)
    run.source_at_s = (shift + passed_over) / SAMPLE_RATE_HZ
    run.capture_s = [
        one.captured_monotonic_s - microphone.at(one.end_sample + shift) for one in blocks
    ]


def _shift(blocks: list[Block], microphone: PipeMicrophone, scene: LatencyScene) -> int:
    """Scene's index less the daemon's, of the same sample: the audio is the same, bit for bit."""
    heard = np.round(blocks[0].samples[:_LOCK_SAMPLES] * 32768.0).astype(np.int16)
    last = (blocks[0].captured_monotonic_s - microphone.at(0)) * SAMPLE_RATE_HZ
    first = max(0, int(last - _LOCK_STEP_S * SAMPLE_RATE_HZ))
    reach = scene.samples[first : int(last) + SAMPLE_RATE_HZ]
    windows = np.lib.stride_tricks.sliding_window_view(reach, len(heard))
    same = np.flatnonzero((windows == heard).all(axis=1))
    if len(same) != 1:
        raise RuntimeError(f"what the daemon hears is not what was played: {len(same)} places")
    return int(first + same[0] - blocks[0].start_sample)


def _decided_unix_s(body: dict[str, Any]) -> float:
    """The estimated beginning (or end) and what is told as latency, added up."""
    told = body["offset"] if body["phase"] == "offset" else body["onset"]
    return datetime.fromisoformat(told).timestamp() + float(body["latency_ms"]) / 1000.0
