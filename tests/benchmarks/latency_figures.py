"""From what was played and told to figures: who was told when, and where the time went."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from detector.config.loader import parse_config
from detector.config.schema import Config
from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from detector.core.events import Event, Phase
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.pipeline import Snapshot
from detector.workbench.baselines import baselines
from detector.workbench.grid import QUARTER_SAMPLES, WINDOW_SAMPLES, score_grid
from detector.workbench.matching import LATE_S
from detector.workbench.observe import Cache
from tests.benchmarks.latency_live import Run
from tests.benchmarks.latency_scene import PATTERNS, LatencyScene, Played

FINE = 4
"""Pipelines that begin a quarter of a hop apart: together they look four times as often."""
_SAME_FALSE_S = 5.0
Told = Sequence[tuple[str, float]]
"""Sounds with the moments at which somebody was told, in seconds of the scene."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What the daemon's pipeline makes of the scene, heard from some sample on."""

    snapshots: list[Snapshot]
    events: list[tuple[Event, float]]
    """With the end of the window that decided, in seconds of the scene."""
    begins_s: float

    def onsets(self) -> Told:
        """When each sound was decided to have begun."""
        return [(str(e.sound), at_s) for e, at_s in self.events if e.phase is Phase.ONSET]

    def first_evident_s(self, one: Played) -> float | None:
        """End of the first window that holds some of the sound, and speaks for it."""
        for shot in self.snapshots:
            end_s = shot.end_s + self.begins_s
            if not one.onset_s < end_s <= one.end_s + LATE_S:
                continue
            if any(r.sound == one.sound and r.probability >= r.threshold for r in shot.sounds):
                return end_s
        return None


class Rehearsal:
    """The daemon's own pipeline over the scene, as it is and as it might be."""

    def __init__(self, scene: LatencyScene, model: Path, more: str = "") -> None:
        self._samples: Samples = np.asarray(scene.samples / np.float32(32768.0), np.float32)
        self._classifier = Classifier(model)
        self._more = more
        self._sounds = tuple(dict.fromkeys(one.sound for one in scene.played))

    def config(self, *, at_once: bool = False) -> Config:
        """As shipped; ``at_once``: one window is enough for everything but alarms."""
        lines = [
            f"  {name}: {{confirm_seconds: 0}}"
            if at_once and name not in PATTERNS
            else f"  {name}:"
            for name in self._sounds
        ]
        return parse_config("\n".join(["sounds:", *lines, self._more]), "benchmark")

    def replay(self, config: Config, begins_s: float) -> Replay:
        """Hear it from a moment on."""
        result = Replay([], [], begins_s)
        pipeline = build_pipeline(
            config,
            [WindowRecogniser(self._classifier, hop_seconds=config.model.hop_seconds)],
            clock=SystemClock(),
            on_snapshot=result.snapshots.append,
        )
        heard = self._samples[round(begins_s * SAMPLE_RATE_HZ) :]
        for start in range(0, len(heard), 1600):
            piece = heard[start : start + 1600]
            events = pipeline.feed(Block(start, piece, (start + len(piece)) / SAMPLE_RATE_HZ))
            at_s = begins_s + (result.snapshots[-1].end_s if result.snapshots else 0.0)
            result.events.extend((event, at_s) for event in events)
        return result

    def fine(self, config: Config, begins_s: float) -> list[Replay]:
        """The same, heard from moments a quarter of a hop apart."""
        apart_s = config.model.hop_seconds / FINE
        return [self.replay(config, begins_s + apart_s * step) for step in range(FINE)]

    def peers(self, cache: Cache) -> dict[str, list[Told]]:
        """What others decide, from several beginnings; their classification's time is added."""
        spent_s, windows = perf_counter(), 50
        for number in range(windows):
            self._classifier.scores(self._samples[number : number + WINDOW_SAMPLES])
        each_s = (perf_counter() - spent_s) / windows
        model = self._classifier.content_hash
        score = self._classifier.scores
        grid = score_grid(self._samples, score, QUARTER_SAMPLES, cache=cache, model=model)
        return {
            one.name: [
                [(said.sound, said.told_s + each_s) for said in run]
                for run in one.decide(grid, self._sounds)
            ]
            for one in baselines()
        }


def told_live(run: Run, phase: str = "onset") -> Told:
    """What the subscriber got, and when."""
    return [(e["sound"], e["received_s"]) for e in run.events if e["phase"] == phase]


def latencies(played: Sequence[Played], told: Told) -> list[float | None]:
    """Seconds from the onset of each to the first word of it; None where there was none."""
    return [
        min(
            (at - one.onset_s for sound, at in told if sound == one.sound and _within(one, at)),
            default=None,
        )
        for one in played
    ]


def _within(one: Played, at_s: float) -> bool:
    return one.onset_s <= at_s <= one.end_s + LATE_S


