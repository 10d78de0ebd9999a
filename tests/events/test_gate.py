"""The gate, by feeding numbers."""

import pytest

from detector.core.events import OffsetReason, Phase
from detector.events.gate import Gate, GateSettings, GateState, Transition

WINDOW_S = 0.975


def settings(**changes: float) -> GateSettings:
    """A gate at 0.5 that releases at 0.3 and holds for 2 s."""
    values = {
        "threshold": 0.5,
        "release_threshold": 0.3,
        "confirm_s": 0.0,
        "confirm_within_s": 3.0,
        "hold_s": 2.0,
        "refractory_s": 0.0,
        "max_duration_s": 600.0,
    }
    return GateSettings(**(values | changes))


def play(
    gate: Gate, probabilities: list[float], *, hop_s: float = 0.48, start_s: float = 0.0
) -> list[Transition]:
    """Feed windows one hop apart; the transitions they bring."""
    found = []
    for index, probability in enumerate(probabilities):
        begins = start_s + index * hop_s
        transition = gate.step(probability, begins, begins + WINDOW_S)
        if transition is not None:
            found.append(transition)
    return found


def test_nothing_begins_below_the_threshold() -> None:
    """Even for ever."""
    assert play(Gate(settings()), [0.499] * 100) == []


def test_the_threshold_itself_fires() -> None:
    """At or above: not only above."""
    (onset,) = play(Gate(settings()), [0.0, 0.5])
    assert onset.phase is Phase.ONSET


def test_between_release_and_threshold_a_sound_goes_on_but_none_begins() -> None:
    """Hysteresis."""
    gate = Gate(settings())
    assert play(gate, [0.4] * 10) == []
    play(gate, [0.6], start_s=4.8)
    assert play(gate, [0.4] * 20, start_s=5.28) == []
    assert gate.state is GateState.ON


def test_a_sound_ends_after_hold_without_evidence() -> None:
    """And not before."""
    gate = Gate(settings(hold_s=2.0))
    transitions = play(gate, [0.9, 0.0, 0.0, 0.0, 0.0])
    assert [t.phase for t in transitions] == [Phase.ONSET]
    (offset,) = play(gate, [0.0], start_s=5 * 0.48)
    assert offset.phase is Phase.OFFSET
    assert offset.reason is OffsetReason.DATA
    assert offset.peak_probability == 0.9


def test_a_hold_of_zero_ends_at_the_first_window_without_evidence() -> None:
    """No window with evidence ends anything."""
    gate = Gate(settings(hold_s=0.0))
    phases = [t.phase for t in play(gate, [0.9, 0.9, 0.0])]
    assert phases == [Phase.ONSET, Phase.OFFSET]


@pytest.mark.parametrize("hop_s", [0.1, 0.24, 0.48])
def test_confirmation_asks_for_the_same_sound_at_every_hop(hop_s: float) -> None:
    """1.4 s of audio covered by evident windows, whatever the number of windows."""
    gate = Gate(settings(confirm_s=1.4, confirm_within_s=3.0))
    windows = 0
    while gate.state is not GateState.ON:
        gate.step(0.9, windows * hop_s, windows * hop_s + WINDOW_S)
        windows += 1
    covered_s = WINDOW_S + (windows - 1) * hop_s
    assert 1.4 <= covered_s < 1.4 + hop_s


def test_evidence_outside_the_span_does_not_confirm() -> None:
    """Two short sounds 5 s apart are not one confirmed sound."""
    gate = Gate(settings(confirm_s=1.9, confirm_within_s=3.0))
    assert play(gate, [0.9, *[0.0] * 10, 0.9, *[0.0] * 10]) == []


def test_two_of_three_windows_confirm() -> None:
    """A hole in the middle is forgiven when the covered seconds suffice."""
    gate = Gate(settings(confirm_s=1.4, confirm_within_s=3.0))
    (onset,) = play(gate, [0.9, 0.1, 0.9])
    assert onset.phase is Phase.ONSET


def test_no_onset_within_the_refractory_time() -> None:
    """And one as soon as it is over, if the sound is still there."""
    gate = Gate(settings(hold_s=0.0, refractory_s=5.0))
    play(gate, [0.9, 0.0])
    assert play(gate, [0.9] * 9, start_s=0.96) == []
    assert gate.state is GateState.REFRACTORY
    assert [t.phase for t in play(gate, [0.9] * 3, start_s=0.96 + 9 * 0.48)] == [Phase.ONSET]


def test_a_sound_that_never_stops_ends_at_its_longest_duration_and_begins_anew() -> None:
    """ON never sticks."""
    gate = Gate(settings(max_duration_s=10.0))
    transitions = play(gate, [0.9] * 44)
    assert [t.phase for t in transitions] == [Phase.ONSET, Phase.OFFSET] * 2 + [Phase.ONSET]
    assert transitions[1].reason is OffsetReason.MAX_DURATION


