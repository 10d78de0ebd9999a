"""What it costs to let the network rest in quiet rooms, and what it saves.

    python -m tests.benchmarks.rest [--each 5] [--evenings 4] [--seed 1] [--markdown]

Needs DETECTOR_MODEL and DETECTOR_AUDIO.  Two pipelines with all shipped sounds hear the same
scenes in turn, one with ``model.rest`` and one without: sounds at stated signal-to-noise ratios in
steady noise that is made up, in recorded quiet rooms and in all backgrounds, as a microphone has
them at three levels, in 16 bits; and evenings in which nothing happens.  ``--each``: scenes of five
minutes for every room and ratio, ``--evenings``: for every room; each is heard at three levels.
"""

import argparse
import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.config import Config
from detector.config.loader import parse_config
from detector.config.sounds import with_all_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, GapCause, Samples
from detector.core.events import EventKind, OffsetReason, Phase
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline
from detector.workbench.listener import SceneClock
from detector.workbench.matching import Decision, Matched, excused, match, tellable
from detector.workbench.metrics import rate_interval
from detector.workbench.observe import padded
from detector.workbench.paired import difference
from detector.workbench.soundscape import Scene
from tests.benchmarks.rest_rooms import EVENING_ROOMS, LEVELS_DB, ROOMS, SNRS_DB, Heard, Rooms

_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
_PAUSE_SAMPLES = 120 * SAMPLE_RATE_HZ
"""Between scenes: what was heard in one is forgotten in the next."""

