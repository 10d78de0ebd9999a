"""When the network rests, and that every sound wakes it: on rows of a front end as YAMNet's."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Gap, GapCause, Samples
from detector.core.errors import ModelError
from detector.core.recognition import LEVEL, SCORES, Observation
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.model.resting import AWAKE_S, LEARN_S, REST_S, RestingGate, can_rest
from tests.model.listening import FailingOnce, Listening, Wide, blocks, hear
from tests.model.rooms import HOP, front_end, knock, noise, put, tone

HOP_S = HOP / SAMPLE_RATE_HZ
LEARNT_S = 40.0
"""When a room is known, and the network rests."""


def resting(model: Listening | None = None, *, hop_s: float = HOP_S) -> WindowRecogniser:
    """One that may rest."""
    return WindowRecogniser(model or Listening(), hop_seconds=hop_s, rests=True)


def looked_at(observations: list[Observation]) -> list[bool]:
    """Of each window, whether it was classified: what is told again is the same object."""
    same = (a.outputs[SCORES] is b.outputs[SCORES] for a, b in itertools.pairwise(observations))
    return [True, *(not one for one in same)]


def looks_between(observations: list[Observation], from_s: float, until_s: float) -> list[bool]:
    """The same, of windows that hold a part of this span."""
    pairs = zip(observations, looked_at(observations), strict=True)
    return [look for one, look in pairs if one.end_s > from_s and one.start_s < until_s]


def longest_rest(looks: list[bool]) -> int:
    """Windows in a row that were not classified."""
    return max(len(list(group)) for look, group in itertools.groupby(looks) if not look)


@pytest.fixture(scope="module", params=[-30.0, -50.0, -75.0, -110.0])
def room(request: pytest.FixtureRequest) -> Samples:
    """Fifty seconds of a quiet room, whatever the microphone's level."""
    return noise(50.0, request.param)


def test_network_rests_in_a_room_that_is_known(room: Samples) -> None:
    """Of five windows it looks at one, at any level."""
    observations = hear(resting(), room)
    looks = looks_between(observations, LEARNT_S, 50.0)
    assert sum(looks) <= len(looks) / 3


def test_it_looks_again_after_two_seconds(room: Samples) -> None:
    """However quiet it is."""
    looks = looked_at(hear(resting(), room))
    assert longest_rest(looks) == int(REST_S / HOP_S)


def test_no_rest_until_the_floor_is_learnt(room: Samples) -> None:
    """Half a minute."""
    observations = hear(resting(), room)
    assert all(looks_between(observations, 0.0, LEARN_S - 2.0))


def test_digital_silence_is_quiet_too() -> None:
    """A microphone that gates its noise away."""
    recogniser = resting()
    observations = hear(recogniser, np.zeros(50 * SAMPLE_RATE_HZ, np.float32))
    assert recogniser.gate is not None
    assert recogniser.gate.rested >= 0.6 * (len(observations) - LEARN_S / HOP_S - 10)


def test_what_is_told_at_rest_has_times_and_level_of_its_own() -> None:
    """Only what the network says is told again."""
    recogniser, awake = resting(), WindowRecogniser(Listening(), hop_seconds=HOP_S)
    room = noise(50.0)
    ours, theirs = hear(recogniser, room), hear(awake, room)
    assert [(o.start_s, o.end_s, float(o.outputs[LEVEL])) for o in ours] == [
        (o.start_s, o.end_s, float(o.outputs[LEVEL])) for o in theirs
    ]


def test_what_is_looked_at_is_told_exactly_as_without_rest() -> None:
    """After any rest too: the rows were there all the time."""
    sounding = put(noise(60.0), tone(1.0, 3100.0, -40.0), 45.3)
    ours = hear(resting(), sounding)
    theirs = hear(WindowRecogniser(Listening(), hop_seconds=HOP_S), sounding)
    looks = looked_at(ours)
    assert not all(looks)
    for one, other, look in zip(ours, theirs, looks, strict=True):
        if look:
            np.testing.assert_array_equal(one.outputs[SCORES], other.outputs[SCORES])


SOUNDS: dict[str, Samples] = {
    "a smoke alarm, 10 dB below the room": tone(0.5, 3100.0, -60.0),
    "an alarm of 520 Hz, 12 dB below the room": tone(0.5, 520.0, -62.0),
    "a hum, as far below": tone(0.5, 240.0, -62.0),
    "a knock at 3 dB": knock(-47.0),
    "a knock at 20 dB": knock(-30.0),
    "a cry at 3 dB": tone(0.5, 450.0, -50.0) + tone(0.5, 900.0, -50.0),
    "noise at 3 dB": noise(0.5, -47.0, seed=9),
    "a click": np.full(32, 0.05, np.float32),
    "far beyond full scale": np.full(160, 1e15, np.float32),
    "no number": np.full(160, np.nan, np.float32),
}


