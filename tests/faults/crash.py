"""The daemon cut off in the middle of its life."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from tests.faults.house import RECORDINGS, SIREN, House, house
from tests.faults.recorder import AT
from tests.faults.table import Outcome, fault, wait_until

KILLS = 200
LONGEST_LIFE_S = 5.0
ALERTS_PER_S = 6.0


@fault
def killed_200_times(folder: Path) -> Outcome:
    """SIGKILL at random moments while sounds are heard and alerts asked for."""
    outcome = Outcome(
        f"the daemon killed (-9) {KILLS} times, 0 … {LONGEST_LIFE_S:g} s after its start, while "
        "sirens sound and test alerts are asked for; then left to itself"
    )
    chance = random.Random(1)
    with house(folder, hold_seconds=1.0) as home:
        _write_sirens(folder / "sirens.wav")
        home.play_on(folder / "sirens.wav")
        with _asking_for_alerts(home):
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))
                home.kill_daemon()
                home.start_daemon()
        home.tone()
        began_s = time.monotonic()
        wait_until(lambda: home.everything_told(began_s), 30.0, "a house in which all is well")
        outcome.recovered_s = time.monotonic() - began_s
        wait_until(lambda: home.undelivered() == 0, 60.0, "delivery of everything")
        wait_until(
            lambda: home.recorder.last(f"{AT}/sound/siren/state") == "OFF", 15.0, "an OFF at last"
        )
        home.finish(outcome)
        events = home.recorder.events()
        cut_off = sum(event["reason"] == "interrupted" for event in events)
        heard = sum(event["kind"] == "sound" and event["phase"] == "onset" for event in events)
        outcome.done += f" ({heard} sirens heard, {cut_off} sounds found left on and ended)"
        outcome.require(outcome.events.decided > KILLS, "too few events were decided")
        outcome.require(cut_off, "no sound was ever cut off: the row proves too little")
    return outcome


@contextmanager
def _asking_for_alerts(home: House) -> Iterator[None]:
    """Ask over MQTT, as Home Assistant would, whether anybody is there or not."""
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.wait(1.0 / ALERTS_PER_S):
            home.recorder.say(f"{AT}/cmd", "test_alert glass_breaking")

    thread = threading.Thread(target=ask, name="asking")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _write_sirens(path: Path) -> None:
    """A siren every three seconds, over the room's tone, for a quarter of an hour."""
    tone, rate_hz = soundfile.read(path.parent / "tone.wav", dtype="float32")
    siren, siren_rate_hz = soundfile.read(RECORDINGS / SIREN, dtype="float32", always_2d=True)
    step = np.arange(0, len(siren), siren_rate_hz / rate_hz).astype(int)
    loud = siren[step[step < len(siren)], 0][: round(1.5 * rate_hz)]
    for at in range(0, len(tone) - len(loud), 3 * rate_hz):
        tone[at : at + len(loud)] += loud
    soundfile.write(path, np.clip(tone, -1.0, 1.0), rate_hz, "PCM_16")