_BEFORE_S = 2.5
"""Two seconds of rest, and a look."""

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, head and rows."""


class House:
    """One pipeline, scene after scene."""

    def __init__(self, classifier: Classifier, config: Config, *, rests: bool) -> None:
        hop_s = config.model.hop_seconds
        self.recogniser = WindowRecogniser(classifier, hop_seconds=hop_s, rests=rests)
        self._clock = SceneClock()
        self._pipeline = build_pipeline(config, [self.recogniser], clock=self._clock)
        self._next = 0
        self.cpu_s = 0.0
        """Of the last scene."""
        self.rests_s: list[float] = []
        """When the network rested in it."""

    @property
    def rested(self) -> int:
        """Windows so far on which the network rested."""
        return self.recogniser.gate.rested if self.recogniser.gate else 0

    def hear(self, samples: Samples) -> list[Decision]:
        """What it tells of a scene."""
        whole = padded(samples, self.recogniser.spec)
        self.rests_s = []
        began_s = time.process_time()
        told = [one for at in range(0, len(whole), _BLOCK_SAMPLES) for one in self._feed(whole, at)]
        self.cpu_s = time.process_time() - began_s
        self._pipeline.close(OffsetReason.STOPPED)
        self._next += len(whole)
        self._pipeline.feed(Gap(self._next, _PAUSE_SAMPLES, GapCause.SOURCE_LOST))
        self._next += _PAUSE_SAMPLES
        return told

    def _feed(self, whole: Samples, at: int) -> list[Decision]:
        block = Block(self._next + at, whole[at : at + _BLOCK_SAMPLES], 0.0)
        self._clock.now_s = block.end_sample / SAMPLE_RATE_HZ
        rested, now_s = self.rested, (at + len(block.samples)) / SAMPLE_RATE_HZ
        events = self._pipeline.feed(block)
        if self.rested > rested:
            self.rests_s.append(now_s)
        return [
            Decision(event.sound, now_s)
            for event in events
            if event.kind is EventKind.SOUND and event.phase is Phase.ONSET and event.sound
        ]


@dataclass(slots=True)
class Tally:
    """What came of some scenes: without rest first, then with it."""

    hours: float = 0.0
    windows: int = 0
    rested: int = 0
    cpu_s: list[float] = field(default_factory=lambda: [0.0, 0.0])
    found: list[tuple[bool, bool]] = field(default_factory=list)
    """By event."""
    groups: list[str] = field(default_factory=list)
    at_rest: list[bool] = field(default_factory=list)
    """By event: whether it came while the network rested, up to two seconds before."""
    later_s: list[float] = field(default_factory=list)
    """Of what both found, how much later it was told with rest."""
    false_alarms: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, scene: Scene, both: Sequence[Matched], rests_s: Sequence[float]) -> None:
        """What both told of a scene, and when the network rested."""
        when = [{one.event: one.latency_s for one in matched.found} for matched in both]
        tell = set(tellable(scene.events, scene.unsure))
        for event, group in zip(scene.events, scene.event_groups, strict=True):
            if event not in tell:
                continue
            self.found.append((event in when[0], event in when[1]))
            self.groups.append(group)
            onset_s = event.onset_s
            self.at_rest.append(any(onset_s - _BEFORE_S < one <= onset_s for one in rests_s))
            if all(self.found[-1]):
                self.later_s.append(when[1][event] - when[0][event])
        self.hours += scene.seconds / 3600.0
        for place, matched in enumerate(both):
            self.false_alarms[place] += len(matched.false_alarms)


Tallies = dict[tuple[str, float, float | None], Tally]
"""By room, level and ratio; evenings have none."""


def measure(heard: Iterable[Heard], houses: Sequence[House]) -> Tallies:
    """Have all scenes heard by both."""
    tallies: Tallies = defaultdict(Tally)
    for number, one in enumerate(heard):
        scene = one.scene
        tally = tallies[one.room, one.level_db, scene.snr_db if one.has_events else None]
        rested = houses[1].rested
        excuse = excused(scene.events, scene.unsure)
        tell = tellable(scene.events, scene.unsure)
        both = [match(house.hear(scene.samples), tell, excuse) for house in houses]
        tally.add(scene, both, houses[1].rests_s)
        for event in {found.event for found in both[0].found} ^ {f.event for f in both[1].found}:
            print(f"\r{one.room}, {one.level_db:g} dB, {scene.name}: {event}", file=sys.stderr)
        tally.windows += _windows(scene, houses[1])
        tally.rested += houses[1].rested - rested
        for place, house in enumerate(houses):
            tally.cpu_s[place] += house.cpu_s
        print(f"\r{number + 1} scenes heard", end="", file=sys.stderr, flush=True)
    return tallies


def _windows(scene: Scene, house: House) -> int:
    spec = house.recogniser.spec
    whole = len(padded(scene.samples, spec))
    return (whole - spec.context_samples) // spec.hop_samples + 1


def tables(tallies: Tallies) -> list[Table]:
    """What is printed."""
    recall = ("", "events", "of them at rest", "found without rest", "with rest", "by one only")
    head = (
        *recall,
        "difference",
        "told later by, at most",
        "false alarms an hour, without",
        "with",
    )
    ratios = [(f"{snr:g} dB", _some(tallies, snr=snr)) for snr in SNRS_DB]
    levels = [(f"{level:g} dB", _some(tallies, level=level)) for level in LEVELS_DB]
    rooms = [(room, _some(tallies, room=room)) for room in ROOMS]
    all_of_it = [("all", _some(tallies))]
    return [
        ("By signal-to-noise ratio", head, [_recall(*row) for row in [*ratios, *all_of_it]]),
        ("By the microphone's level", head, [_recall(*row) for row in levels]),
        ("By the room", head, [_recall(*row) for row in rooms]),
        _resting(tallies),
    ]


def _some(
    tallies: Tallies,
    *,
    room: str | None = None,
    level: float | None = None,
    snr: float | None = None,
    evenings: bool | None = False,
) -> list[Tally]:
    """Those of one room, level or ratio; with ``evenings`` those without events."""
    return [
        tally
        for (of_room, of_level, of_snr), tally in tallies.items()
        if room in (None, of_room)
        and level in (None, of_level)
        and snr in (None, of_snr)
        and evenings in (None, of_snr is None)
    ]


def _recall(name: str, some: Sequence[Tally]) -> tuple[str, ...]:
    found = np.array([pair for one in some for pair in one.found], np.float64).reshape(-1, 2)
    groups = [group for one in some for group in one.groups]
    at_rest = np.array([here for one in some for here in one.at_rest], np.bool_)
    apart = difference(found[:, 1], found[:, 0], groups)
    later_s = max((one for tally in some for one in tally.later_s), default=0.0)
    hours = sum(one.hours for one in some)
    alarms = [rate_interval(sum(one.false_alarms[i] for one in some), hours) for i in (0, 1)]
    return (
        name,
        str(len(found)),
        _of_them(found[at_rest]),
        str(int(found[:, 0].sum())),
        str(int(found[:, 1].sum())),
        str(int((found[:, 0] != found[:, 1]).sum())),
        f"{apart.value:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}]",
        f"{later_s:.2f} s",
        *(f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in alarms),
    )


def _of_them(found: NDArray[np.float64]) -> str:
    without, with_rest = (int(one) for one in found.sum(axis=0))
    return f"{len(found)}: {without} found without, {with_rest} with"


def _resting(tallies: Tallies) -> Table:
    head = ("", "level", "hours", "at rest", "ms a window, without rest", "with", "ratio")
    rows = []
    for what, evenings in (("nothing happens", True), ("with sounds", False)):
        for room in EVENING_ROOMS:
            for level in (*LEVELS_DB, None):
                some = _some(tallies, room=room, level=level, evenings=evenings)
                if some:
                    rows.append(_rest(f"{room}, {what}", level, some))
    return "How much it rests", head, rows


def _rest(name: str, level: float | None, some: Sequence[Tally]) -> tuple[str, ...]:
    windows = sum(one.windows for one in some)
    cpu_ms = [1000.0 * sum(one.cpu_s[i] for one in some) / windows for i in (0, 1)]
    return (
        name,
        "all" if level is None else f"{level:g} dB",
        f"{sum(one.hours for one in some):.1f}",
        f"{sum(one.rested for one in some) / windows:.2f}",
        *(f"{one:.2f}" for one in cpu_ms),
        f"{cpu_ms[1] / cpu_ms[0]:.2f}",
    )


def _plain(table: Table) -> str:
    title, head, rows = table
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in [head, *rows])
    return "\n".join([title, *lines, ""])


def _markdown(table: Table) -> str:
    title, head, rows = table
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in lines), ""])


def page(tallies: Tallies, command: str) -> str:
    """The page for the docs."""
    hours = sum(one.hours for one in tallies.values())
    return "\n".join(
        [
            "# Rest in quiet rooms",
            "",
            f"Made by `{command} --markdown`; not to be edited.",
            "",
            _ABOUT.format(hours=hours),
            *(_markdown(table) for table in tables(tallies)),
        ]
    )


_ABOUT = """\
With `model.rest: true` the network rests where nothing rises above the noise floor that was learnt
from the last minute. The rows of mel energies are always computed; of a window whose newest rows
hold nothing but the floor the last outputs are told again, for two seconds at most. No absolute
level decides. It does not rest in the first 30 s, after a gap, for a second after a window that
held anything, while a sound is on or comes to a quarter of its threshold, or while a self-test
listens; and never in a room whose noise is not as steady as noise can be, to within 3 dB.

