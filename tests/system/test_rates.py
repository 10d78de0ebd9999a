"""The same sound at the usual rates gives the same events, whatever a microphone offers."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from detector.audio.file import FileSource
from detector.config import Config
from detector.config.loader import parse_config
from detector.config.sounds import with_all_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.events import Event, Phase
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.offline import run_to_end
from detector.service.scene import SCENE_SOUNDS, alarm_scene
from detector.service.standin import load_file

TOLERANCE_S = 0.05
CLIPS = {
    "baby_cry": "baby_cry/donateacry__10A40438-09AA-4A21-83B4-8119F03F7A11-1430848060-"
    "1.0-f-26-hu.flac",
    "siren": "siren/giulbia__2-72688-A.flac",
    "glass_breaking": "glass_breaking/giulbia__3-216280-A.flac",
}
FORMS = {
    "16 kHz mono": (16_000, 1),
    "44.1 kHz mono": (44_100, 1),
    "44.1 kHz stereo": (44_100, 2),
    "48 kHz stereo": (48_000, 2),
}


def written(folder: Path, samples: Samples, rate_hz: int, channels: int) -> Path:
    """A 16-bit WAV file of 16 kHz mono samples, at another rate and number of channels."""
    resampled = soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz)
    path = folder / f"{rate_hz}-{channels}.wav"
    soundfile.write(path, np.column_stack([resampled] * channels), rate_hz, subtype="PCM_16")
    return path


def heard(path: Path, config: Config, model_path: Path) -> list[Event]:
    """The events of a file."""
    clock = SystemClock()
    recogniser = load_file(model_path, config.model).recogniser
    source = FileSource(path, realtime=False, channel="mix", clock=clock)
    pipeline = build_pipeline(config, [recogniser], clock=clock)
    turns = run_to_end(source, pipeline, recogniser.spec)
    return [event for _, events in turns for event in events]


def told(events: list[Event]) -> list[str]:
    """Events in words: sound, phase and times."""
    return [
        f"{event.sound} {event.phase} {event.onset_s:.2f} … {event.offset_s or event.onset_s:.2f} s"
        for event in events
    ]


def assert_same_at_every_rate(
    samples: Samples, config: Config, model_path: Path, folder: Path
) -> list[Event]:
    """The same sounds and phases in the same order, their times within TOLERANCE_S."""
    by_form = {
        name: heard(written(folder, samples, *form), config, model_path)
        for name, form in FORMS.items()
    }
    for name, events in by_form.items():
        print(f"{name:>16}: {'; '.join(told(events))}")
    first = by_form["16 kHz mono"]
    for name, events in by_form.items():
        kinds = [(event.sound, event.kind, event.phase) for event in events]
        assert kinds == [(event.sound, event.kind, event.phase) for event in first], name
        for one, other in zip(first, events, strict=True):
            assert abs(one.onset_s - other.onset_s) <= TOLERANCE_S, name
            assert (one.offset_s is None) == (other.offset_s is None), name
            assert abs((one.offset_s or 0) - (other.offset_s or 0)) <= TOLERANCE_S, name
    return first


@pytest.mark.runtime
def test_an_alarm_is_the_same_at_every_rate(any_model: Path, tmp_path: Path) -> None:
    """Told by its beeps, whatever the model makes of them."""
    config = parse_config("sounds: [smoke_alarm]\n", "scene")
    events = assert_same_at_every_rate(alarm_scene(), config, any_model, tmp_path)
    assert [event.phase for event in events] == [Phase.POSSIBLE, Phase.ONSET, Phase.OFFSET]


@pytest.mark.model
def test_the_scene_is_the_same_at_every_rate(model_path: Path, tmp_path: Path) -> None:
    """A cry, a telephone, a siren and a smoke alarm, each begun and ended."""
    sounds = ", ".join(SCENE_SOUNDS)
    config = parse_config(f"sounds: [{sounds}]\n", "scene")
    events = assert_same_at_every_rate(alarm_scene(), config, model_path, tmp_path)
    assert {event.sound for event in events} == set(SCENE_SOUNDS)
    assert len(events) >= 2 * len(SCENE_SOUNDS)


@pytest.mark.model
@pytest.mark.recordings
@pytest.mark.parametrize("sound", CLIPS)
def test_a_recording_is_the_same_at_every_rate(
    model_path: Path, recordings: Path, tmp_path: Path, sound: str
) -> None:
    """With every shipped sound listened for, so that none is told at one rate only."""
    raw, rate_hz = soundfile.read(recordings / CLIPS[sound], dtype="float32", always_2d=True)
    samples = np.asarray(soxr.resample(raw.mean(axis=1), rate_hz, SAMPLE_RATE_HZ), np.float32)
    config = with_all_sounds(parse_config("", "recording"))
    events = assert_same_at_every_rate(samples, config, model_path, tmp_path)
    assert sound in {event.sound for event in events}
