"""A sound of one's own: learnt from recordings, taken in by the running service, played, told."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.core.audio import SAMPLE_RATE_HZ
from detector.learning.rooms import Surroundings
from detector.workbench.sounding import read_samples
from tests.alerts.tools import Broker, until
from tests.audio.tools import Room
from tests.cli.terminal import Terminal
from tests.system.test_daemon import ROOM_TONE, listening, room_tone

pytestmark = [pytest.mark.system, pytest.mark.model, pytest.mark.recordings]

CLIP = "car_alarm/ccsounds__car_alarm.flac"
"""None of the shipped backgrounds: its licence asks for more than a name."""


def takes(folder: Path, clip: Path, count: int) -> list[Path]:
    """The recording taken again, from other places of a room."""
    piece, made = read_samples(clip), []
    for number in range(count):
        rng = np.random.default_rng(number)
        near = Surroundings(rt60_s=0.3, direct_to_tail_db=3.0 * number, gain_db=-6.0 - 2 * number)
        silence = rng.standard_normal(SAMPLE_RATE_HZ).astype(np.float32) * np.float32(2e-4)
        noise = rng.standard_normal(len(piece)).astype(np.float32) * np.float32(2e-4)
        heard = np.concatenate([silence, near.heard(piece, rng) + noise, silence])
        made.append(folder / f"take{number}.wav")
        soundfile.write(made[-1], heard, SAMPLE_RATE_HZ)
    return made


@pytest.mark.timeout(300)
def test_from_recordings_to_an_alert(
    room: Room, broker: Broker, tmp_path: Path, model_path: Path, recordings: Path
) -> None:
    """The service reads it in by itself; Home Assistant finds it; forgotten, it is gone."""
    tone = recordings / ROOM_TONE
    with listening(room, broker, tmp_path, model_path, tone) as (daemon, watcher):
        files = takes(tmp_path, recordings / CLIP, 5)
        config = ("--config", tmp_path / "detector.yaml")
        watcher.forget()
        learnt = subprocess.run(
            [sys.executable, "-m", "detector", "learn", "my_alarm", *files, "--yes", *config],
            env=daemon.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        print(learnt.stdout, learnt.stderr)
        assert learnt.returncode == 0
        assert "listens for" in learnt.stdout
        topic = "homeassistant/device/detector_nursery/config"
        until(lambda: "my_alarm" in watcher.wait_for(topic).payload, "my_alarm in the discovery")
        watcher.forget()
        room.play(recordings / CLIP)
        watcher.wait_for("detector/nursery/sound/my_alarm/state", "ON")
        watcher.wait_for("detector/nursery/sound/my_alarm/state", "OFF")

        told = json.loads(watcher.wait_for("detector/nursery/event").payload)
        event = ("--from-event", told["id"])
        kept = daemon.ask("learn", "my_horn", *event, "--yes", *map(str, config))
        assert "1 of 3 takes are kept" in kept

        watcher.forget()
        assert "forgotten" in daemon.ask("sounds", "forget", "my_alarm", *map(str, config))
        watcher.wait_for("detector/nursery/sound/my_alarm/state", "")
        assert daemon.stop()[0] == 0
        watcher.close()
        assert "Traceback" not in daemon.log


def _is_asked(times: int, told: str) -> bool:
    """For a take, so often by now."""
    return told.count(": now") == times


@pytest.mark.timeout(120)
def test_guided_at_a_microphone(
    room: Room, tmp_path: Path, model_path: Path, recordings: Path
) -> None:
    """Rung when it is asked for, at a terminal: a clipped take again; told, asked, written."""
    piece, rings = read_samples(recordings / CLIP)[:28_000], list[Path]()
    for number, gain_db in enumerate((-2.0, 40.0, -3.0, -4.0)):
        near = Surroundings(rt60_s=0.3, direct_to_tail_db=6.0 + 2 * number, gain_db=gain_db)
        rings.append(tmp_path / f"ring{number}.wav")
        made = near.heard(piece, np.random.default_rng(number))
        soundfile.write(rings[-1], made, SAMPLE_RATE_HZ)
    quiet = np.random.default_rng(9).standard_normal(20 * SAMPLE_RATE_HZ) * 5e-4
    soundfile.write(tmp_path / "quiet.wav", quiet, SAMPLE_RATE_HZ)
    config = tmp_path / "detector.yaml"
    config.write_text(f"audio: {{device: roommic}}\nstate_directory: {tmp_path}\n")
    learning = ("learn", "my_alarm", "--takes", "3", "--config", str(config))
    with (
        room_tone(room, tmp_path / "quiet.wav"),
        Terminal(rows=40, columns=200) as terminal,
        subprocess.Popen(
            [sys.executable, "-m", "detector", *learning],
            env=room.environment | {"DETECTOR_MODEL": str(model_path)},
            stdin=terminal.slave,
            stdout=terminal.slave,
            stderr=terminal.slave,
        ) as learner,
    ):
        for number, ring in enumerate(rings):
            terminal.read_until(partial(_is_asked, number + 1))
            room.play(ring)
        terminal.read_until(lambda text: "[y/N]" in text)
        terminal.type("y\n")
        told = terminal.read_to_end()
    print(told)
    assert learner.returncode == 0
    assert told.count("dBFS, good") == 3
    assert told.count("take 2 is clipped") == 1
    assert "my_alarm, from 3 takes:" in told
    assert (tmp_path / "sounds/my_alarm.json").exists()
