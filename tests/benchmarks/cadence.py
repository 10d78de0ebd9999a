"""How well alarms are found by their cadence, and what is taken for one.

    python -m tests.benchmarks.cadence [SCENES]

Needs DETECTOR_AUDIO: backgrounds for alarms made by code (SCENES of each kind, 50 unless told), and
all recordings of other things.  No model is needed.  Prints, per pattern, tone, and ratio of the
alarm's to the background's RMS, the recall and when it was told; then every false alarm.
"""

import csv
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from detector.core.audio import Block, Samples
from detector.core.events import Phase
from detector.core.recognition import Observation
from detector.events.cadence import PATTERNS, Cadence
from detector.events.gate import Gate, GateSettings
from detector.events.sounds import SoundDetector
from detector.model.envelopes import ToneEnvelopes
from tests.alarms import Alarm, alarm, at_level, in_a_room, mixed, piezo, sine, square
from tests.alarms import telephone_band as four_kilohertz

BACKGROUNDS = ("room_tone", "kitchen", "music", "speech", "tv_radio", "rain", "traffic", "ambience")
LEAD_S, HOP_S, WINDOW_S = 4.0, 0.48, 0.975
GATES = {"t3": (5.6, 10.0), "t4": (6.5, 13.0)}
"""Seconds that confirm, and within which: as shipped for smoke_alarm and co_alarm."""
Told = tuple[str, Phase, float]


@dataclass(frozen=True, slots=True)
class Room:
    """Rooms of a kind, by their reverberation times."""

    name: str
    rt60_s: tuple[float, ...]


ROOMS = (Room("rooms", (0.0, 0.3, 0.6)), Room("halls", (0.9, 1.2)))


class Recordings:
    """The labelled recordings, one after another for every label."""

    def __init__(self, folder: Path) -> None:
        with (folder / "MANIFEST.csv").open(encoding="utf-8") as file:
            self._rows = list(csv.DictReader(file))
        self._folder = folder
        self._joined: dict[str, Samples] = {}

    @property
    def labels(self) -> list[str]:
        """All of them."""
        return list(dict.fromkeys(row["label"] for row in self._rows))

    def joined(self, label: str, *, pause_s: float, gain: bool = False) -> Samples:
        """All of a label, with silence between; with gain, each at the same level."""
        parts = []
        for row in self._rows:
            if row["label"] == label:
                samples = np.asarray(soundfile.read(self._folder / row["path"])[0], np.float32)
                level = float(np.sqrt(np.mean(np.square(samples)))) + 1e-6
                pause = np.zeros(max(1, round(pause_s * 16_000)), np.float32)
                parts += [samples / level * 0.05 if gain else samples, pause]
        return np.concatenate(parts)

    def background(self, label: str, count: int, rng: np.random.Generator) -> Samples:
        """Some of a label."""
        if label not in self._joined:
            self._joined[label] = self.joined(label, pause_s=0.0, gain=True)
        whole = self._joined[label]
        start = int(rng.integers(len(whole)))
        return np.resize(np.roll(whole, -start)[:count], count)


def told(samples: Samples) -> list[Told]:
    """What the two gates make of it, and when."""
    detectors = [_detector(name) for name in PATTERNS]
    observed, recent = iter(ToneEnvelopes().feed(Block(0, samples, 0.0))), list[Observation]()
    coming = next(observed, None)
    found = []
    for end_s in np.arange(WINDOW_S, len(samples) / 16_000, HOP_S):
        while coming is not None and coming.end_s <= end_s:
            recent = [*recent[-10:], coming]
            coming = next(observed, None)
        heard = ([Observation(end_s - WINDOW_S, end_s, {})], recent)
        changes = ((detector.sound, detector.step(heard)) for detector in detectors)
        found += [(name, change.phase, float(end_s)) for name, change in changes if change]
    return found


def _detector(name: str) -> SoundDetector:
    confirm_s, within_s = GATES[name]
    settings = GateSettings(
        threshold=0.5,
        release_threshold=0.3,
        confirm_s=confirm_s,
        confirm_within_s=within_s,
        hold_s=30.0,
        refractory_s=0.0,
        max_duration_s=600.0,
        possible_s=2.5,
    )
    return SoundDetector(name, scorer=Cadence(PATTERNS[name], place=1), gate=Gate(settings))


