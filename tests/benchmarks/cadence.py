"""How well alarms are found by their cadence, what is taken for one, and what it costs.

    python -m tests.benchmarks.cadence [SCENES] [--markdown] [--seed NUMBER] [--found-only]

Needs DETECTOR_AUDIO: backgrounds for alarms made by code (SCENES of each kind, 50 unless told), and
all recordings of other things.  No model is needed.  Prints, per pattern, tone, and ratio of the
alarm's to the background's RMS, the recall and when it was told; then every false alarm, and the
time that all of it takes.  docs/alarms.md is what --markdown prints.  Another seed makes other
scenes; --found-only ends after the recall.
"""

import argparse
import csv
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from detector.core.audio import Block, Samples
from detector.core.events import Phase
from detector.core.recognition import Observation
from detector.events.cadence import PATTERNS, SHORT_BEEPS, Cadence
from detector.model.envelopes import ToneEnvelopes
from detector.workbench.metrics import recall_interval, zero_bound
from tests.alarms import (
    Alarm,
    alarm,
    at_level,
    cadence_detector,
    in_a_room,
    mixed,
    piezo,
    sine,
    square,
)
from tests.alarms import telephone_band as four_kilohertz

BACKGROUNDS = ("room_tone", "kitchen", "music", "speech", "tv_radio", "rain", "traffic", "ambience")
LEAD_S, HOP_S, WINDOW_S = 4.0, 0.48, 0.975
COST_S = 120
LONG_CYCLES = 6
HEADINGS = ("pattern", "tone", "where", "SNR", "possible", "confirmed", "the other one")
INTRODUCTION = """# Alarms by the times of their beeps

Made by `python -m tests.benchmarks.cadence --markdown`; not to be edited. All alarms are made by
code and mixed into recordings of homes and streets: no real alarm was at hand. Times are as the
standards have them, within a tenth; the tone is 2.8 … 3.6 kHz (sine, piezo or square wave) or
500 … 540 Hz (square wave) and drifts by up to 1 %; the level is −60 … +6 dBFS (clipped); three in
ten are cut off at 4 kHz.
"""
FOUND = """Each alarm sounds for three cycles and no more. Rooms echo for 0, 0.3 or 0.6 s, halls for
0.9 or 1.2 s (RT60), with an echo as loud as the alarm itself. SNR is the alarm's RMS while it beeps
against the background's. In brackets, the seconds from the first beep until it was told, median and
95th percentile; what two groups of beeps confirm of which the first was too faint is never told as
possible. The last column counts how often the *other* alarm was called possible, and confirmed."""
FALSE = (
    """All recordings without an alarm, label by label, back to back and then with 4 s between."""
)
COST = """\
Milliseconds of one core of an x86-64 machine for every 0.48 s of audio: envelopes, T3, T4, and
the short beeps that overrule the model. `python -m tests.benchmarks.window_cost` sets it beside the
model."""
Told = tuple[str, Phase, float]


@dataclass(frozen=True, slots=True)
class Room:
    """Rooms of a kind, by their reverberation times."""

    name: str
    rt60_s: tuple[float, ...]


ROOMS = (Room("rooms", (0.0, 0.3, 0.6)), Room("halls", (0.9, 1.2)))


Kind = tuple[Room, str, bool]
"""Rooms, pattern, and whether the tone is low."""


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
    detectors = [cadence_detector(name) for name in PATTERNS]
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


@dataclass(frozen=True, slots=True)
class Cell:
    """Scenes of a kind, and what was told of each."""

    pattern: str
    low: bool
    room: Room
    snr_db: float
    found: list[list[Told]]

    @property
    def tone(self) -> str:
        """For people."""
        return "520 Hz" if self.low else "3.1 kHz"

    def firsts(self, phase: Phase) -> list[float]:
        """Seconds from the beginning of each alarm that was told to when it was."""
        wanted = (self.pattern, phase)
        times = [[at - LEAD_S for *what, at in one if tuple(what) == wanted] for one in self.found]
        return [min(each) for each in times if each]

    def row(self) -> tuple[str, ...]:
        """Of the table."""
        others = [phase for one in self.found for name, phase, _ in one if name != self.pattern]
        return (
            self.pattern.upper(),
            self.tone,
            self.room.name,
            f"{self.snr_db:.0f} dB",
            self._when(Phase.POSSIBLE),
            self._when(Phase.ONSET),
            f"{others.count(Phase.POSSIBLE)}, {others.count(Phase.ONSET)}",
        )

    def _when(self, phase: Phase) -> str:
        times = self.firsts(phase)
        middle, late = np.percentile(times, [50, 95]) if times else (np.nan, np.nan)
        return f"{len(times)}/{len(self.found)} ({middle:.1f} … {late:.1f} s)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many scenes of each kind, and which: 0 makes those of the table."""

    scenes: int = 50
    seed: int = 0


def cell(
    kind: Kind, snr_db: float, recordings: Recordings, wanted: Wanted, *, cycles: int = 3
) -> Cell:
    """Make and hear them."""
    room, pattern, low = kind
    seeds = [ord(room.name[0]), ord(pattern[1]), int(low), int(snr_db)]
    rng = np.random.default_rng(seeds + ([wanted.seed] if wanted.seed else []))
    alarms = [any_alarm(pattern, low=low, rng=rng) for _ in range(wanted.scenes)]
    longer = [replace(one, cycles=cycles) for one in alarms]
    found = [told(scene(one, room, snr_db, recordings, rng)) for one in longer]
    return Cell(pattern, low, room, snr_db, found)


