"""Faults between the sound and us."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.faults.house import TONE_S, House, house
from tests.faults.recorder import AT, EVENT_TOPICS
from tests.faults.table import Outcome, fault, wait_until

FOUND_WITHIN_S = 11.0
"""10 s, and what it takes to look and to tell."""
BACK_WITHIN_S = 10.0
LASTS_S = 25.0
"""How long each fault is there."""
MIC = f"{AT}/mic/status"
SINK = ("load-module", "module-null-sink", "rate=48000", "channels=1", "format=s16le")
_ANOTHER_PCM = """\
pcm.another {
  type pulse
  device "other.monitor"
  hint { show on description "Another microphone" }
}
"""


@dataclass(frozen=True)
class Trouble:
    """A way to lose the sound and to have it back, and the states that may be told of it."""

    lose: Callable[[], None]
    restore: Callable[[], None]
    states: tuple[str, ...]


@fault
def sound_server_killed(folder: Path) -> Outcome:
    """SIGKILL to PulseAudio, and a new one."""
    outcome = Outcome("PulseAudio killed (-9) and started again")
    with house(folder) as home:

        def restore() -> None:
            home.room.open()
            home.tone()

        _suffer(home, outcome, Trouble(home.room.close, restore, ("missing", "stalled")))
    return outcome


@fault
def sound_server_hangs(folder: Path) -> Outcome:
    """SIGSTOP to PulseAudio: no callback comes any more, and the stream is active all the same."""
    outcome = Outcome("SIGSTOP to PulseAudio: no audio arrives, the stream stays active")
    with house(folder) as home:
        _suffer(home, outcome, Trouble(home.room.freeze, home.room.thaw, ("stalled", "missing")))
    return outcome


@fault
def device_removed_and_back_in_another_order(folder: Path) -> Outcome:
    """The device leaves the server, and returns behind another one."""
    outcome = Outcome(
        "the microphone leaves PulseAudio and returns behind another one, PortAudio's list in "
        "another order (an unplugged USB device, emulated)"
    )
    with house(folder) as home:

        def lose() -> None:
            home.pactl("unload-module", "module-null-sink")

        def restore() -> None:
            rules = home.home / ".asoundrc"
            rules.write_text(_ANOTHER_PCM + rules.read_text())
            home.pactl(*SINK, "sink_name=other")
            home.pactl(*SINK, "sink_name=room")
            home.tone()

        _suffer(home, outcome, Trouble(lose, restore, ("missing", "stalled")))
    return outcome


@fault
def device_absent_at_start(folder: Path) -> Outcome:
    """Started before its microphone is there."""
    outcome = Outcome("the daemon starts 20 s before its sound server and device")
    with house(folder, room_open=False) as home:
        began_s = time.monotonic()
        wait_until(lambda: home.health().get("mic_state") == "missing", 30.0, "a missing device")
        outcome.detected_s = time.monotonic() - began_s
        wait_until(lambda: home.recorder.last(MIC) == "offline", 10.0, "a word to the others")
        time.sleep(20.0 - min(20.0, time.monotonic() - began_s))
        outcome.require(not home.recorder.since(0.0, MIC, "online"), "a false online")
        began_s = time.monotonic()
        home.room.open()
        home.tone()
        outcome.recovered_s = home.wait_for(MIC, "online", began_s, 60.0)
        outcome.within(outcome.recovered_s, BACK_WITHIN_S, "heard again")
        home.siren()
        home.finish(outcome)
    return outcome


@fault
def digital_zeros(folder: Path) -> Outcome:
    """The device is there and delivers zeros."""
    outcome = Outcome("the device delivers digital zeros")
    with house(folder) as home:
        _suffer(home, outcome, Trouble(home.silence, home.tone, ("silent",)))
    return outcome


@fault
def constant_value(folder: Path) -> Outcome:
    """The device is there and delivers one value for ever."""
    outcome = Outcome("the device delivers one constant value")
    stuck = folder / "constant.wav"
    soundfile.write(stuck, np.full(TONE_S * 16_000, 0.3, np.float32), 16_000, "PCM_16")
    with house(folder) as home:
        _suffer(home, outcome, Trouble(lambda: home.play_on(stuck), home.tone, ("stuck",)))
    return outcome


@fault
def clipping(folder: Path) -> Outcome:
    """Far too loud: it is told, and heard all the same."""
    outcome = Outcome("the device clips: noise at full scale (told; it is not deaf)")
    loud = folder / "loud.wav"
    noise = np.random.default_rng(1).normal(0.0, 1.0, 120 * 16_000)
    soundfile.write(loud, np.clip(4.0 * noise, -1.0, 0.999), 16_000, "PCM_16")
    with house(folder) as home:
        deaf_s, began_s = home.deaf_s(), time.monotonic()
        home.play_on(loud)
        outcome.detected_s = wait_until(
            lambda: home.health().get("mic_state") == "clipping", 30.0, "clipping is told"
        )
        outcome.within(outcome.detected_s, FOUND_WITHIN_S, "clipping told")
        home.tone()
        outcome.recovered_s = wait_until(
            lambda: home.health().get("mic_state") == "ok", 30.0, "the end of clipping"
        )
        outcome.within(outcome.recovered_s, BACK_WITHIN_S, "its end told")
        outcome.require(not home.recorder.since(began_s, MIC, "offline"), "told to be deaf")
        outcome.deaf_s = home.deaf_s() - deaf_s
        home.finish(outcome)
    return outcome


def _suffer(home: House, outcome: Outcome, trouble: Trouble) -> None:
    """Have a siren on, lose the sound, have it back, and hear another siren."""
    home.siren()
    deaf_s, began_s = home.deaf_s(), time.monotonic()
    trouble.lose()
    outcome.detected_s = home.wait_for(MIC, "offline", began_s, 40.0)
    outcome.within(outcome.detected_s, FOUND_WITHIN_S, "offline told")
    state = home.health().get("mic_state")
    outcome.require(state in trouble.states, f"the state is told as {state}")
    home.wait_for(f"{AT}/sound/siren/state", "OFF", began_s, 40.0)
    time.sleep(max(0.0, LASTS_S - (time.monotonic() - began_s)))
    outcome.require(not home.recorder.since(began_s, MIC, "online"), "a false online")
    returned_s = time.monotonic()
    trouble.restore()
    outcome.recovered_s = home.wait_for(MIC, "online", returned_s, 60.0)
    outcome.within(outcome.recovered_s, BACK_WITHIN_S, "heard again")
    _check_reason(home, outcome, began_s)
    outcome.deaf_s = home.deaf_s() - deaf_s
    gone_s = time.monotonic() - began_s
    outcome.require(
        LASTS_S - 2.0 <= outcome.deaf_s <= gone_s + 1.0, f"of {gone_s:.1f} s in all it counts those"
    )
    home.siren()
    home.finish(outcome)


def _check_reason(home: House, outcome: Outcome, since_s: float) -> None:
    """The siren that was on has ended because nothing is heard, and that was told."""
    ends = [
        json.loads(one.payload)
        for topic in EVENT_TOPICS
        for one in home.recorder.since(since_s, topic)
        if '"siren_ended"' in one.payload
    ]
    outcome.require([end["reason"] for end in ends] == ["source_lost"], f"the siren's ends: {ends}")
    told = [one for one in home.recorder.events() if one["event_type"] == "microphone_lost"]
    outcome.require(told, "no event says that the microphone is lost")
