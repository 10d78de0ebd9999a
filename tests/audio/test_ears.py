"""What is known of a microphone: by its name, over restarts, and nobody else's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from detector.audio.ears import Ears
from detector.audio.liveness import GATE_TIMES
from detector.audio.profile import MINUTE_S
from detector.core.audio import SAMPLE_RATE_HZ, GapCause, MicState, Samples, SourceStatus
from tests.audio.tools import noise


class Notebook:
    """A memory that is kept in memory."""

    def __init__(self) -> None:
        self.learnt: dict[str, Mapping[str, Any]] = {}

    def recall(self, device: str) -> Mapping[str, Any] | None:
        """What was noted."""
        return self.learnt.get(device)

    def remember(self, device: str, learnt: Mapping[str, Any]) -> None:
        """Note it."""
        self.learnt[device] = learnt


class Listener:
    """Ears, fed as a worker would."""

    def __init__(self, notebook: Notebook | None = None, device: str = "USB Audio") -> None:
        self.ears = Ears(notebook)
        self.device = device
        self.now_s = 1000.0

    def hears(self, samples: Samples) -> MicState:
        """Let it hear samples."""
        status = SourceStatus(available=True, description="", device=self.device)
        for start in range(0, len(samples), 1600):
            piece = samples[start : start + 1600]
            self.now_s += len(piece) / SAMPLE_RATE_HZ
            self.ears.hear(piece, status, self.now_s)
        return self.ears.state


def zeros(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def gating() -> Samples:
    """A minute and more of a microphone that gates its noise."""
    pauses = np.concatenate([np.concatenate([zeros(1.0), noise(1.0)])] * GATE_TIMES)
    return np.concatenate([noise(2.0), pauses, noise(MINUTE_S)])


@pytest.mark.parametrize("card", ["", " (hw:1,0)", " (hw:3,0)", " (plughw:2)"])
def test_a_gate_is_known_again_by_the_microphones_name(card: str) -> None:
    """Whatever number its card has after the next boot."""
    notebook = Notebook()
    Listener(notebook, "USB Audio: - (hw:1,0)").hears(gating())
    again = Listener(notebook, f"USB Audio: -{card}")
    again.hears(noise(2.0))
    assert again.hears(zeros(60.0)) is MicState.OK


def test_another_microphone_is_not_taken_for_it() -> None:
    """What was learnt belongs to one; coming back, it is known again."""
    listener = Listener(Notebook())
    listener.hears(gating())
    listener.device = "Webcam"
    listener.hears(noise(2.0))
    assert listener.hears(zeros(10.0)) is MicState.SILENT
    listener.device = "USB Audio"
    listener.hears(noise(2.0))
    assert listener.hears(zeros(60.0)) is MicState.OK


def test_audio_that_is_still_read_after_the_loss_changes_nothing() -> None:
    """The source says already that there is no device."""
    listener = Listener(Notebook())
    listener.hears(gating())
    listener.device = ""
    assert listener.hears(zeros(60.0)) is MicState.OK


@pytest.mark.parametrize(
    "learnt",
    [
        {},
        {"gated_times": "x"},
        {"gated_times": 5, "heard_since_gate_s": 0, "profile": None},
        {"gated_times": 5, "heard_since_gate_s": 0, "profile": {"minutes": 1, "usual": []}},
        {"gated_times": float("inf"), "heard_since_gate_s": 0, "profile": {}},
    ],
)
def test_what_cannot_be_read_is_learnt_anew(
    learnt: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And said so."""
    notebook = Notebook()
    notebook.remember("USB Audio", learnt)
    listener = Listener(notebook)
    assert listener.hears(noise(2.0)) is MicState.OK
    assert "what was learnt of USB Audio cannot be read" in caplog.text
    assert listener.hears(zeros(10.0)) is MicState.SILENT


def test_a_profile_is_kept_each_minute_of_good_sound() -> None:
    """And of nothing else."""
    notebook = Notebook()
    listener = Listener(notebook)
    listener.hears(noise(MINUTE_S + 5.0))
    assert notebook.learnt["USB Audio"]["profile"]["minutes"] == 1
    listener.hears(zeros(3 * MINUTE_S))
    assert notebook.learnt["USB Audio"]["profile"]["minutes"] == 1


def test_audio_that_is_lost_here_is_deaf_time() -> None:
    """By cause; a lost device has its own state for that."""
    listener = Listener()
    listener.hears(noise(2.0))
    listener.ears.miss(3.0, GapCause.BEHIND)
    listener.ears.miss(0.5, GapCause.OVERFLOW)
    listener.ears.hear_nothing(listener.now_s, available=False)
    listener.ears.miss(60.0, GapCause.SOURCE_LOST)
    deaf = {cause: seconds for cause, seconds in listener.ears.deaf_seconds.items() if seconds}
    assert deaf == {"behind": 3.0, "overflow": 0.5}


def test_a_stall_that_is_over_before_it_is_declared_is_deaf_time() -> None:
    """No audio for 5 s, then the device is closed and opened anew: 7.5 s, each time."""
    listener = Listener()
    for _ in range(3):
        listener.hears(noise(2.0))
        for _ in range(30):
            listener.now_s += 0.25
            listener.ears.hear_nothing(listener.now_s, available=True)
        assert listener.ears.state is MicState.OK
        listener.ears.miss(7.5, GapCause.SOURCE_LOST)
    assert listener.ears.deaf_seconds["stalled"] == pytest.approx(22.5)


def test_audio_that_is_lost_while_it_is_deaf_is_not_counted_twice() -> None:
    """A stall that ends with an overflow."""
    listener = Listener()
    listener.hears(noise(2.0))
    for _ in range(60):
        listener.now_s += 0.25
        listener.ears.hear_nothing(listener.now_s, available=True)
    assert listener.ears.state is MicState.STALLED
    listener.ears.miss(15.0, GapCause.OVERFLOW)
    assert listener.ears.deaf_seconds["overflow"] == 0.0
    assert listener.ears.deaf_seconds["stalled"] == pytest.approx(15.0)
