"""``python -m detector.workbench.roadtable DATA --crnn FILE``: four roads in one table.

Family scores, heads, MFCC with logistic regression, and the CRNN hear the same scenes, made of
recordings that none of them has learnt from.  Each is taken at the threshold at which it raises no
more than 0.5 false alarms an hour in them, sound by sound, through the gate's times; then so much
is found, and so far off are the beginnings that the gate tells.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from detector.config import SoundConfig
from detector.config.sounds import shipped_sounds
from detector.core.errors import DetectorError
from detector.core.events import Phase
from detector.events.gate import Gate
from detector.service.build import gate_settings
from detector.workbench.cells import head, interval, row
from detector.workbench.filetable import file_table
from detector.workbench.matching import COLLAR_S, LATE_S
from detector.workbench.metrics import Interval, percentile, recall_interval
from detector.workbench.roads import Timed, Told
from detector.workbench.soundscape import Scene
from detector.workbench.trials import Outcome, Trial, outcome

PER_HOUR = 0.5
_LOW, _HIGH = 0.001, 0.999


@dataclass
class Heard:
    """What a road made of all scenes."""

    timed: Timed
    trials: list[Trial] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def hear(self, scene: Scene, part: str) -> None:
        """One more."""
        told = self.timed.hear(scene.samples)
        ends_s = told.spans_s[:, 1]
        window_s = float(told.spans_s[0, 1] - told.spans_s[0, 0])
        snr_db, events, unsure = scene.snr_db, scene.events, scene.unsure
        self.trials.append(Trial(part, 0, snr_db, events, unsure, {}, ends_s, window_s))
        self.told.append(told)

    @property
    def hop_s(self) -> float:
        """Between windows."""
        spans_s = self.told[0].spans_s
        return float(spans_s[1, 0] - spans_s[0, 0])


@dataclass(frozen=True, slots=True)
class Line:
    """What a road finds of a sound at so many false alarms."""

    recall: Interval
    events: int
    onset_errors_s: Mapping[tuple[int, int], float]
    """By event that was found, as scene and place in it: told less true, of the first telling."""
    false_alarms: int
    hours: float


def line_of(heard: Heard, sound: str, per_hour: float = PER_HOUR) -> Line:
    """At the lowest threshold that raises no more false alarms."""
    config = shipped_sounds().get(sound, SoundConfig(evidence=()))
    scores = [told.values[sound] for told in heard.told]
    came = outcome(heard.trials, scores, sound, config, heard.hop_s)
    threshold = _threshold(came, per_hour)
    found, events = came.recall(threshold)
    errors = {
        (number, place): error
        for number, (trial, told) in enumerate(zip(heard.trials, heard.told, strict=True))
        for place, error in _onset_errors(trial, told, sound, config, threshold).items()
    }
    return Line(
        recall_interval(found, events), events, errors, came.false_alarms(threshold),
        came.hours,
    )  # fmt: skip


def _threshold(came: Outcome, per_hour: float) -> float:
    allowed = int(per_hour * came.hours)
    if len(came.false) <= allowed:
        return float(min(came.found, default=0.0))
    return float(np.nextafter(came.false[allowed], np.inf))


def _onset_errors(
    trial: Trial, told: Told, sound: str, config: SoundConfig, threshold: float
) -> dict[int, float]:
    """By event, through the gate of the daemon: whether a window is above is all it has to know."""
    settings = replace(gate_settings(config), threshold=0.5, release_threshold=0.3)
    gate = Gate(settings)
    began = told.began_s.get(sound)
    errors: dict[int, float] = {}
    for at, (start_s, end_s) in enumerate(told.spans_s):
        probability = _HIGH if told.values[sound][at] >= threshold else _LOW
        began_s = None if began is None else float(began[at])
        step = gate.step(probability, float(start_s), float(end_s), began_s=began_s)
        if step is None or step.phase is not Phase.ONSET:
            continue
        for place, event in enumerate(trial.events):
            is_about = event.onset_s - COLLAR_S <= end_s <= event.offset_s + LATE_S
            if event.sound == sound and is_about:
                errors.setdefault(place, step.onset_s - event.onset_s)
    return errors


def table(heard: Sequence[Heard], sounds: Sequence[str]) -> str:
    """In Markdown: all sounds together, then sound by sound."""
    lines = {one.timed.road.name: _lines(one, sounds) for one in heard}
    parts = (_together(heard, lines), _paired(heard, lines), _by_sound(heard, lines, sounds))
    return "\n".join(line for part in parts for line in (*part, ""))


def _lines(heard: Heard, sounds: Sequence[str]) -> Mapping[str, Line]:
    return {sound: line_of(heard, sound) for sound in sounds if sound in heard.timed.road.sounds}


def _together(heard: Sequence[Heard], lines: Mapping[str, Mapping[str, Line]]) -> Iterator[str]:
    yield from head(
        "road", f"recall at {PER_HOUR:g} false alarms/h", "onset error, median", "90 % within",
        "size", "ms for a second of audio",
    )  # fmt: skip
    for one in heard:
        name, mine = one.timed.road.name, lines[one.timed.road.name]
        errors = [abs(error) for line in mine.values() for error in line.onset_errors_s.values()]
        found = sum(round(line.recall.value * line.events) for line in mine.values())
        events = sum(line.events for line in mine.values())
        yield row(
            name,
            interval(recall_interval(found, events)),
            f"{percentile(errors, 50):.2f} s",
            f"{percentile(errors, 90):.2f} s",
            f"{one.timed.road.size_bytes / 1e6:.2f} MB",
            f"{one.timed.ms_per_second:.1f}",
        )


def _paired(heard: Sequence[Heard], lines: Mapping[str, Mapping[str, Line]]) -> Iterator[str]:
    """Onsets on the events that both found: who finds few finds the easy ones."""
    last = heard[-1].timed.road.name
    ours = _errors(lines[last])
    yield from head(
        "against", f"events that it and {last} found", "its median", "90 %", last, "90 %"
    )
    for one in heard[:-1]:
        theirs = _errors(lines[one.timed.road.name])
        both = sorted(ours.keys() & theirs.keys())
        cells = [
            f"{percentile([abs(errors[at]) for at in both], share):.2f} s"
            for errors in (theirs, ours)
            for share in (50, 90)
        ]
        yield row(one.timed.road.name, str(len(both)), *cells)


def _errors(lines: Mapping[str, Line]) -> dict[tuple[str, int, int], float]:
    return {
        (sound, *at): error
        for sound, line in lines.items()
        for at, error in line.onset_errors_s.items()
    }


def _by_sound(
    heard: Sequence[Heard], lines: Mapping[str, Mapping[str, Line]], sounds: Sequence[str]
) -> Iterator[str]:
    names = [one.timed.road.name for one in heard]
    yield from head("sound", "events", *names)
    for sound in sounds:
        of = [lines[name].get(sound) for name in names]
        events = max((one.events for one in of if one), default=0)
        cells = [interval(one.recall) if one and one.events else "–" for one in of]
        yield row(sound, str(events), *cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hear, and print."""
    from detector.workbench.roadmaking import opened

    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        contest = opened(options)
        heard = [Heard(Timed(road)) for road in contest.roads]
        for part, scene in contest.scenes():
            for one in heard:
                one.hear(scene, part)
    except DetectorError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201 # it is a command
        return error.exit_code
    print(contest.about())  # noqa: T201
    print(table(heard, contest.sounds))  # noqa: T201
    last = heard[-1]
    scores = {sound: [told.values[sound] for told in last.told] for sound in contest.sounds}
    print("The CRNN at the thresholds of its own file, on the same scenes:\n")  # noqa: T201
    print(file_table(last.trials, scores, contest.tellings, last.hop_s))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m detector.workbench.roadtable", description="Four roads in one table."
    )
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="a manifest CSV, or the folder that it lies in"
    )
    parser.add_argument("--crnn", type=Path, metavar="FILE", help="default: the one in the package")
    parser.add_argument(
        "--heads", type=Path, metavar="DIR",
        help="learnt without fold 0 (python -m detector.workbench.ship --folds-out)",
    )  # fmt: skip
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: $DETECTOR_MODEL")
    parser.add_argument("--no-mfcc", action="store_true", help="leave that road out")
    parser.add_argument(
        "--scenes", type=int, default=30, help="with events; two thirds as many without"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the scenes; default: 7")
    return parser


if __name__ == "__main__":
    sys.exit(main())
