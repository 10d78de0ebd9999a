"""``detector scan PATH…``: archives of recordings to a table of events and a timeline."""

import argparse
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load,
    load_model,
)
from detector.core.errors import AudioError, ConfigError, DetectorError, Problem

if TYPE_CHECKING:
    from detector.cli.progress import ScanReport
    from detector.config import Config
    from detector.scan.campaign import Runner, Scan
    from detector.scan.listing import Listing
    from detector.scan.scanning import ScanSettings

_DESCRIPTION = """\
Hear archives, of any length and format, on all cores, with what the daemon hears with: a table
of events (CSV or Parquet) and a timeline beside it. Times are seconds from a file's beginning,
and times of day where its name says when it began (20261121_031500.wav, 2026-11-21T03-15-00 …).

What is done stands in a journal beside the table: after an interruption the same command goes on,
and later it hears only what is new. A file that cannot be heard, or not to its end, is said and
passed over, with code 4.

  detector scan recordings
  detector scan /mnt/sd/DATA --sounds dog_bark,siren --out july.parquet --workers 2
  detector scan /nfs/archive --scheduler tcp://10.0.0.5:8786
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "scan",
        summary="archives of recordings to a table of events and a timeline",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a recording, or a folder of them"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the table; the timeline (.html) and the journal (.journal) are called the same; "
        "default: scan.csv or scan.parquet here",
    )
    parser.add_argument(
        "--format", choices=("csv", "parquet"), help="default: as --out ends, else csv"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sounds", type=_names, metavar="A,B", help="only these, also shipped ones")
    which.add_argument(
        "-a", "--all", action="store_true", help="listen for all shipped sounds, not only yours"
    )
    parser.add_argument(
        "--workers", type=_count, metavar="N", help="processes; default: one for each core"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have a Dask cluster do it, whose workers see the same files at the same paths; "
        "`local`: one of our own (needs the extra `cluster`)",
    )
    add_config_option(parser)
    add_model_option(parser)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("names no sound")
    return names


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Scan; what cannot be heard is said and passed over, with code 4."""
    from detector.audio.file import readable_suffixes
    from detector.cli.progress import scan_progress
    from detector.scan.campaign import Scan, Watcher
    from detector.scan.journal import Journal
    from detector.scan.listing import list_recordings
    from detector.scan.table import check_format

    form, table = _output(arguments)
    check_format(form)
    runner = _runner(arguments)
    settings = _settings(arguments)
    listing = list_recordings(arguments.paths, readable_suffixes())
    _check_listing(listing, arguments.paths)
    began_s = time.monotonic()
    with Journal(table.with_suffix(".journal")) as journal:
        with scan_progress() as report:
            scan = Scan(listing, settings, journal, Watcher(report.progress, report.problem))
            _run(scan, runner, report)
        sounds = _write(scan, form, table, len(settings.config.enabled_sounds))
    _tell(scan, listing, sounds, time.monotonic() - began_s)
    print(f"{table}, {table.with_suffix('.html')}")
    return AudioError.exit_code if scan.problems else 0


def _output(arguments: argparse.Namespace) -> tuple[str, Path]:
    """Format and table; raises DetectorError where they do not agree.

    The name must end as a table's, so that a recording is never written over.
    """
    from detector.scan.table import SUFFIXES

    by_suffix = {suffix: name for name, suffix in SUFFIXES.items()}
    path: Path | None = arguments.out
    form: str = arguments.format or by_suffix.get(path.suffix if path else "", "csv")
    table = path or Path(f"scan{SUFFIXES[form]}")
    if table.suffix != SUFFIXES[form]:
        raise DetectorError(f"--out {table}: the name of a {form} table ends in {SUFFIXES[form]}")
    if table.is_dir():
        raise DetectorError(f"--out {table} is a directory")
    return form, table


def _settings(arguments: argparse.Namespace) -> "ScanSettings":
    """What workers need; raises ConfigError and ModelError before there are any."""
    from detector.scan.settings import settings_of
    from detector.service.build import build_pipeline
    from detector.service.clock import SystemClock

    config = _config(arguments)
    model = load_model(arguments, config)
    build_pipeline(config, [model.recogniser], clock=SystemClock())
    return settings_of(
        config,
        model=model.path or _model_path(arguments, config),
        spec=model.recogniser.spec,
        runtime=model.facts.runtime,
    )


def _model_path(arguments: argparse.Namespace, config: "Config") -> Path:
    from detector.cli.common import found_model

    return found_model(arguments, config)


def _config(arguments: argparse.Namespace) -> "Config":
    from detector.config.sounds import with_all_sounds
    from detector.config.values import suggestion

    config = load(arguments)
    every = with_all_sounds(config)
    if arguments.all:
        return every
    if arguments.sounds is None:
        return config
    for name in arguments.sounds:
        if name not in every.sounds:
            offer = suggestion(name, every.sounds) or f"; there are {', '.join(every.sounds)}"
            raise ConfigError([Problem("", f"--sounds {name}", f"is no sound{offer}")])
    chosen = {name: replace(every.sounds[name], enabled=True) for name in arguments.sounds}
    return replace(every, sounds=chosen)


def _runner(arguments: argparse.Namespace) -> "Runner":
    """Who does it; raises DetectorError where what that needs is not installed."""
    from detector.scan.cluster import check_cluster, scan_on_cluster
    from detector.scan.pool import scan_on_cores, usual_workers

    workers = arguments.workers or usual_workers()
    if arguments.scheduler is None:
        return lambda files, settings: scan_on_cores(files, settings, workers)
    address: str = arguments.scheduler
    check_cluster(address)
    return lambda files, settings: scan_on_cluster(address, files, settings, workers)


def _check_listing(listing: "Listing", paths: list[Path]) -> None:
    for suffix, count in sorted(listing.foreign.items()):
        print(
            f"detector: {count} files {suffix} are passed over: that format is not read "
            "(ffmpeg can turn them into .flac)",
            file=sys.stderr,
        )
    if not listing.recordings and not listing.problems:
        raise AudioError(f"no recording in {', '.join(map(str, paths))}")


def _run(scan: "Scan", runner: "Runner", report: "ScanReport") -> None:
    try:
        scan.run(runner)
    except KeyboardInterrupt:
        with suppress(OSError):
            report.problem(
                f"interrupted, with {scan.files} files done; the same command goes on from there"
            )
        raise


def _write(scan: "Scan", form: str, table: Path, sounds: int) -> int:
    """Table and timeline; returns how many sounds there are. Raises DetectorError."""
    from detector.scan.lanes import longest_undated_s, timeline_of
    from detector.scan.table import write_table
    from detector.scan.timeline import timeline_html
    from detector.scan.whole import written_whole

    count = write_table(table, form, scan.results())
    timeline = timeline_of(scan.results(), longest_undated_s(scan.results()))
    made = f"{scan.files} files, {count} events of {sounds} kinds of sound that were listened for."
    with written_whole(table.with_suffix(".html")) as draft:
        draft.write_text(timeline_html(timeline, made=made), encoding="utf-8")
    return count


def _tell(scan: "Scan", listing: "Listing", sounds: int, elapsed_s: float) -> None:
    from detector.cli.show import seconds

    speed = f", {scan.heard_s / elapsed_s:.0f} × real time" if scan.heard_s else ""
    print(
        f"{len(listing.recordings)} files, {sounds} sounds; "
        f"{seconds(scan.heard_s)} heard in {seconds(elapsed_s)}{speed}"
    )
    if scan.remembered:
        print(f"{scan.remembered} files were done before")
    if scan.problems:
        print(f"{scan.problems} could not be heard, or not to their ends: see above")
