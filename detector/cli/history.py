"""``detector history``: what was heard, and whether it got through."""

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.common import Subparsers, add_command, add_config_option, load, running_service

if TYPE_CHECKING:
    from detector.alerts.history import Question

_DESCRIPTION = """\
Show what was heard and told: by default the newest 50 events, oldest first. Where the service
runs it is asked; else the state directory is read.

  detector history --since today
  detector history --sound baby_cry --since 7d
  detector history --since 2026-11-01 --until 2026-11-08 --csv > week.csv

WHEN is a time ago (90m, 12h, 7d), today, yesterday, or a date or time such as 2026-11-20 or
2026-11-20T18:30, in this machine's time zone.
"""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SERVICES = Path("/var/lib")
_COLUMNS = (
    "onset",
    "offset",
    "kind",
    "sound",
    "duration_s",
    "probability",
    "peak_probability",
    "threshold",
    "calibrated",
    "level_dbfs",
    "urgency",
    "test",
    "confirmed",
    "reason",
    "why",
    "delivery",
    "node",
    "id",
)


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "history",
        summary="what was heard and told, and whether it got through",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("--sound", metavar="NAME", help="only this sound")
    parser.add_argument("--since", type=moment, metavar="WHEN", help="what began then or later")
    parser.add_argument("--until", type=moment, metavar="WHEN", help="what began before")
    parser.add_argument(
        "-n", "--limit", type=_count, default=50, metavar="N", help="the newest N (default 50)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object an event")
    form.add_argument("--csv", action="store_true", help="comma-separated, with a heading")
    parser.add_argument("--node", help="which service, if several run here")
    add_config_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    from detector.alerts.history import Question

    question = Question(
        sound=arguments.sound,
        since_unix_s=arguments.since,
        until_unix_s=arguments.until,
        limit=arguments.limit,
    )
    found = entries(arguments, question)
    if arguments.json:
        for entry in found:
            print(json.dumps(entry, ensure_ascii=False))
    elif arguments.csv:
        _write_csv(found)
    else:
        print("\n".join(_table(found)))
    return 0


def moment(text: str, now: datetime | None = None) -> float:
    """Unix seconds of what a person calls WHEN; raises ArgumentTypeError for what is none."""
    now = now or datetime.now().astimezone()
    # By the calendar alone: where the clocks change today, midnight had another offset than now.
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    ago = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhdw])", text)
    try:
        if ago:
            return (now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})).timestamp()
        if text in ("today", "yesterday"):
            return (midnight - timedelta(days=text == "yesterday")).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: 90m, 12h, 7d, today, yesterday, 2026-11-20 or 2026-11-20T18:30"
        ) from None


def _count(text: str) -> int:
    from detector.alerts.history import MOST

    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}")
    return int(text)


def entries(
    arguments: argparse.Namespace, question: "Question", *, required: bool = False
) -> list[dict[str, Any]]:
    """What the service, or else the state directory, says; without either, nothing.

    That is told, or if a history is ``required`` raised as DetectorError.
    """
    from dataclasses import asdict

    from detector.alerts.history import read_history
    from detector.core.errors import DetectorError

    service = running_service(arguments.node)
    if service is not None:
        return list(service.request("history", **asdict(question))["events"])
    path = _database(arguments)
    if not _is_there(path):
        if required:
            raise DetectorError(f"no history at {path}; of another node: --node NAME")
        print(f"detector: no history at {path}", file=sys.stderr)
    return read_history(path, question)


def _database(arguments: argparse.Namespace) -> Path:
    """The configured node's, or else that of a service that does not run now."""
    from detector.service.outputs import outbox_path
    from detector.service.overrides import state_directory

    config = load(arguments)
    node = arguments.node or config.node
    own = outbox_path(state_directory(config, os.environ), node)
    services = (outbox_path(folder, node) for folder in sorted(_SERVICES.glob("detector*")))
    return next((path for path in (own, *services) if _is_there(path)), own)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # and reading it will say that it is not for us


def _write_csv(entries: Sequence[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in entries:
        row = entry | {"delivery": _delivery(entry)}
        writer.writerow(["" if row.get(name) is None else row[name] for name in _COLUMNS])


def _table(entries: Sequence[dict[str, Any]]) -> list[str]:
    if not entries:
        return ["no event"]
    return [_line(entry) for entry in entries]


def _line(entry: dict[str, Any]) -> str:
    began = datetime.fromisoformat(entry["onset"]).astimezone()
    what = entry["sound"] or entry["kind"]
    facts = []
    if entry["test"] and entry["sound"]:
        facts.append("test alert")
    if not entry.get("confirmed", True):
        facts.append("possible, not confirmed")
    if entry["probability"] is not None:
        peak = f", peak {entry['peak_probability']:.2f}" if entry["offset"] else ""
        compared = f"{entry['probability']:.2f} ≥ {entry['threshold']:.2f}"
        facts.append((entry.get("why") or compared) + peak)
    if entry["reason"] not in (None, "data"):
        facts.append(entry["reason"])
    lasted = "" if entry["duration_s"] is None else f"{entry['duration_s']:.1f} s"
    told = _delivery(entry)
    return (
        f"{began:%Y-%m-%d %H:%M:%S}  {what:<20} {lasted:>8}  {'; '.join(facts):<32}  {told}"
    ).rstrip()


def _delivery(entry: dict[str, Any]) -> str:
    """``delivered``, or how each outlet stands where one has not had everything."""
    states = entry["delivery"]
    if set(states.values()) <= {"delivered"}:
        return "delivered" if states else ""
    return ", ".join(f"{sink}: {state}" for sink, state in states.items())
