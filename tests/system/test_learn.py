"""A sound of one's own: learnt from recordings, taken in by the running service, played, told."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.core.audio import SAMPLE_RATE_HZ
from detector.learning.rooms import Surroundings
from detector.workbench.sounding import read_samples
from tests.alerts.tools import Broker, until
from tests.audio.tools import Room
from tests.system.test_daemon import listening

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
    with listening(room, broker, tmp_path, model_path, recordings) as (daemon, watcher):
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

        watcher.forget()
        assert "forgotten" in daemon.ask("sounds", "forget", "my_alarm", *map(str, config))
        watcher.wait_for("detector/nursery/sound/my_alarm/state", "")
        assert daemon.stop()[0] == 0
        watcher.close()
        assert "Traceback" not in daemon.log
