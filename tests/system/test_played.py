"""What the tests of the whole play is told whenever it is played: live, nobody chooses that."""

from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.events import Phase
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.workbench.sounding import read_samples
from tests.heard import events_of
from tests.system.test_daemon import CLIPS, CONFIG, NEGATIVE, ROOM_TONE, YAMNETS

pytestmark = [pytest.mark.model, pytest.mark.recordings, pytest.mark.lengthy]

HOP_S = 0.48
PLACES = 16
"""Of a recording among the windows, one every 30 ms, each with another piece of the room tone."""
LEAD_S, TAIL_S = 3.0, 4.0
"""Of the room alone, before and after: a sound that was told ends in it."""


@pytest.fixture(scope="module")
def recogniser(model_path: Path) -> WindowRecogniser:
    """The real one."""
    return WindowRecogniser(Classifier(model_path), hop_seconds=HOP_S)


def played(samples: Samples, tone: Samples, place: int) -> Samples:
    """The recording in a piece of the room tone, later by so many of the places."""
    lead = round((LEAD_S + place * HOP_S / PLACES) * SAMPLE_RATE_HZ)
    tail = round(TAIL_S * SAMPLE_RATE_HZ)
    piece = np.roll(tone, -place * len(tone) // PLACES)
    room = np.resize(piece, lead + len(samples) + tail)
    room[lead : lead + len(samples)] += samples
    return np.clip(room, -1.0, 1.0)


def told(samples: Samples, recogniser: WindowRecogniser) -> list[tuple[str | None, Phase]]:
    """What the daemon of those tests makes of it."""
    events = events_of(samples, CONFIG.format(port=1883) + YAMNETS, recogniser)
    return [(event.sound, event.phase) for event in events]


@pytest.mark.parametrize("sound", CLIPS)
def test_it_is_told_and_nothing_else(
    sound: str, recogniser: WindowRecogniser, recordings: Path
) -> None:
    """At every place, or the test that plays it fails now and then."""
    clip, tone = read_samples(recordings / CLIPS[sound]), read_samples(recordings / ROOM_TONE)
    for place in range(PLACES):
        events = told(played(clip, tone, place), recogniser)
        assert events[:1] == [(sound, Phase.ONSET)], f"at place {place}"
        assert {name for name, _ in events} == {sound}


def test_rain_is_not_told(recogniser: WindowRecogniser, recordings: Path) -> None:
    """At no place."""
    rain, tone = read_samples(recordings / NEGATIVE), read_samples(recordings / ROOM_TONE)
    for place in range(PLACES):
        assert told(played(rain, tone, place), recogniser) == []