Measured on {hours:.1f} hours: the same scenes through the whole pipeline with all shipped sounds,
once with rest and once without. The ratio is that of the sound to its background; the level is how
much softer the microphone hears the whole scene, in 16 bits (so softly that at -40 dB most quiet
rooms are digital silence with a bit of noise now and then). Steady noise is made up: white, pink,
brown, and mains hum; there the network rests most, so that a sound has to wake it. One recorded
room is a recording of 45 s and more by itself, again and again; recorded quiet rooms are many short
ones at one level, joined, so that the room is another one every few seconds. Events at rest came
while the network rested, and had to wake it; the others found it awake, or still learning. Of what
both found, the last but two columns say how much later it was told with rest. Differences are of
recalls, with intervals of 95 % for pairs. Processor time is of the whole pipeline with all fifteen
sounds, of which the network is not the half; the first 30 s of each five minutes, in which the
floor is learnt, are part of it, as they are not in a house.
"""


def main() -> None:
    """Measure and print."""
    options = _options()
    logging.disable(logging.WARNING)
    config = with_all_sounds(parse_config("", "default"))
    classifier = Classifier(Path(os.environ["DETECTOR_MODEL"]))
    houses = [House(classifier, config, rests=rests) for rests in (False, True)]
    rooms = Rooms(Path(os.environ["DETECTOR_AUDIO"]))
    sounds = tuple(config.enabled_sounds)
    heard = [
        lambda: rooms.scenes(sounds, each=options.each, seed=options.seed),
        lambda: rooms.evenings(each=options.evenings, seed=options.seed),
    ]
    tallies = measure(_chained(heard), houses)
    if options.markdown:
        print(page(tallies, _command(options)))
    else:
        print("\n".join(map(_plain, tables(tallies))))


def _chained(makers: Sequence[Callable[[], Iterable[Heard]]]) -> Iterable[Heard]:
    return (one for maker in makers for one in maker())


def _command(options: argparse.Namespace) -> str:
    amounts = f"--each {options.each} --evenings {options.evenings} --seed {options.seed}"
    return f"python -m tests.benchmarks.rest {amounts}"


def _options() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rest", description=summary)
    parser.add_argument("--each", type=int, default=5, metavar="N")
    parser.add_argument("--evenings", type=int, default=4, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
