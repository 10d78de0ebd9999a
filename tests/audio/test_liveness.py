"""The state of a microphone, told from what it delivers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.audio.liveness import (
    GATE_FORGOTTEN_S,
    GATE_TIMES,
    GATED_ZEROS_AFTER_S,
    QUIET_AFTER_S,
    STALLED_AFTER_S,
    STUCK_AFTER_S,
    ZEROS_AFTER_S,
    Liveness,
)
from detector.core.audio import SAMPLE_RATE_HZ, MicState, Samples
from tests.audio.tools import noise, tone


class Microphone:
    """Feeds a Liveness as a worker would, block by block, on a clock that goes along."""

    def __init__(self, *, gates_noise: bool = False) -> None:
        self.liveness = Liveness()
        self.liveness.gated_times = GATE_TIMES if gates_noise else 0
        self.now_s = 1000.0

    def hears(self, samples: Samples, *, block: int = 1600) -> MicState:
        """Let it hear samples, in blocks."""
        for start in range(0, len(samples), block):
            piece = samples[start : start + block]
            self.now_s += len(piece) / SAMPLE_RATE_HZ
            self.liveness.block(piece, self.now_s)
        return self.liveness.state

    def after(self, samples: Samples) -> float:
        """Seconds of samples until the state changes."""
        before = self.liveness.state
        for count, start in enumerate(range(0, len(samples), 1600), 1):
            if self.hears(samples[start : start + 1600]) is not before:
                return count / 10
        return float("inf")

    def gets_nothing(self, seconds: float, *, available: bool = True) -> MicState:
        """Let time pass without a block; the worker looks every quarter of a second."""
        for _ in range(round(seconds * 4)):
            self.now_s += 0.25
            told = self.liveness.no_block if available else self.liveness.unavailable
            told(self.now_s)
        return self.liveness.state

    def deaf(self, cause: MicState) -> float:
        """Deaf seconds of a cause."""
        return self.liveness.deaf_seconds[cause]


@pytest.fixture
def microphone() -> Microphone:
    """A microphone that works."""
    made = Microphone()
    assert made.hears(noise(2.0)) is MicState.OK
    return made


def zeros(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def faults() -> Iterator[tuple[str, Samples, float, MicState]]:
    """What a microphone may deliver for 40 s, when that is noticed, and as what."""
    sharp = np.clip(noise(40.0, amplitude=0.5), -1, 1)
    buffer = noise(0.3)
    yield "exact zeros", zeros(40), 9.0, MicState.SILENT
    yield "below its own noise", noise(40.0, amplitude=1e-5), 30.0, MicState.SILENT
    quiet_offset = noise(40.0, amplitude=1e-5) + np.float32(0.02)
    yield "no sound on an offset", quiet_offset, 30.0, MicState.SILENT
    yield "one value", zeros(40) + np.float32(0.02), 9.0, MicState.STUCK
    yield "the same 0.3 s again and again", np.tile(buffer, 134), 9.0, MicState.STUCK
    yield "4.5 % at full scale", sharp, 9.0, MicState.CLIPPING


@pytest.mark.parametrize(
    ("samples", "after_s", "state"), [pytest.param(*f[1:], id=f[0]) for f in faults()]
)
def test_a_fault_is_noticed_when_it_has_lasted(
    samples: Samples, after_s: float, state: MicState, microphone: Microphone
) -> None:
    """Each fault has its time, and its own name."""
    # A loop shows with its first repetition; what clips may have begun within the span.
    assert microphone.after(samples) == pytest.approx(after_s, abs=0.5)
    assert microphone.liveness.state is state


@pytest.mark.parametrize("block", [160, 1468, 16_000])
def test_the_lengths_of_blocks_make_no_difference(block: int, microphone: Microphone) -> None:
    """The same after 11 s, whatever the sound system hands over at a time."""
    assert microphone.hears(np.tile(noise(0.5), 23), block=block) is MicState.STUCK
    assert microphone.hears(noise(1.5), block=block) is MicState.OK
    assert microphone.hears(zeros(11.0), block=block) is MicState.SILENT


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(noise(40.0, amplitude=1e-4), id="a very quiet room, -80 dBFS"),
        pytest.param(noise(40.0, amplitude=1e-3) + np.float32(0.05), id="an offset"),
        pytest.param(tone(440, 40.0) + noise(40.0, amplitude=1e-4), id="a steady tone in noise"),
        pytest.param(np.clip(noise(40.0, amplitude=0.35), -1, 1), id="0.4 % at full scale"),
        pytest.param(np.concatenate([noise(9.0), zeros(8.8)] * 2), id="8.8 s of zeros"),
    ],
)
def test_what_is_no_fault_is_not_called_one(samples: Samples, microphone: Microphone) -> None:
    """40 s of each leave it ok."""
    assert microphone.after(samples) == float("inf")


def test_at_first_nothing_is_known_until_a_second_was_heard() -> None:
    """A microphone is not called ok before it was heard."""
    microphone = Microphone()
    assert microphone.liveness.state is MicState.MISSING
    assert microphone.after(noise(3.0)) == 1.0
    assert microphone.hears(noise(0.1)) is MicState.OK


def test_no_block_for_eight_seconds_is_stalled(microphone: Microphone) -> None:
    """A device that is there and delivers nothing."""
    assert microphone.gets_nothing(7.75) is MicState.OK
    assert microphone.gets_nothing(0.25) is MicState.STALLED


def test_a_device_that_is_away_is_missing_at_once(microphone: Microphone) -> None:
    """No waiting: the source knows."""
    assert microphone.gets_nothing(0.25, available=False) is MicState.MISSING


def test_a_device_that_came_back_without_a_sound_is_stalled(microphone: Microphone) -> None:
    """Eight seconds count from when it was there again."""
    microphone.gets_nothing(60.0, available=False)
    assert microphone.gets_nothing(7.75) is MicState.MISSING
    assert microphone.gets_nothing(0.25) is MicState.STALLED


@pytest.mark.parametrize("fault", ["silent", "stuck", "stalled", "missing", "clipping"])
def test_one_second_of_good_sound_makes_it_ok_again(fault: str, microphone: Microphone) -> None:
    """Not less, and from every state."""
    {
        "silent": lambda: microphone.hears(zeros(20)),
        "stuck": lambda: microphone.hears(zeros(20) + np.float32(0.5)),
        "stalled": lambda: microphone.gets_nothing(20),
        "missing": lambda: microphone.gets_nothing(20, available=False),
        "clipping": lambda: microphone.hears(np.sign(noise(20))),
    }[fault]()
    assert microphone.liveness.state == fault
    assert microphone.after(noise(5.0)) == 1.0
    assert microphone.liveness.state is MicState.OK


def test_one_fault_can_follow_another(microphone: Microphone) -> None:
    """It comes back mute: the new state is told without an ok between."""
    microphone.gets_nothing(20, available=False)
    assert microphone.after(zeros(20)) == 9.0
    assert microphone.liveness.state is MicState.SILENT


def test_deaf_seconds_count_from_the_beginning_of_a_fault(microphone: Microphone) -> None:
    """The 9 s in which it went unnoticed are deaf as well; what was heard again is not."""
    microphone.hears(zeros(25))
    microphone.hears(noise(5.0))
    assert microphone.deaf(MicState.SILENT) == pytest.approx(25.0, abs=0.2)
    microphone.gets_nothing(15)
    microphone.hears(noise(5.0))
    assert microphone.deaf(MicState.STALLED) == pytest.approx(15.0, abs=0.3)
    microphone.hears(np.full(12 * SAMPLE_RATE_HZ, 0.1, np.float32))
    microphone.hears(noise(5.0))
    assert microphone.deaf(MicState.STUCK) == pytest.approx(12.0, abs=0.2)


def test_deaf_seconds_count_a_missing_device_all_the_time(microphone: Microphone) -> None:
    """Gone for a minute is a minute, and belongs to its cause alone."""
    before = microphone.deaf(MicState.MISSING)
    microphone.gets_nothing(60.0, available=False)
    microphone.hears(noise(3.0))
    assert microphone.deaf(MicState.MISSING) - before == pytest.approx(60.0, abs=0.3)
    others = [MicState.STALLED, MicState.SILENT, MicState.STUCK]
    assert [microphone.deaf(cause) for cause in others] == [0.0, 0.0, 0.0]


def test_a_stall_that_turns_out_to_be_a_loss_is_deaf_from_its_beginning(
    microphone: Microphone,
) -> None:
    """It is opened anew after 5 s, and only then is found to be away."""
    before = microphone.deaf(MicState.MISSING)
    assert microphone.gets_nothing(7.0) is MicState.OK
    microphone.gets_nothing(2.0, available=False)
    assert microphone.deaf(MicState.MISSING) - before == pytest.approx(9.0)
    assert microphone.deaf(MicState.STALLED) == 0.0


def test_a_faultless_day_has_no_deaf_seconds(microphone: Microphone) -> None:
    """Clipping is not deafness."""
    before = dict(microphone.liveness.deaf_seconds)
    microphone.hears(np.sign(noise(15)))
    microphone.hears(noise(15))
    assert dict(microphone.liveness.deaf_seconds) == before


def test_a_microphone_that_gates_its_noise_is_not_called_silent_at_night() -> None:
    """Some give exact zeros in quiet rooms: after five such pauses that is known."""
    microphone = Microphone()
    for _ in range(5):
        microphone.hears(np.concatenate([noise(2.0), zeros(1.0)]))
    microphone.hears(noise(2.0))
    assert microphone.liveness.gates_noise
    assert microphone.after(zeros(299)) == float("inf")
    assert microphone.after(zeros(2)) == 1.0
    assert microphone.liveness.state is MicState.SILENT


@pytest.mark.parametrize("available", [True, False])
def test_a_gate_that_comes_back_into_a_quiet_room_is_ok(*, available: bool) -> None:
    """Its zeros are all there is to hear, and say that it hears; a plain one's do not."""
    for gates_noise, state in ((True, MicState.OK), (False, MicState.SILENT)):
        microphone = Microphone(gates_noise=gates_noise)
        microphone.hears(noise(2.0))
        fault = microphone.gets_nothing(20, available=available)
        assert fault is (MicState.STALLED if available else MicState.MISSING)
        assert microphone.hears(zeros(0.9)) is fault
        microphone.hears(np.concatenate([noise(0.3), zeros(10.0)]))
        assert microphone.liveness.state is state


