"""From the beginning of a sound at the microphone to the message at a subscriber.

    python -m tests.benchmarks.latency [--sounds 200] [--keep FOLDER] [--json | --markdown]
        [--picture FILE.svg]

Needs DETECTOR_MODEL, DETECTOR_AUDIO, PulseAudio and mosquitto.  Plays sounds at random moments,
20 dB above a quiet room, to ``detector run`` with everything as shipped; that takes as long as it
lasts (18 minutes for 200 sounds).  The microphone is a pipe that this process writes in real time,
10 ms at a time, so that one clock knows when each sample is captured and when each message arrives.

The others' rules hear the same audio afterwards, from several beginnings each; their decision is
the end of the window that decides and one classification by our runtime, and its way to a
subscriber is left out: a bound in their favour.  The recordings are those that heads were learnt
from: how many are told is no recall (docs/evaluation.md has that).  With --keep what was measured
is kept, and measured no more when it is there.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from detector.workbench.observe import Cache
from tests.benchmarks.latency_figures import (
    Rehearsal,
    already_on,
    breakdown,
    groups,
    latencies,
    row,
    told_live,
    what_ifs,
)
from tests.benchmarks.latency_live import Run, play_to_daemon
from tests.benchmarks.latency_report import as_markdown, as_text, picture
from tests.benchmarks.latency_scene import LatencyScene, Played, make_scene

_STARTING = 200
"""Pieces until the sound server reads: nobody listens yet."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.latency")
    parser.add_argument("--sounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", default="", help="more lines of configuration")
    parser.add_argument("--keep", type=Path, help="folder for what was measured")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    model = Path(os.environ["DETECTOR_MODEL"])
    scene = make_scene(Path(os.environ["DETECTOR_AUDIO"]), asked.sounds, asked.seed)
    run = _run(scene, model, asked)
    figures = measure(scene, run, Rehearsal(scene, model, asked.more), Cache(asked.keep))
    if asked.picture:
        asked.picture.write_text(picture(figures))
    if asked.json:
        print(json.dumps(figures, indent=1))
    else:
        print((as_markdown if asked.markdown else as_text)(figures))


def _run(scene: LatencyScene, model: Path, asked: argparse.Namespace) -> Run:
    if asked.keep is None:
        return play_to_daemon(scene, model, asked.more)
    kept = asked.keep / f"latency-{asked.sounds}-{asked.seed}.json"
    if not kept.is_file():
        asked.keep.mkdir(parents=True, exist_ok=True)
        play_to_daemon(scene, model, asked.more).save(kept)
    return Run.load_from(kept)


def measure(scene: LatencyScene, run: Run, rehearsal: Rehearsal, cache: Cache) -> dict[str, Any]:
    """All figures."""
    played = scene.played
    took = latencies(played, told_live(run))
    possible = latencies(played, told_live(run, "possible"))
    earliest = [_least(pair) for pair in zip(took, possible, strict=True)]
    late_ms = 1000.0 * np.percentile(run.late_s[_STARTING:], [50, 99, 100])
    return {
        "sounds": len(played),
        "minutes": len(scene.samples) / 16_000 / 60,
        "clipped": sum(one.clipped for one in played),
        "load": run.load,
        "gaps": run.gaps,
        "classify_ms": run.classify_ms,
        "capture_ms": 1000.0 * float(np.median(run.capture_s)),
        "written_late_ms": late_ms.tolist(),
        "already_on": _masked(played, took, run),
        "groups": _rows(played, took, earliest),
        "by_sound": _by_sound(played, took),
        "steps": breakdown(scene, run, rehearsal),
        "what_ifs": list(what_ifs(scene, run, rehearsal)),
        "peers": _peers(played, rehearsal, cache),
        "took": [(one.sound, one.urgent, s) for one, s in zip(played, took, strict=True)],
    }


def _least(pair: tuple[float | None, ...]) -> float | None:
    return min((one for one in pair if one is not None), default=None)


def _masked(played: tuple[Played, ...], took: list[float | None], run: Run) -> int:
    missed = [one for one, seconds in zip(played, took, strict=True) if seconds is None]
    return sum(already_on(one, run.events) for one in missed)


def _rows(
    played: tuple[Played, ...], took: list[float | None], earliest: list[float | None]
) -> list[dict[str, Any]]:
    rows = []
    for name, places in groups(played):
        some = [played[at] for at in places]
        if "critical" in name:
            rows.append(row(f"{name}, told as possible", some, [earliest[at] for at in places]))
        rows.append(row(name, some, [took[at] for at in places]))
    alerts = [at for at, one in enumerate(played) if one.urgent]
    both = [played[at] for at in alerts]
    rows.append(row("urgent and critical, possible counts", both, [earliest[at] for at in alerts]))
    rows.append(row("urgent and critical", both, [took[at] for at in alerts]))
    return rows


def _by_sound(played: tuple[Played, ...], took: list[float | None]) -> list[dict[str, Any]]:
    rows = []
    for sound in dict.fromkeys(one.sound for one in played):
        places = [at for at, one in enumerate(played) if one.sound == sound]
        rows.append(row(sound, [played[at] for at in places], [took[at] for at in places]))
    return rows


def _peers(played: tuple[Played, ...], rehearsal: Rehearsal, cache: Cache) -> list[dict[str, Any]]:
    """All beginnings of each together."""
    result = []
    for name, runs in rehearsal.peers(cache).items():
        took = [latencies(played, told) for told in runs]
        entry: dict[str, Any] = {"name": name, "beginnings": len(runs), "groups": []}
        for group, places in groups(played):
            some = [played[at] for at in places] * len(runs)
            entry["groups"].append(row(group, some, [one[at] for one in took for at in places]))
        entry["took"] = [one[at] for one in took for at in range(len(played))]
        result.append(entry)
    return result


if __name__ == "__main__":
    main()
