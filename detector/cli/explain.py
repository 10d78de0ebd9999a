"""``detector explain``: why a sound fired, or did not."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load,
    load_model,
    positive_seconds,
    required_service,
)
from detector.core.errors import AudioError, DetectorError

if TYPE_CHECKING:
    from detector.service.pipeline import Snapshot

_DESCRIPTION = """\
Say why a sound fired or did not: its probability against its threshold, how much of it was
heard, and which other sound came nearest, at the moments at which it was nearest.

  detector explain cry.wav          a recording, through the same pipeline as the daemon's
  detector explain --last 60        what the running service has just heard (at most 90 s)
  detector explain nursery-1767225611042-5f0c2a
                                    an event of the past; see `detector history --json`
"""

_EVENT_ID = re.compile(r".+-\d{13}-[0-9a-f]{6}")
_USUAL_SECONDS = 30.0


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "explain",
        summary="why a sound fired, or did not",
        description=_DESCRIPTION,
        handler=run,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("what", nargs="?", metavar="FILE|EVENT_ID")
    what.add_argument(
        "--last",
        nargs="?",
        type=positive_seconds,
        const=_USUAL_SECONDS,
        metavar="SECONDS",
        help="what the running service heard last (default: 30 s, also where nothing is named)",
    )
    parser.add_argument("--sound", metavar="NAME", help="only this sound")
    parser.add_argument(
        "-a", "--all", action="store_true", help="in a recording: for all shipped sounds"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a sound")
    parser.add_argument("--node", help="which service, if several run here")
    add_config_option(parser)
    add_model_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain a recording, the last seconds, or an event."""
    what = arguments.what
    if what is None:
        return _explain_last(arguments, arguments.last or _USUAL_SECONDS)
    if not Path(what).exists() and _EVENT_ID.fullmatch(what):
        return _explain_event(arguments, what)
    return _explain_file(arguments, Path(what))


def _explain_last(arguments: argparse.Namespace, seconds: float) -> int:
    """From the observations that the service remembers."""
    client = required_service(arguments.node)
    windows = client.request("explain", seconds=seconds)["windows"]
    newest_s = windows[-1]["end_s"] if windows else 0.0
    return _print(arguments, windows, lambda at_s: f"{at_s - newest_s:.1f} s".replace("-", "−"))


def _explain_file(arguments: argparse.Namespace, path: Path) -> int:
    """Through a pipeline of our own."""
    from detector.cli.show import seconds
    from detector.service.parts import snapshot_document

    windows = [snapshot_document(window) for window in _windows_of(arguments, path)]
    if not windows:
        raise AudioError(f"{path} holds no audio")
    return _print(arguments, windows, seconds)


def _windows_of(arguments: argparse.Namespace, path: Path) -> "list[Snapshot]":
    from detector.audio.file import FileSource
    from detector.cli.progress import audio_progress
    from detector.config.sounds import with_all_sounds
    from detector.core.audio import SAMPLE_RATE_HZ
    from detector.service.build import build_pipeline
    from detector.service.clock import SystemClock
    from detector.service.offline import run_to_end

    config, clock = load(arguments), SystemClock()
    config = with_all_sounds(config) if arguments.all else config
    recogniser = load_model(arguments, config).recogniser
    source = FileSource(path, realtime=False, channel=config.audio.channel, clock=clock)
    windows: list[Snapshot] = []
    pipeline = build_pipeline(config, [recogniser], clock=clock, on_snapshot=windows.append)
    with audio_progress(path) as progress:
        for reached, _ in run_to_end(source, pipeline, recogniser.spec):
            progress(round(reached / SAMPLE_RATE_HZ), round(source.duration_s))
    return windows


def _explain_event(arguments: argparse.Namespace, event_id: str) -> int:
    """From the history: what was said when it was decided."""
    from detector.alerts.history import Question
    from detector.cli.explained import event_lines
    from detector.cli.history import entries

    known = entries(arguments, Question(), required=True)
    found = [one for one in known if one["id"] == event_id]
    if not found:
        raise DetectorError(f"{event_id}: no such event in the history; see detector history")
    entry = found[0]
    print(json.dumps(entry, ensure_ascii=False) if arguments.json else _joined(event_lines(entry)))
    return 0


def _print(arguments: argparse.Namespace, windows: Sequence[dict[str, Any]], when: Any) -> int:
    from detector.cli.explained import explained, lines

    names = _wanted(arguments, windows)
    sounds = [explained(windows, name) for name in names]
    if arguments.json:
        for one in sounds:
            print(json.dumps(one, ensure_ascii=False))
    else:
        print(_joined(lines(sounds, when)) or "nothing has been heard yet")
    return 0


def _wanted(arguments: argparse.Namespace, windows: Sequence[dict[str, Any]]) -> list[str]:
    from detector.config.values import suggestion

    names = [one["sound"] for one in windows[-1]["sounds"]] if windows else []
    if arguments.sound is None or not windows:
        return names
    if arguments.sound not in names:
        hint = suggestion(arguments.sound, names) or f"; those are {', '.join(names)}"
        raise DetectorError(f"{arguments.sound} is not listened for{hint}")
    return [arguments.sound]


def _joined(rows: Any) -> str:
    return "\n".join(rows)