@pytest.mark.parametrize("pause_s", [9.3, 15.0, 19.9])
def test_pauses_that_were_called_silent_are_not_a_gate(
    pause_s: float, microphone: Microphone
) -> None:
    """A microphone that is switched off now and then: its next pause is as silent as these."""
    for _ in range(6):
        assert microphone.hears(zeros(pause_s)) is MicState.SILENT
        assert microphone.hears(noise(2.0)) is MicState.OK
    assert not microphone.liveness.gates_noise


@pytest.mark.parametrize("available", [True, False])
def test_what_comes_after_an_absence_is_not_joined_to_what_came_before(
    *, available: bool, microphone: Microphone
) -> None:
    """What is left of a block does not make up for sound that is still to come."""
    microphone.hears(noise(0.1)[:1599])
    fault = microphone.gets_nothing(20, available=available)
    assert microphone.hears(noise(1.0, seed=2)[:15_000]) is fault
    assert microphone.hears(noise(1.0, seed=3)[:1000]) is MicState.OK


@pytest.mark.parametrize("available", [True, False])
def test_a_sound_may_be_the_same_before_and_after_an_absence(
    *, available: bool, microphone: Microphone
) -> None:
    """That is no buffer that repeats."""
    microphone.hears(noise(1.0, seed=2))
    microphone.gets_nothing(20, available=available)
    assert microphone.after(noise(1.0, seed=2)) == 1.0
    assert microphone.liveness.state is MicState.OK


