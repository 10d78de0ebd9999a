"""Smoke and carbon monoxide alarms through the real model and the shipped sounds."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.core.audio import Samples
from detector.core.events import Event, Phase
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from tests.alarms import Alarm, alarm, in_a_room, square
from tests.heard import events_of

LEAD_S = 3.0
BEEPING = ("bicycle_bell", "church_bells", "metronome", "modem_dial", "phone_ring", "school_bell")
"""Labels of recordings that a cadence could be found in."""


@pytest.fixture(scope="module")
def recogniser(model_path: Path) -> WindowRecogniser:
    """The real one."""
    return WindowRecogniser(Classifier(model_path), hop_seconds=0.48)


def heard(samples: Samples, recogniser: WindowRecogniser) -> list[Event]:
    """What both alarms make of it."""
    told = events_of(samples, "sounds: [smoke_alarm, co_alarm]", recogniser)
    return [event for event in told if event.phase is not Phase.OFFSET]


@pytest.mark.model
@pytest.mark.parametrize("hertz", [520.0, 3100.0])
@pytest.mark.parametrize(("pattern", "sound"), [("t3", "smoke_alarm"), ("t4", "co_alarm")])
def test_each_alarm_is_told_as_itself_only(
    pattern: str, sound: str, hertz: float, recogniser: WindowRecogniser
) -> None:
    """First as possible, then for sure, under one id and with the time at which it began."""
    beeps = alarm(Alarm(pattern=pattern, hertz=hertz, voice=square, cycles=4))
    room = in_a_room(beeps, 0.3, np.random.default_rng(1))
    noise = np.random.default_rng(2).standard_normal(len(room) + 48_000).astype(np.float32)
    samples = 0.001 * noise
    samples[48_000:] += 0.2 * room
    events = heard(samples, recogniser)
    assert [event.sound for event in events] == [sound, sound]
    assert [event.phase for event in events] == [Phase.POSSIBLE, Phase.ONSET]
    assert events[0].id == events[1].id
    assert all(abs(event.onset_s - LEAD_S) <= 1.0 for event in events)


@pytest.mark.model
@pytest.mark.recordings
@pytest.mark.parametrize("label", BEEPING)
def test_what_rings_is_no_carbon_monoxide_alarm(
    label: str, recogniser: WindowRecogniser, recordings: Path
) -> None:
    """Not even a possible one."""
    with (recordings / "MANIFEST.csv").open(encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["label"] == label]
    clips = [np.asarray(soundfile.read(recordings / path)[0], np.float32) for path in paths]
    told = [event.sound for event in heard(np.concatenate(clips), recogniser)]
    assert "co_alarm" not in told
