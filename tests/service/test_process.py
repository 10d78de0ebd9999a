"""``detector run`` as a process of its own, with a real model and a scene made by code."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from detector.service.scene import alarm_scene
from tests.service.life import Notifications

pytestmark = pytest.mark.runtime

CONFIG = """
node: nursery
audio: {{source: file, path: {path}, realtime: {realtime}}}
sounds:
  smoke_alarm: {{}}
  siren: {{hold_seconds: 2}}
state_directory: state
"""


class Process:
    """A daemon in a folder, its notifications, and what it writes."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.config = folder / "detector.yaml"
        self.notifications = Notifications(folder / "notify", patience_s=60.0)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNTIME_DIRECTORY": str(folder / "run"),
            "DETECTOR_MODEL": str(model),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "30000000",
        }
        self._started: subprocess.Popen[str] | None = None

    def hear(self, path: Path, *, realtime: bool) -> None:
        """Have it listen to this."""
        self.config.write_text(CONFIG.format(path=path, realtime=str(realtime).lower()))

    def start(self) -> subprocess.Popen[str]:
        """Run it."""
        self._started = subprocess.Popen(
            [sys.executable, "-m", "detector", "run", "--config", str(self.config)],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self._started

    def close(self) -> None:
        """Whatever happened, it is gone after this."""
        self.notifications.close()
        if self._started is not None:
            with self._started as process:
                process.kill()


@pytest.fixture
def process(short_path: Path, any_model: Path) -> Iterator[Process]:
    """A daemon that is not started yet."""
    made = Process(short_path, any_model)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a file."""
    path = tmp_path_factory.mktemp("scene") / "scene.wav"
    soundfile.write(path, alarm_scene(), 16_000)
    return path


def test_a_scene_is_told_as_json_lines_between_ready_and_stopping(
    process: Process, scene: Path
) -> None:
    """The smoke alarm, with its end; exit code 0; all else is on standard error."""
    process.hear(scene, realtime=False)
    started = process.start()
    output, log = started.communicate(timeout=60)
    assert started.returncode == 0
    told = [json.loads(line)["event_type"] for line in output.splitlines()]
    alarms = [one for one in told if one.startswith("smoke_alarm")]
    assert alarms == ["smoke_alarm_possible", "smoke_alarm", "smoke_alarm_ended"]
    assert {one.removesuffix("_ended") for one in told} - {*alarms} <= {"siren"}
    assert process.notifications.all()[0] == "READY=1"
    assert process.notifications.all()[-1] == "STOPPING=1"
    assert "not a life-safety device" in log
    assert "microphone missing" not in log


def test_a_broken_file_is_exit_code_4_and_one_line(process: Process, scene: Path) -> None:
    """No traceback; systemd is not told READY."""
    broken = scene.with_name("broken.wav")
    broken.write_bytes(b"RIFF and then nothing of the kind")
    process.hear(broken, realtime=False)
    started = process.start()
    output, log = started.communicate(timeout=60)
    assert started.returncode == 4
    assert output == ""
    assert "broken.wav cannot be decoded" in log
    assert "Traceback" not in log
    assert process.notifications.all() == ["STOPPING=1"]


def test_sighup_is_told_as_a_reload_and_sigterm_is_a_clean_end(
    process: Process, scene: Path
) -> None:
    """READY, RELOADING with the time, READY, STOPPING; the watchdog is fed between them."""
    process.hear(scene, realtime=True)
    started = process.start()
    process.notifications.wait_for("READY=1")
    process.notifications.wait_for("WATCHDOG=1")
    text = process.config.read_text()
    process.config.write_text(text.replace("  siren:", "  doorbell:"))
    started.send_signal(signal.SIGHUP)
    assert "\nMONOTONIC_USEC=" in process.notifications.wait_for("RELOADING=1")
    process.notifications.wait_for("READY=1")
    started.send_signal(signal.SIGTERM)
    _, log = started.communicate(timeout=30)
    assert started.returncode == 0
    assert process.notifications.all()[-1] == "STOPPING=1"
    assert "configuration read anew: listening for smoke_alarm, doorbell" in log
    assert "Traceback" not in log