def test_a_microphone_that_is_known_to_gate_may_be_silent_for_a_minute() -> None:
    """A quiet room must not raise a false alarm."""
    microphone = Microphone(gates_noise=True)
    microphone.hears(noise(2.0))
    assert microphone.hears(zeros(60)) is MicState.OK


def test_a_microphone_that_has_not_gated_for_a_day_is_no_gate(microphone: Microphone) -> None:
    """Dropouts of a loose cable would make it wait for minutes, for ever."""
    for _ in range(GATE_TIMES):
        microphone.hears(np.concatenate([zeros(1.0), noise(1.0)]))
    assert microphone.liveness.gates_noise
    microphone.liveness.heard_since_gate_s = GATE_FORGOTTEN_S - 2.0
    assert microphone.hears(noise(1.0)) is MicState.OK
    assert microphone.liveness.gates_noise
    microphone.hears(noise(1.5))
    assert not microphone.liveness.gates_noise


def test_a_gated_pause_renews_what_is_known_of_a_gate() -> None:
    """The day begins anew."""
    microphone = Microphone(gates_noise=True)
    microphone.liveness.heard_since_gate_s = GATE_FORGOTTEN_S - 1.0
    microphone.hears(np.concatenate([zeros(1.0), noise(5.0)]))
    assert microphone.liveness.gates_noise
    assert microphone.liveness.heard_since_gate_s == pytest.approx(5.0, abs=0.2)


def test_another_microphone_is_not_known_to_gate() -> None:
    """What was learnt belongs to one."""
    microphone = Microphone(gates_noise=True)
    microphone.liveness.forget()
    microphone.hears(noise(2.0))
    assert microphone.hears(zeros(9.5)) is MicState.SILENT


def test_time_in_which_we_were_stopped_says_nothing_of_the_microphone(
    microphone: Microphone,
) -> None:
    """SIGSTOP for a minute, and the first look comes before the first block."""
    microphone.now_s += 60.0
    microphone.liveness.no_block(microphone.now_s)
    assert microphone.liveness.state is MicState.OK
    assert microphone.hears(noise(1.0)) is MicState.OK
    assert sum(microphone.liveness.deaf_seconds.values()) == microphone.deaf(MicState.MISSING)


def test_the_tables_tell_the_times_in_force() -> None:
    """The one beside the code, and the one in the README."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in readme.splitlines() if "|" in line}
    told = str(Liveness.__doc__)
    assert f"no block for {STALLED_AFTER_S:g} s" in told
    assert f"{STALLED_AFTER_S:g} s without audio" in rows["stalled"]
    assert f"exact zeros for {ZEROS_AFTER_S:g} s" in told
    assert f"{ZEROS_AFTER_S:g} s of digital zeros" in rows["silent"]
    for text in (told, rows["silent"]):
        assert f"{QUIET_AFTER_S:g} s" in text
        assert f"{GATED_ZEROS_AFTER_S:g} s" in text
    assert f"for {STUCK_AFTER_S:g} s" in told
    assert f"{STUCK_AFTER_S:g} s of one constant value" in rows["stuck"]


def test_all_faults_but_a_quiet_one_leave_time_to_be_told_within_ten_seconds() -> None:
    """A look of the worker, one of the monitor, what the devices hold back, and the broker."""
    assert max(STALLED_AFTER_S, ZEROS_AFTER_S, STUCK_AFTER_S) <= 9.0