@pytest.mark.parametrize("at_s", [44.0, 44.11, 44.23, 44.37])
@pytest.mark.parametrize("name", SOUNDS)
def test_every_onset_wakes_it(name: str, at_s: float) -> None:
    """Every window that holds a whole sound, wherever between two windows it begins."""
    sound = SOUNDS[name]
    observations = hear(resting(), put(noise(48.0), sound, at_s))
    ends_s = at_s + len(sound) / SAMPLE_RATE_HZ
    pairs = zip(observations, looked_at(observations), strict=True)
    held = [look for one, look in pairs if one.end_s >= ends_s and one.start_s <= at_s]
    assert held
    assert all(held)


@pytest.mark.parametrize("level_db", [0.0, -20.0, -40.0, -60.0])
def test_level_of_the_microphone_decides_nothing(level_db: float) -> None:
    """The same windows are looked at in the same scene, however softly it is heard."""
    scene = put(put(noise(60.0), knock(-45.0), 42.0), tone(1.0, 520.0, -62.0), 50.2)
    softer = scene * np.float32(10.0 ** (level_db / 20.0))
    assert looked_at(hear(resting(), softer)) == looked_at(hear(resting(), scene))


@pytest.mark.parametrize("seed", range(6))
def test_windows_that_are_told_again_hold_nothing_new(seed: int) -> None:
    """Property: whatever was put into a room at random, no window at rest holds much of it."""
    rng = np.random.default_rng(seed)
    room, sounding_s = noise(90.0, seed=seed), []
    for at_s in np.arange(40.0, 84.0, 6.0) + rng.uniform(0.0, 3.0, 8):
        seconds, hz = float(rng.uniform(0.05, 1.5)), float(rng.uniform(200.0, 6000.0))
        room = put(room, tone(seconds, hz, float(rng.uniform(-50.0, -20.0))), float(at_s))
        sounding_s.append((float(at_s), float(at_s) + seconds))
    observations = hear(resting(), room)
    rests = [
        one for one, look in zip(observations, looked_at(observations), strict=True) if not look
    ]
    assert rests
    for one in rests:
        assert all(_held_s(one, span) < 0.03 for span in sounding_s)


def _held_s(one: Observation, span: tuple[float, float]) -> float:
    return min(one.end_s, span[1]) - max(one.start_s, span[0])


def test_it_stays_awake_a_while_after_a_sound() -> None:
    """A pause in it is no quiet."""
    observations = hear(resting(), put(noise(50.0), knock(-20.0), 44.0))
    assert all(looks_between(observations, 44.0, 45.0 + AWAKE_S - HOP_S))


def test_a_steady_loud_noise_is_a_floor_after_a_while() -> None:
    """A fan: and what is fainter than it still wakes the network."""
    fan = np.concatenate([noise(40.0, -60.0), noise(110.0, -25.0, seed=1)])
    fan = put(fan, tone(1.0, 3100.0, -37.0), 140.0)
    observations = hear(resting(), fan)
    assert all(looks_between(observations, 41.0, 60.0))
    assert sum(looks_between(observations, 110.0, 138.0)) < 30
    assert all(looks_between(observations, 140.5, 141.0))


def test_a_sound_that_rises_slowly_is_looked_at() -> None:
    """A decibel in three seconds wakes it; whatever does not is looked at every two seconds."""
    rising = noise(150.0)
    time_s = np.arange(len(rising)) / SAMPLE_RATE_HZ
    rising *= 10.0 ** (np.maximum(0.0, time_s - 50.0) / 3.0 / 20.0).astype(np.float32)
    observations = hear(resting(), rising)
    assert all(looks_between(observations, 80.0, 150.0))
    assert longest_rest(looked_at(observations)) <= int(REST_S / HOP_S)


def test_a_room_that_turns_quieter_is_another_one() -> None:
    """What is as loud as the old floor would not stand out from it: so nothing rests there."""
    observations = hear(resting(), np.concatenate([noise(45.0, -40.0), noise(10.0, -60.0)]))
    assert all(looks_between(observations, 46.0, 55.0))