def any_alarm(pattern: str, *, low: bool, rng: np.random.Generator) -> Alarm:
    """One of the alarms there are: tone, wave and pace by chance."""
    return Alarm(
        pattern=pattern,
        hertz=rng.uniform(500.0, 540.0) if low else rng.uniform(2800.0, 3600.0),
        voice=square if low else (sine, piezo, square)[rng.integers(3)],
        pace=rng.uniform(0.9, 1.1),
        drift=rng.uniform(-0.01, 0.01),
        cycles=3,
    )


def scene(
    kind: Alarm, room: Room, snr_db: float, recordings: Recordings, rng: np.random.Generator
) -> Samples:
    """An alarm that begins after LEAD_S, somewhere."""
    dry = np.pad(alarm(kind), round(LEAD_S * 16_000))
    wet = in_a_room(dry, rng.choice(room.rt60_s), rng)
    behind = recordings.background(str(rng.choice(BACKGROUNDS)), len(dry), rng)
    samples = mixed(wet, behind, snr_db, active=np.abs(dry) > 0.05)
    samples = four_kilohertz(samples) if rng.random() < 0.3 else samples
    return at_level(samples, rng.uniform(-60.0, 6.0))


def recalls(recordings: Recordings, scenes: int) -> Iterator[str]:
    """The table's lines."""
    yield "pattern  tone     where  SNR  possible (p50 … p95)     confirmed (p50 … p95)   the other"
    for room in ROOMS:
        for pattern in PATTERNS:
            for low in (False, True):
                for snr_db in (20.0, 10.0, 5.0, 0.0):
                    rng = np.random.default_rng(
                        [ord(room.name[0]), ord(pattern[1]), low, int(snr_db)]
                    )
                    kinds = [any_alarm(pattern, low=low, rng=rng) for _ in range(scenes)]
                    found = [told(scene(kind, room, snr_db, recordings, rng)) for kind in kinds]
                    tone = "520 Hz" if low else "3.1 kHz"
                    yield (
                        f"{pattern:<8} {tone:<8} {room.name:<6} {snr_db:>2.0f}  "
                        f"{_when(found, pattern, Phase.POSSIBLE)}  "
                        f"{_when(found, pattern, Phase.ONSET)}  {_others(found, pattern)}"
                    )


def _when(found: list[list[Told]], pattern: str, phase: Phase) -> str:
    """Recall, and seconds after the alarm began."""
    firsts = [
        min(
            (at - LEAD_S for name, what, at in one if (name, what) == (pattern, phase)),
            default=None,
        )
        for one in found
    ]
    times = [at for at in firsts if at is not None]
    middle, late = np.percentile(times, [50, 95]) if times else (np.nan, np.nan)
    return f"{len(times):>3}/{len(found)} ({middle:4.1f} … {late:4.1f} s)"


def _others(found: list[list[Told]], pattern: str) -> str:
    other = [what for one in found for name, what, _ in one if name != pattern]
    return f"{other.count(Phase.POSSIBLE)} possible, {other.count(Phase.ONSET)} confirmed"


def false_alarms(recordings: Recordings) -> Iterator[str]:
    """What recordings without an alarm bring about: back to back, and with pauses between."""
    seconds, counts = 0.0, dict.fromkeys((Phase.POSSIBLE, Phase.ONSET), 0)
    began_s = time.perf_counter()
    for pause_s in (0.0, 4.0):
        for label in recordings.labels:
            samples = recordings.joined(label, pause_s=pause_s)
            seconds += len(samples) / 16_000
            for name, phase, at_s in told(samples):
                if phase in counts:
                    counts[phase] += 1
                    yield f"{name} {phase} in {label} at {at_s:.1f} s, pauses of {pause_s:.0f} s"
    cost_ms = 1000 * (time.perf_counter() - began_s) / (seconds / HOP_S)
    possible, confirmed = counts.values()
    yield f"{seconds / 3600:.1f} h without an alarm: {possible} possible, {confirmed} confirmed"
    yield f"envelopes and both cadences cost {cost_ms:.2f} ms a window, reading files included"


def main() -> None:
    """Measure and print."""
    recordings = Recordings(Path(os.environ["DETECTOR_AUDIO"]))
    scenes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for line in false_alarms(recordings):
        print(line, flush=True)
    for line in recalls(recordings, scenes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
