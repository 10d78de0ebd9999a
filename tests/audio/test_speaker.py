"""The loudspeaker: a process that plays, and a parent that does not trust it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from detector.audio.speaker import play_tone
from detector.audio.speaker_child import TAIL_SECONDS, play
from detector.audio.tone import LEAD_SECONDS, TONE_SECONDS
from detector.core.audio import Samples
from detector.core.errors import AudioError


class FakeError(Exception):
    """What the fake raises."""


class FakeOutput:
    """A sound system with outputs; it keeps what is played."""

    PortAudioError = FakeError

    def __init__(self, *names: str, rate_hz: int = 48_000, most: int = 2, only: int = 0) -> None:
        self._names = names
        self._rate_hz = rate_hz
        self._most = most
        self._only = only
        self.fails = ""
        self.settings: dict[str, Any] = {}
        self.played: Samples = np.zeros((0, 1), np.float32)

    def query_devices(self) -> Sequence[Mapping[str, Any]]:
        """A microphone, then the outputs."""
        shared = {"default_samplerate": float(self._rate_hz)}
        microphone = {"name": "Microphone", "max_output_channels": 0, **shared}
        outputs = ({"name": n, "max_output_channels": self._most, **shared} for n in self._names)
        return [microphone, *outputs]

    def query_hostapis(self) -> Sequence[Mapping[str, Any]]:
        """The last output is the usual one."""
        return [{"default_output_device": len(self._names)}, {"default_output_device": -1}]

    def check_output_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        """Refuse what it cannot do."""
        del device, dtype, samplerate
        if self._only not in (0, channels):
            raise FakeError("Invalid number of channels")

    def OutputStream(self, **settings: Any) -> Self:  # noqa: N802 - sounddevice's name
        """Open."""
        self.settings = settings
        if self.fails:
            raise FakeError(self.fails)
        return self

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def write(self, samples: Samples) -> None:
        """Keep it."""
        self.played = samples


def played(system: FakeOutput, output: str) -> int:
    """The device that was played through."""
    play(system, output, playing=lambda: None)
    return int(system.settings["device"])


@pytest.mark.parametrize(
    ("output", "device"),
    [
        ("usb", 1),
        ("USB Speaker (hw:1,1)", 1),
        ("hw:1,1", 1),
        ("hw:1,10", 2),
        ("2", 2),
        ("default", 3),
    ],
)
def test_an_output_is_meant_as_a_microphone_is(output: str, device: int) -> None:
    """By part of its name, its id, its number, or as the usual one."""
    system = FakeOutput("USB Speaker (hw:1,1)", "HDMI (hw:1,10)", "built in")
    assert played(system, output) == device


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (
            "hw:",
            r"^selftest\.output hw: fits several outputs: One \(hw:1\) \[1\]; Two \(hw:2\) \[2\]$",
        ),
        ("yeti", r"^selftest\.output yeti is not there; there is One \(hw:1\) \[1\]; Two"),
        ("Microphone", "is not there"),
        ("0", "is not there"),
    ],
)
def test_an_output_that_is_none_or_several_is_refused(output: str, why: str) -> None:
    """With those that there are; a microphone is not among them."""
    with pytest.raises(AudioError, match=why):
        played(FakeOutput("One (hw:1)", "Two (hw:2)"), output)


def test_without_any_output_that_is_said() -> None:
    """A machine without a sound card."""
    with pytest.raises(AudioError, match="default is not there; there is none"):
        played(FakeOutput(), "default")


@pytest.mark.parametrize(("most", "only", "channels"), [(2, 0, 2), (1, 0, 1), (8, 0, 2), (8, 8, 8)])
def test_it_is_played_on_as_many_channels_as_it_takes(most: int, only: int, channels: int) -> None:
    """At the device's own rate, the same on all, between two silences."""
    system = FakeOutput("Speaker", rate_hz=44_100, most=most, only=only)
    played(system, "speaker")
    assert system.played.shape[1] == channels
    assert (system.played == system.played[:, :1]).all()
    loud = np.flatnonzero(np.abs(system.played[:, 0]) > 0.01) / 44_100
    assert loud[0] == pytest.approx(LEAD_SECONDS, abs=0.02)
    assert loud[-1] == pytest.approx(LEAD_SECONDS + TONE_SECONDS, abs=0.02)
    assert len(system.played) / 44_100 == pytest.approx(LEAD_SECONDS + TONE_SECONDS + TAIL_SECONDS)


def test_an_output_that_cannot_be_opened_is_told_in_one_line() -> None:
    """With PortAudio's words."""
    system = FakeOutput("Speaker")
    system.fails = "Device unavailable\n[PaErrorCode -9985]"
    with pytest.raises(AudioError) as refused:
        played(system, "speaker")
    expected = "selftest.output speaker fails: Device unavailable [PaErrorCode -9985]"
    assert str(refused.value) == expected


def child(script: str) -> tuple[str, ...]:
    """A stand-in for the process that plays."""
    return (sys.executable, "-c", textwrap.dedent(script))


def test_the_parent_is_told_when_playing_begins_and_returns_when_it_has_ended() -> None:
    """And hands over the output and the limit."""
    script = """
    import sys
    print("playing", flush=True)
    print("done" if sys.argv[1:] == ["speaker", "8.0"] else "error wrong", flush=True)
    """
    begun: list[bool] = []
    play_tone("speaker", playing=lambda: begun.append(True), command=child(script))
    assert begun == [True]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("print('error selftest.output x is not there')", r"^selftest\.output x is not there$"),
        ("import os; os.abort()", r"^selftest\.output x: the process that plays it broke down$"),
        ("print('playing')", "broke down"),
    ],
)
def test_what_goes_wrong_in_the_child_is_told(script: str, why: str) -> None:
    """PortAudio aborts the process that it runs in, now and then."""
    with pytest.raises(AudioError, match=why):
        play_tone("x", playing=lambda: None, command=child(script))


HANGS = """
import os, sys, time
open(os.environ["PID_FILE"], "w").write(str(os.getpid()))
print("playing", flush=True)
time.sleep(60)
"""


def test_a_child_that_hangs_is_ended_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is gone."""
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    with pytest.raises(AudioError, match="did not play in time"):
        play_tone("x", playing=lambda: None, limit_s=2.0, command=child(HANGS))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_playing_can_be_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the daemon stops."""
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    stopping = threading.Event()
    with pytest.raises(AudioError, match="broken off"):
        play_tone("x", playing=stopping.set, cancelled=stopping.is_set, command=child(HANGS))


def test_a_program_that_cannot_be_started_is_told() -> None:
    """No process left, or none of that name."""
    with pytest.raises(AudioError, match="cannot be started"):
        play_tone("x", playing=lambda: None, command=("/nonexistent/python",))


ORPHAN = """
import sys
sys.modules["sounddevice"] = None
from detector.audio import speaker_child
import time
def load():
    print("loading", flush=True)
    time.sleep(60)
speaker_child.load_sound_system = load
speaker_child.main(["x", sys.argv[1]])
"""


@pytest.mark.parametrize("limit_s", ["0.5", "60"], ids=["its own alarm", "its parent's end"])
def test_a_child_whose_sound_system_hangs_ends_by_itself(limit_s: str) -> None:
    """By its own alarm, or when nobody holds its standard input any more."""
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, limit_s],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    if limit_s == "60":
        process.stdin.close()
    code = process.wait(20)
    assert code == (1 if limit_s == "60" else -signal.SIGALRM)
    process.stdin.close()