def test_a_room_that_swings_is_never_at_rest() -> None:
    """Where the noise goes up and down, something could hide in it."""
    swinging = noise(80.0)
    time_s = np.arange(len(swinging)) / SAMPLE_RATE_HZ
    swinging *= (1.0 + 0.9 * np.sin(2 * np.pi * 0.3 * time_s)).astype(np.float32)
    assert all(looked_at(hear(resting(), swinging)))


@pytest.mark.parametrize("announced", [True, False])
def test_after_a_gap_the_room_is_learnt_anew(announced: bool) -> None:  # noqa: FBT001 - parametrized
    """Of lost audio nobody knows what it was, nor whether the microphone is the same."""
    recogniser, room = resting(), noise(45.0)
    hear(recogniser, room)
    if announced:
        recogniser.feed(Gap(len(room), 100, GapCause.SOURCE_LOST))
    after = hear(recogniser, noise(LEARN_S - 2.0, seed=3), len(room) + 100)
    assert all(looked_at(after))


def test_rouse_lets_no_window_of_the_next_seconds_rest() -> None:
    """For whoever knows that something is on."""
    recogniser, room = resting(), noise(45.0)
    hear(recogniser, room)
    recogniser.rouse()
    after = hear(recogniser, noise(2.0, seed=3), len(room))
    assert all(looked_at(after))


@pytest.mark.parametrize("hop_s", [0.1, 0.24, 0.48, 0.96, 1.5, 3.0])
def test_any_hop_does(hop_s: float) -> None:
    """The longest rest is the same time; with a hop of more there is none."""
    observations = hear(resting(hop_s=hop_s), put(noise(60.0), tone(0.5, 520.0, -60.0), 50.03))
    looks = looked_at(observations)
    if hop_s > REST_S:
        assert all(looks)
        return
    assert longest_rest(looks) == int(REST_S / hop_s)
    pairs = zip(observations, looks, strict=True)
    assert all(look for one, look in pairs if one.end_s >= 50.6 and one.start_s < 49.9)


def test_who_did_not_ask_never_rests() -> None:
    """Files are heard exactly; so does a fresh one, which tries something."""
    for recogniser in (WindowRecogniser(Listening(), hop_seconds=HOP_S), resting().fresh()):
        assert all(looked_at(hear(recogniser, noise(45.0))))


def test_a_model_of_another_shape_never_rests() -> None:
    """Whose bands cannot be parted in groups."""
    recogniser = resting(Wide())
    assert recogniser.gate is None
    assert all(looked_at(hear(recogniser, noise(40.0))))


def test_front_end_of_yamnet_can_rest() -> None:
    """The same rows and bands."""
    assert can_rest(front_end())


def test_a_failure_of_the_model_is_survived() -> None:
    """The window after it is looked at, and rest goes on later."""
    model = FailingOnce(look=70)
    recogniser = resting(model)
    failures = 0
    for block in blocks(noise(60.0)):
        try:
            recogniser.feed(block)
        except ModelError:
            failures += 1
    assert failures == 1
    assert recogniser.gate is not None
    assert recogniser.gate.rested > 0


def test_counters_say_how_much_it_rested() -> None:
    """What was not looked at was told again."""
    model = Listening()
    recogniser = resting(model)
    observations = hear(recogniser, noise(60.0))
    gate = recogniser.gate
    assert isinstance(gate, RestingGate)
    assert gate.windows == len(observations)
    assert gate.rested == gate.windows - model.looks > 0


@pytest.mark.model
@pytest.mark.parametrize("level_dbfs", [-40.0, -80.0])
def test_yamnet_rests_in_a_quiet_room_and_hears_what_comes(
    model_path: Path, level_dbfs: float
) -> None:
    """What it looks at, it says as if it had never rested; a tone wakes it at its first window."""
    classifier = Classifier(model_path)
    room = put(noise(50.0, level_dbfs), tone(1.0, 3100.0, level_dbfs + 3.0), 46.0)
    ours = hear(WindowRecogniser(classifier, hop_seconds=HOP_S, rests=True), room)
    theirs = hear(WindowRecogniser(classifier, hop_seconds=HOP_S), room)
    assert sum(looks_between(ours, LEARNT_S, 44.0)) <= 4
    assert all(looks_between(ours, 46.2, 46.8))
    for one, other, look in zip(ours, theirs, looked_at(ours), strict=True):
        for name in other.outputs if look else (LEVEL,):
            np.testing.assert_array_equal(one.outputs[name], other.outputs[name])