def test_a_gap_longer_than_the_hold_ends_the_sound() -> None:
    """Time goes by even when no window comes."""
    gate = Gate(settings(hold_s=2.0))
    play(gate, [0.9])
    assert gate.lapse(WINDOW_S + 1.9) is None
    ended = gate.lapse(WINDOW_S + 2.1)
    assert ended is not None
    assert ended.phase is Phase.OFFSET


def test_a_gap_within_the_hold_is_bridged() -> None:
    """A lost moment does not make two events of one."""
    gate = Gate(settings(hold_s=5.0))
    play(gate, [0.9])
    assert gate.lapse(3.0) is None
    assert play(gate, [0.9, 0.9], start_s=3.0) == []


def test_closing_ends_an_open_sound_once() -> None:
    """With the reason given; a closed gate has nothing more to close."""
    gate = Gate(settings())
    play(gate, [0.9])
    ended = gate.close(OffsetReason.STOPPED)
    assert ended is not None
    assert ended.reason is OffsetReason.STOPPED
    assert gate.close(OffsetReason.STOPPED) is None


def test_evidence_from_before_closing_does_not_count_after() -> None:
    """Disarming forgets what was half confirmed."""
    gate = Gate(settings(confirm_s=1.4))
    play(gate, [0.9])
    gate.close(OffsetReason.DISARMED)
    assert play(gate, [0.9], start_s=0.48) == []


def test_the_onset_lies_in_what_the_first_evident_window_adds() -> None:
    """Half-way between the ends of the two windows, less what the model needs to react."""
    gate = Gate(settings(reaction_s=0.2))
    (onset,) = play(gate, [0.0, 0.0, 0.9])
    last_silent_end, first_evident_end = 0.48 + WINDOW_S, 0.96 + WINDOW_S
    assert onset.time_s == pytest.approx((last_silent_end + first_evident_end) / 2 - 0.2)


def test_the_onset_is_never_before_its_window() -> None:
    """However slow the model is said to be."""
    (onset,) = play(Gate(settings(reaction_s=3.0)), [0.0, 0.9])
    assert onset.time_s == pytest.approx(0.48)


def test_a_confirmed_onset_is_that_of_the_first_evidence() -> None:
    """Confirmation delays the decision, not the onset."""
    early, late = Gate(settings()), Gate(settings(confirm_s=1.9))
    (first,) = play(early, [0.0, 0.9, 0.9, 0.9])
    (confirmed,) = play(late, [0.0, 0.9, 0.9, 0.9])
    assert confirmed.time_s == first.time_s


def test_the_offset_mirrors_the_onset() -> None:
    """A sound from 2 s to 6 s, seen by a model that needs 0.2 s of it, is told as such."""
    gate, transitions = Gate(settings(reaction_s=0.2, hold_s=1.0)), []
    for index in range(200):
        start = index * 0.1
        heard_s = min(start + WINDOW_S, 6.0) - max(start, 2.0)
        found = gate.step(0.9 if heard_s >= 0.2 else 0.0, start, start + WINDOW_S)
        transitions += [found] if found else []
    onset, offset = transitions
    assert onset.time_s == pytest.approx(2.0, abs=0.06)
    assert offset.time_s == pytest.approx(6.0, abs=0.06)
    assert offset.onset_s == onset.time_s


def test_another_threshold_counts_from_the_next_window() -> None:
    """As Home Assistant's slider moves it."""
    gate = Gate(settings(threshold=0.8))
    assert play(gate, [0.6] * 3) == []
    gate.set_threshold(0.55, 0.3)
    assert [t.phase for t in play(gate, [0.6], start_s=1.44)] == [Phase.ONSET]


def test_a_sound_may_be_told_as_possible_before_it_is_confirmed() -> None:
    """Once for evidence that hangs together; never after the onset."""
    gate = Gate(settings(confirm_s=4.0, confirm_within_s=10.0, possible_s=1.4))
    phases = [
        None if found is None else (number, found.phase)
        for number in range(10)
        for found in [gate.step(0.9, number * 0.48, number * 0.48 + WINDOW_S)]
    ]
    assert [phase for phase in phases if phase] == [(1, Phase.POSSIBLE), (7, Phase.ONSET)]


def test_what_comes_to_nothing_may_be_possible_again() -> None:
    """Once the old evidence is out of sight."""
    gate = Gate(settings(confirm_s=4.0, confirm_within_s=5.0, possible_s=0.9))
    told = []
    for number in range(40):
        probability = 0.9 if number in (0, 2, 30) else 0.1
        found = gate.step(probability, number * 0.48, number * 0.48 + WINDOW_S)
        told += [number] if found else []
    assert told == [0, 30]