def recalls(recordings: Recordings, wanted: Wanted, *, markdown: bool) -> Iterator[str]:
    """The table's lines, and the recall of each tone at 10 dB and above."""
    between, edge = (" | ", "|") if markdown else ("  ", "")
    yield f"{edge} {between.join(HEADINGS)} {edge}"
    if markdown:
        yield "|---" * len(HEADINGS) + "|"
    kinds, cells = list(itertools.product(ROOMS, PATTERNS, (False, True))), list[Cell]()
    for kind, snr_db in itertools.product(kinds, (20.0, 10.0, 5.0, 0.0)):
        cells.append(cell(kind, snr_db, recordings, wanted))
        yield f"{edge} {between.join(cells[-1].row())} {edge}"
    yield ""
    for pattern, low in itertools.product(PATTERNS, (False, True)):
        same = [one for one in cells if (one.pattern, one.low) == (pattern, low)]
        yield f"- {_together([one for one in same if one.snr_db >= 10.0])}"
    longer = [
        cell(kind, snr_db, recordings, wanted, cycles=LONG_CYCLES)
        for kind, snr_db in itertools.product(kinds, (20.0, 10.0))
        if kind[1:] == ("t4", False)
    ]
    yield f"- the last but one with {LONG_CYCLES} cycles: {_together(longer)}"


def _together(cells: list[Cell]) -> str:
    count = sum(len(one.found) for one in cells)
    share = recall_interval(sum(len(one.firsts(Phase.ONSET)) for one in cells), count)
    return (
        f"{cells[0].pattern.upper()} at {cells[0].tone}, 10 dB and above, rooms and halls: "
        f"{share.value:.3f} confirmed ({share.low:.3f} … {share.high:.3f}; {count} scenes)"
    )


def false_alarms(recordings: Recordings) -> Iterator[str]:
    """What recordings without an alarm bring about: back to back, and with pauses between."""
    heard_s, distinct_s, counts = 0.0, 0.0, dict.fromkeys((Phase.POSSIBLE, Phase.ONSET), 0)
    for pause_s in (0.0, 4.0):
        for label in recordings.labels:
            samples = recordings.joined(label, pause_s=pause_s)
            heard_s += len(samples) / 16_000
            distinct_s += len(samples) / 16_000 if pause_s == 0.0 else 0.0
            for name, phase, at_s in told(samples):
                if phase in counts:
                    counts[phase] += 1
                    kind = "confirmed" if phase is Phase.ONSET else str(phase)
                    yield (
                        f"- {name.upper()} {kind} in {label} at {at_s:.1f} s, "
                        f"pauses of {pause_s:.0f} s"
                    )
    possible, confirmed = counts.values()
    hours, heard_h = distinct_s / 3600, heard_s / 3600
    yield f"- in all: {possible} possible, {confirmed} confirmed in {heard_h:.1f} h with pauses"
    bound = zero_bound(hours)
    yield f"  ({hours:.2f} h, twice); none in {hours:.2f} h means fewer than {bound:.1f} an"
    yield "  hour, at 95 %, and says nothing of machines that are not among the recordings"


def costs(recordings: Recordings) -> Iterator[str]:
    """Milliseconds of one core for each 0.48 s, by what is heard."""
    rng = np.random.default_rng(0)
    heard = {name: recordings.background(name, COST_S * 16_000, rng) for name in BACKGROUNDS}
    ordinary = [cost_ms(samples) for samples in heard.values()]
    for name, (middle_ms, longest_ms) in zip(heard, ordinary, strict=True):
        yield f"- {name}: {middle_ms:.2f} ms, {longest_ms:.2f} ms at the 99th percentile"
    yield f"- mean of these: {np.mean(ordinary, axis=0)[0]:.2f} ms"
    for pattern in PATTERNS:
        sounding = alarm(Alarm(pattern=pattern, cycles=COST_S // 6))
        noisy = sounding + 0.001 * rng.standard_normal(len(sounding)).astype(np.float32)
        middle_ms, longest_ms = cost_ms(noisy)
        name = f"an alarm, {pattern.upper()}"
        yield f"- {name}: {middle_ms:.2f} ms, {longest_ms:.2f} ms at the 99th percentile"


def cost_ms(samples: Samples) -> tuple[float, float]:
    """Mean and 99th percentile of what envelopes and all cadences take for 0.48 s, in ms.

    In blocks of 0.1 s, as from a microphone; CPU time of this thread.
    """
    recogniser, recent, spent = ToneEnvelopes(), list[Observation](), [0.0]
    cadences = [Cadence(pattern, place=1) for pattern in (*PATTERNS.values(), SHORT_BEEPS)]
    for start in range(0, len(samples), 1600):
        block = Block(start, samples[start : start + 1600], 0.0)
        began_s = time.thread_time()
        observed = recogniser.feed(block)
        recent = [*recent[-10:], *observed]
        for one in observed:
            for cadence in cadences:
                heard = ([one], recent)
                cadence(heard), cadence.began_s(heard)
        spent[-1] += 1000 * (time.thread_time() - began_s)
        spent += [0.0] if observed else []
    return float(np.mean(spent[1:-1])), float(np.percentile(spent[1:-1], 99))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenes", type=int, nargs="?", default=50)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found-only", action="store_true")
    given = parser.parse_args()
    recordings, markdown = Recordings(Path(os.environ["DETECTOR_AUDIO"])), given.markdown
    wanted = Wanted(given.scenes, given.seed)
    parts = [
        ("Found", FOUND, recalls(recordings, wanted, markdown=markdown)),
        ("Taken for an alarm", FALSE, false_alarms(recordings)),
        ("Cost", COST, costs(recordings)),
    ][: 1 if given.found_only else None]
    print(INTRODUCTION if markdown else "", end="")
    for title, about, lines in parts:
        print(f"\n## {title}\n\n{about}\n" if markdown else f"\n{title}", flush=True)
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
