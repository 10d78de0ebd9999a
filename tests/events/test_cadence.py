"""The cadences of alarms, through the envelopes of sounds made by code."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from detector.core.audio import Block, Samples
from detector.core.events import Phase
from detector.core.recognition import Heard, Observation
from detector.events.beeps import Pattern
from detector.events.cadence import PATTERNS, SHORT_BEEPS, SPEAKS, Cadence
from detector.events.scorers import Unless
from detector.model.envelopes import ToneEnvelopes
from tests.alarms import (
    Alarm,
    alarm,
    at_level,
    beeping,
    cadence_detector,
    in_a_room,
    mixed,
    piezo,
    sine,
    square,
    telephone_band,
)

LEAD_S = 4.0
Beeps = list[tuple[float, float]]
HOP_S, WINDOW_S = 0.48, 0.975
KINDS = {
    "smoke, 3.1 kHz": Alarm(),
    "smoke, 520 Hz": Alarm(hertz=520.0, voice=square),
    "CO, 3.1 kHz": Alarm(pattern="t4"),
    "CO, 520 Hz": Alarm(pattern="t4", hertz=520.0, voice=square),
}


def scene(sound: Samples, *, before_s: float = LEAD_S, after_s: float = 4.0) -> Samples:
    """A sound with silence around it."""
    return np.pad(sound, (round(before_s * 16_000), round(after_s * 16_000)))


def windows(samples: Samples) -> list[tuple[Sequence[Observation], Sequence[Observation]]]:
    """What is heard at each window: windows that are empty, and all envelopes so far."""
    observed = ToneEnvelopes().feed(Block(0, samples, 0.0))
    ends = np.arange(WINDOW_S, len(samples) / 16_000, HOP_S)
    return [
        ([Observation(end - WINDOW_S, end, {})], [one for one in observed if one.end_s <= end])
        for end in ends
    ]


def probabilities(samples: Samples, pattern: Pattern) -> list[float]:
    """Window by window."""
    scorer = Cadence(pattern, place=1)
    return [scorer(heard) for heard in windows(samples)]


def told(samples: Samples, name: str) -> list[tuple[Phase, float, float]]:
    """What a gate makes of it: phase, when it was told, and the estimated onset."""
    detector = cadence_detector(name)
    steps = [(heard[0][-1].end_s, detector.step(heard)) for heard in windows(samples)]
    return [(change.phase, end_s, change.onset_s) for end_s, change in steps if change]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_alarm_is_possible_after_one_cycle_and_sure_after_two(kind: Alarm) -> None:
    """And its onset is where it began."""
    possible, onset = told(scene(alarm(kind)), kind.pattern)
    cycle_s = {"t3": 4.0, "t4": 5.7}[kind.pattern]
    assert (possible[0], onset[0]) == (Phase.POSSIBLE, Phase.ONSET)
    assert possible[1] - LEAD_S <= min(5.0, cycle_s)
    assert onset[1] - LEAD_S <= 2.0 * cycle_s + 0.5
    assert possible[2] == pytest.approx(LEAD_S, abs=0.1)
    assert onset[2] == pytest.approx(LEAD_S, abs=0.1)


@pytest.mark.parametrize("pace", [0.9, 0.96, 1.04, 1.1])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_times_may_be_off_by_a_tenth(kind: Alarm, pace: float) -> None:
    """As the standards allow."""
    slow = Alarm(pattern=kind.pattern, hertz=kind.hertz, voice=kind.voice, pace=pace)
    assert [phase for phase, _, _ in told(scene(alarm(slow)), kind.pattern)] == [
        "possible",
        "onset",
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_neither_alarm_is_the_other(kind: Alarm) -> None:
    """Not for a moment."""
    other = {"t3": "t4", "t4": "t3"}[kind.pattern]
    assert told(scene(alarm(kind)), other) == []


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 5.0])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_noise_does_not_hide_it(kind: Alarm, snr_db: float) -> None:
    """White noise, which has as much at the tone as anywhere."""
    dry = scene(alarm(kind))
    noise = np.random.default_rng(2).standard_normal(len(dry)).astype(np.float32)
    noisy = mixed(dry, 0.05 * noise, snr_db, active=np.abs(dry) > 0.05)
    assert Phase.ONSET in [phase for phase, _, _ in told(noisy, kind.pattern)]


@pytest.mark.parametrize("change", ["echoes", "whisper", "clipping", "telephone", "drifting"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_room_level_band_and_drift_do_not_hide_it(kind: Alarm, change: str) -> None:
    """0.5 s of reverberation, −60 dBFS, 12 dB over full scale, 4 kHz, a tone that sinks by 2 %."""
    drift = -0.02 if change == "drifting" else 0.0
    dry = scene(alarm(Alarm(pattern=kind.pattern, hertz=kind.hertz, voice=kind.voice, drift=drift)))
    changed = {
        "echoes": lambda: in_a_room(dry, 0.5, np.random.default_rng(5)),
        "whisper": lambda: at_level(dry, -60.0),
        "clipping": lambda: at_level(dry, 12.0),
        "telephone": lambda: telephone_band(dry),
        "drifting": lambda: dry,
    }[change]()
    assert Phase.ONSET in [phase for phase, _, _ in told(changed, kind.pattern)]


def test_listening_may_begin_in_the_middle_of_an_alarm() -> None:
    """It is told by the next two whole groups."""
    for name, cut_s in (("t3", 1.7), ("t4", 0.3)):
        sounding = alarm(Alarm(pattern=name, cycles=5))[round(cut_s * 16_000) :]
        assert Phase.ONSET in [phase for phase, _, _ in told(sounding, name)]


def _repeated(beeps: Beeps, every_s: float, times: int) -> Beeps:
    return [(at + n * every_s, length) for n in range(times) for at, length in beeps]


FOUR = [(0.2 * n, 0.1) for n in range(4)]
HARMLESS = {
    "microwave": (beeping(_repeated([(0.0, 1.0)], 2.0, 5), 12.0, 2000.0), ()),
    "microwave at 3.1 kHz": (beeping(_repeated([(0.0, 1.0)], 2.0, 5), 12.0, 3100.0), ()),
    "lorry in reverse": (beeping(_repeated([(0.0, 0.5)], 1.0, 20), 22.0, 2900.0), ()),
    "kitchen timer": (beeping(_repeated(FOUR, 1.0, 20), 22.0, 3100.0, sine), ()),
    "telephone": (beeping(_repeated([(0.0, 2.0)], 6.0, 4), 24.0, 520.0, square), ()),
    "low battery": (beeping(_repeated([(0.0, 0.1)], 30.0, 2), 60.0, 3100.0, piezo), ()),
    "four beeps, once": (beeping(FOUR, 10.0, 3100.0), ("t4",)),
    "three beeps, once": (beeping([(float(n), 0.5) for n in range(3)], 10.0, 3100.0), ("t3",)),
}
"""Sounds, and for which patterns they are possible."""


@pytest.mark.parametrize("name", HARMLESS)
def test_what_beeps_otherwise_is_no_alarm(name: str) -> None:
    """One group by itself is possible, and no more."""
    samples, possible = HARMLESS[name]
    for pattern in PATTERNS:
        expected = [Phase.POSSIBLE] if pattern in possible else []
        assert [phase for phase, _, _ in told(scene(samples), pattern)] == expected


def test_groups_out_of_time_are_no_alarm() -> None:
    """Three beeps every 6 s: a machine that is done."""
    beeps = _repeated([(float(n), 0.5) for n in range(3)], 6.0, 5)
    phases = [phase for phase, _, _ in told(scene(beeping(beeps, 30.0, 3100.0)), "t3")]
    assert phases == [Phase.POSSIBLE]


def test_a_missed_group_is_forgiven() -> None:
    """The one before it counts."""
    samples = alarm(Alarm(cycles=5))
    samples[64_000:128_000] = 0.0
    assert Phase.ONSET in [phase for phase, _, _ in told(scene(samples), "t3")]


def test_two_faint_groups_two_cycles_apart_are_no_alarm() -> None:
    """Of music that is found in any hour; loud ones are, since one may go unheard in between."""
    beeps = [(at_s + 0.2 * n, 0.1) for at_s in (0.0, 11.5) for n in range(4)]
    sound = scene(beeping(beeps, 12.5, 3100.0))
    noise = np.random.default_rng(1).normal(0.0, 0.01, len(sound)).astype(np.float32)
    faint, loud = (np.float32(share) * sound + noise for share in (0.009, 0.5))
    assert max(probabilities(faint, PATTERNS["t4"])) < SPEAKS
    assert max(probabilities(faint, replace(PATTERNS["t4"], missed=0.0))) > SPEAKS
    assert max(probabilities(loud, PATTERNS["t4"])) > SPEAKS


@pytest.mark.parametrize(("hertz", "expected"), [(3094.0, LEAD_S), (3344.0, LEAD_S + 5.7)])
def test_of_two_groups_alike_the_first_counts_too(hertz: float, expected: float) -> None:
    """However little it was by itself; but not where the second is another tone."""
    groups = [beeping(FOUR, 5.7, each, sine) for each in (3094.0, hertz)]
    samples = scene(np.concatenate(groups), after_s=0.0)
    scorer = Cadence(PATTERNS["t4"], place=1)
    told_s = [scorer.began_s(heard) for heard in windows(samples)]
    known_s = [began_s for began_s in told_s if began_s is not None]
    assert known_s[0] == pytest.approx(LEAD_S, abs=0.1)
    assert known_s[-1] == pytest.approx(expected, abs=0.1)


class Sure:
    """Hears its sound all the time."""

    calibrated = True

    def __call__(self, heard: Heard) -> float:
        """At every window."""
        return 0.9 if heard[0] else 0.0

    def began_s(self, heard: Heard) -> float | None:
        """It does not look back."""
        del heard
        return None


@pytest.mark.parametrize(("kind", "least"), [("t3", 0.9), ("t4", 0.0)])
def test_short_beeps_silence_the_model_and_long_ones_do_not(kind: str, least: float) -> None:
    """From the first group of a CO alarm on, until the alarm is over."""
    scorer = Unless(Sure(), Cadence(SHORT_BEEPS, place=1), SPEAKS)
    during = slice(round((LEAD_S + 1.5) / HOP_S), round((LEAD_S + 20.0) / HOP_S))
    heard = windows(scene(alarm(Alarm(pattern=kind)), after_s=12.0))
    found = [scorer(each) for each in heard]
    assert set(found[during]) == {least}
    assert found[-1] == 0.9


def test_hearing_the_same_again_gives_the_same() -> None:
    """What is replayed for an explanation is decided as it was."""
    heard = windows(scene(alarm(Alarm())))
    scorer = Cadence(PATTERNS["t3"], place=1)
    once = [scorer(each) for each in heard]
    assert [scorer(each) for each in heard] == once
    assert max(once) > SPEAKS


def test_two_groups_are_surer_than_one() -> None:
    """So that a threshold of 0.9 asks for two."""
    found = probabilities(scene(alarm(Alarm())), PATTERNS["t3"])
    second = round((LEAD_S + 6.0) / HOP_S)
    assert 0.5 <= max(found[:second]) <= 0.8
    assert max(found[second:]) >= 0.95