def false_ones(played: Sequence[Played], told: Told) -> int:
    """Words of what was not played; several about the same thing count once."""
    count, last = 0, dict[str, float]()
    for sound, at_s in sorted(told, key=lambda one: one[1]):
        if any(one.sound == sound and _within(one, at_s) for one in played):
            continue
        count += at_s - last.get(sound, -np.inf) > _SAME_FALSE_S
        last[sound] = at_s
    return count


def already_on(one: Played, events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether something had raised the sound before it came, so that nobody was alerted anew."""
    state = False
    for event in events:
        if event["sound"] == one.sound and event["received_s"] < one.onset_s:
            state = {"onset": True, "offset": False}.get(event["phase"], state)
    return state


def row(name: str, played: Sequence[Played], took: Sequence[float | None]) -> dict[str, Any]:
    """Figures of some sounds."""
    there = [one for one in took if one is not None]
    row: dict[str, Any] = {"name": name, "played": len(played), "told": len(there)}
    if there:
        p50, p95 = np.percentile(there, [50, 95])
        row |= {"p50": float(p50), "p95": float(p95), "max": max(there)}
    return row


def groups(played: Sequence[Played]) -> Iterator[tuple[str, list[int]]]:
    """Which sounds belong together, by place."""
    kinds = [_kind(one) for one in played]
    for name in ("urgent", "critical (alarms)", "notice and info"):
        yield name, [place for place, kind in enumerate(kinds) if kind == name]


def _kind(one: Played) -> str:
    if one.sound in PATTERNS:
        return "critical (alarms)"
    return "urgent" if one.urgent else "notice and info"


def breakdown(scene: LatencyScene, run: Run, rehearsal: Rehearsal) -> dict[str, dict[str, Any]]:
    """Where the time of each group went, in medians and 95th percentiles of seconds."""
    fine = rehearsal.fine(rehearsal.config(), run.source_at_s)
    parts: dict[str, list[tuple[float, ...]]] = {}
    for name, places in groups(scene.played):
        steps = [_steps(scene.played[place], run, fine) for place in places]
        parts[name] = [one for one in steps if one is not None]
    return {
        name: {
            step: [len(each), *np.percentile([one[at] for one in each], [50, 95]).tolist()]
            for at, step in enumerate(STEPS)
            if each
        }
        for name, each in parts.items()
    }


STEPS = (
    "sound, until a window that ends at the best moment speaks for it",
    "wait for the next window of the grid",
    "confirmation by further windows",
    "capture, classification and decision",
    "outbox, broker, subscriber",
)


def _steps(one: Played, run: Run, fine: Sequence[Replay]) -> tuple[float, ...] | None:
    """Of one sound that was told, where the pipeline heard again decides as the daemon did."""
    live = [e for e in run.events if e["sound"] == one.sound and e["phase"] == "onset"]
    event = next((e for e in live if _within(one, e["received_s"])), None)
    firsts = [at for at in (each.first_evident_s(one) for each in fine) if at is not None]
    first_s = fine[0].first_evident_s(one)
    decided = [at for sound, at in fine[0].onsets() if sound == one.sound and _within(one, at)]
    if event is None or first_s is None or not decided:
        return None
    return (
        min(firsts) - one.onset_s,
        first_s - min(firsts),
        decided[0] - first_s,
        event["decided_s"] - decided[0],
        event["received_s"] - event["decided_s"],
    )


def what_ifs(scene: LatencyScene, run: Run, rehearsal: Rehearsal) -> Iterator[dict[str, Any]]:
    """What other rules would make of the same audio, with the transport as measured."""
    transport_s = _transport_s(scene, run, rehearsal)
    for title, at_once in (("as shipped", False), ("one window is enough", True)):
        config = rehearsal.config(at_once=at_once)
        replays = rehearsal.fine(config, run.source_at_s)
        for step in (4, 2, 1):
            hop_s = config.model.hop_seconds * step / FINE
            told = [one for each in replays[::step] for one in each.onsets()]
            moved = [(sound, at_s + transport_s) for sound, at_s in told]
            took = latencies(scene.played, moved)
            about = partial(_group_row, scene.played, took)
            yield {
                "name": f"{title}, a window every {hop_s:g} s",
                "groups": [about(name, places) for name, places in groups(scene.played)],
                "false": false_ones(scene.played, told),
            }


def _group_row(
    played: Sequence[Played], took: Sequence[float | None], name: str, places: list[int]
) -> dict[str, Any]:
    return row(name, [played[at] for at in places], [took[at] for at in places])


def _transport_s(scene: LatencyScene, run: Run, rehearsal: Rehearsal) -> float:
    """From the end of the window that decides to the subscriber, median."""
    again = rehearsal.replay(rehearsal.config(), run.source_at_s).onsets()
    both = zip(latencies(scene.played, told_live(run)), latencies(scene.played, again), strict=True)
    return float(np.median([a - b for a, b in both if a is not None and b is not None]))
