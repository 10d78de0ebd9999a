"""``detector classify FILE…``: events and best classes of recordings."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load,
    load_model,
)
from detector.core.errors import AudioError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.core.events import Event
    from detector.core.recognition import Recogniser
    from detector.service.pipeline import Snapshot

_DESCRIPTION = """\
Run recordings (WAV, FLAC, OGG, MP3; any rate and channel count) through the same
pipeline that the daemon runs, as fast as the machine can.

Prints the events of the configured sounds, and the best classes over time. The end of a
recording is filled up with silence to a whole window.

  detector classify cry.wav
  detector classify --all night/*.flac --json > night.jsonl
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "classify",
        summary="events and best classes of recordings",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "-a", "--all", action="store_true", help="listen for all shipped sounds, not only yours"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a file")
    add_config_option(parser)
    add_model_option(parser)


@dataclass
class _Report:
    path: Path
    duration_s: float = 0.0
    events: "list[Event]" = field(default_factory=list)
    windows: "list[Snapshot]" = field(default_factory=list)


def run(arguments: argparse.Namespace) -> int:
    """Classify every file; one that cannot be read is said and passed over, with code 4."""
    from detector.config.sounds import with_all_sounds

    config = load(arguments)
    if arguments.all:
        config = with_all_sounds(config)
    recogniser = load_model(arguments, config).recogniser
    failed = 0
    for path in arguments.files:
        try:
            report = _classify(path, config, recogniser)
        except AudioError as error:
            failed = error.exit_code
            print(f"detector: {error}", file=sys.stderr)
            continue
        print(
            json.dumps(_document(report), ensure_ascii=False)
            if arguments.json
            else "\n".join(_table(report))
        )
    return failed


def _classify(path: Path, config: "Config", recogniser: "Recogniser") -> _Report:
    from detector.audio.file import FileSource
    from detector.cli.progress import audio_progress
    from detector.core.audio import SAMPLE_RATE_HZ
    from detector.service.build import build_pipeline
    from detector.service.clock import SystemClock
    from detector.service.offline import run_to_end
    from detector.service.secondstage import at_once

    clock = SystemClock()
    report = _Report(path)
    source = FileSource(path, realtime=False, channel=config.audio.channel, clock=clock)
    pipeline = build_pipeline(
        config, [recogniser], clock=clock, on_snapshot=report.windows.append, ask=at_once
    )
    with audio_progress(path) as progress:
        for reached, events in run_to_end(source, pipeline, recogniser.spec):
            report.events += events
            report.duration_s = reached / SAMPLE_RATE_HZ
            progress(round(report.duration_s), round(source.duration_s))
    return report


def _table(report: _Report) -> Iterator[str]:
    from detector.cli.show import classes, event_line, level_text, seconds

    yield f"{report.path}  ({seconds(report.duration_s)})"
    yield from (f"  {event_line(event)}" for event in report.events)
    if not report.events:
        yield "  no event"
    yield "  best classes:"
    for run_of in _runs(report.windows):
        loudest = max(run_of, key=lambda window: window.classes[0].score)
        span = f"{seconds(run_of[0].start_s)} … {seconds(run_of[-1].end_s)}"
        level = level_text(max(window.level_dbfs for window in run_of))
        yield f"  {span:>19}  {level:>12}  {classes(loudest.classes)}"


def _runs(windows: "list[Snapshot]") -> "Iterator[list[Snapshot]]":
    """Consecutive windows with the same best class."""
    run_of: list[Snapshot] = []
    for window in windows:
        if run_of and window.classes[0].name != run_of[-1].classes[0].name:
            yield run_of
            run_of = []
        run_of.append(window)
    if run_of:
        yield run_of


def _document(report: _Report) -> dict[str, Any]:
    from detector.service.parts import window_document

    return {
        "file": str(report.path),
        "duration_s": round(report.duration_s, 3),
        "events": [_event(event) for event in report.events],
        "windows": [window_document(window) for window in report.windows],
    }


def _event(event: "Event") -> dict[str, Any]:
    """An event on the file's own time: the time of day means nothing here."""
    from detector.alerts.messages import event_payload

    body = event_payload(event)
    for name in ("id", "onset", "offset", "node", "latency_ms", "clock_synchronised", "test"):
        del body[name]
    offset_s = event.offset_s
    return body | {
        "onset_s": round(event.onset_s, 3),
        "offset_s": None if offset_s is None else round(offset_s, 3),
    }
