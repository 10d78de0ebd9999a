"""Groups of beeps in envelopes written down step by step."""

import numpy as np
import pytest

from detector.core.recognition import ENVELOPES, Array, Observation
from detector.events.beeps import Match, Matcher, Pattern
from detector.events.cadence import SHORT_BEEPS, T3, T4

STEP_S, STEPS, BANDS = 0.02, 24, 8
BAND = 5
PATTERNS = {"T3": T3, "T4": T4, "short beeps": SHORT_BEEPS}
GROUP = {"T3": (3, 1.0, 0.5), "T4": (4, 0.2, 0.1), "short beeps": (4, 0.2, 0.1)}
"""Beeps of a group, seconds from one to the next, seconds that each lasts."""


def beeps(name: str, *, at_s: float = 10.0, total_s: float = 20.16, pace: float = 1.0) -> Array:
    """Envelopes of one band, shape (steps,): 1 in beeps, 0 elsewhere."""
    count, period_s, length_s = GROUP[name]
    times = np.arange(round(total_s / STEP_S)) * STEP_S + 0.5 * STEP_S
    starts = [at_s + pace * n * period_s for n in range(count)]
    on = [(times >= start) & (times < start + pace * length_s) for start in starts]
    return np.asarray(np.any(on, axis=0), np.float32)


def found(pattern: Pattern, envelope: Array, *, start_s: float = 0.0) -> list[Match]:
    """All groups that are found in one band."""
    matcher, matches = Matcher(pattern), list[Match]()
    for first in range(0, len(envelope), STEPS):
        values = np.zeros((2, STEPS, BANDS), np.float32)
        values[:, :, BAND] = envelope[first : first + STEPS]
        at_s = start_s + first * STEP_S
        observation = Observation(at_s, at_s + STEPS * STEP_S, {ENVELOPES: values})
        match = matcher.take(observation)
        matches += [match] if match else []
    return matches


@pytest.mark.parametrize("pace", [0.9, 0.95, 1.0, 1.05, 1.1])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_group_is_found_where_and_when_it_is(name: str, pace: float) -> None:
    """In its band alone, from the first beep to the end of the silence after the last."""
    best = max(found(PATTERNS[name], beeps(name, pace=pace)), key=lambda match: match.quality)
    assert best.quality > 0.95
    assert best.began_s == pytest.approx(10.0, abs=0.1)
    assert best.end_s == pytest.approx(10.0 + pace * PATTERNS[name].known_s, abs=0.4)
    assert np.flatnonzero(best.bands).tolist() == [BAND]


@pytest.mark.parametrize("shift", range(0, 24, 5))
@pytest.mark.parametrize("name", PATTERNS)
def test_it_does_not_matter_where_an_observation_ends(name: str, shift: int) -> None:
    """No group falls between two."""
    matches = found(PATTERNS[name], beeps(name, at_s=10.0 + shift * STEP_S))
    assert max(match.quality for match in matches) > 0.95


@pytest.mark.parametrize("name", PATTERNS)
def test_hours_do_not_wear_it_out(name: str) -> None:
    """What is long past is thrown away, and what counts is kept."""
    quiet = np.zeros(round(3600.0 / STEP_S), np.float32)
    late = np.concatenate([quiet, beeps(name)])
    best = max(found(PATTERNS[name], late), key=lambda match: match.quality)
    assert best.quality > 0.95
    assert best.began_s == pytest.approx(3610.0, abs=0.1)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_tone_without_pauses_is_none(name: str) -> None:
    """Nor is silence, nor a group of which one beep is missing."""
    whole = beeps(name)
    starts = np.flatnonzero(np.diff(whole) > 0)
    lacking = whole.copy()
    lacking[starts[1] + 1 : starts[2] + 1] = 0.0
    for envelope in (np.full_like(whole, 0.9), np.zeros_like(whole), lacking):
        assert found(PATTERNS[name], envelope) == []


@pytest.mark.parametrize("name", ["T3", "T4"])
def test_what_beeps_on_is_no_group(name: str) -> None:
    """The silence around belongs to it."""
    count, period_s, _ = GROUP[name]
    times_s = np.arange(count * period_s, 16.0, count * period_s)
    envelope = np.stack([beeps(name, at_s=at_s) for at_s in times_s]).max(axis=0)
    matches = found(PATTERNS[name], envelope[:-216])
    assert all(match.quality < PATTERNS[name].once for match in matches)


def test_a_gap_begins_anew() -> None:
    """Beeps before it and after it make no group together."""
    envelope = beeps("T3")
    before, after = envelope[:528], envelope[528:]
    matcher, matches = Matcher(T3), list[Match | None]()
    for part, start_s in ((before, 0.0), (after, 528 * STEP_S + 0.5)):
        for first in range(0, len(part), STEPS):
            values = np.repeat(part[first : first + STEPS, None], BANDS, axis=1)[None]
            at_s = start_s + first * STEP_S
            matches.append(matcher.take(Observation(at_s, at_s + 0.48, {ENVELOPES: values})))
    assert set(matches) == {None}
