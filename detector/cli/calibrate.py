"""``detector calibrate``: labelled recordings in, thresholds that can be trusted out."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load_model,
    served_by,
    set_up_logging,
)
from detector.core.errors import DataError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.workbench.calibrating import Result
    from detector.workbench.dataset import Recording
    from detector.workbench.thresholds import Target

_DESCRIPTION = """\
Learn from recordings of your own: what a sound's probability means where you live, and at which
threshold it should be told. What is shipped is refined, not thrown away.

  detector record --sound doorbell        ring it; a few times on several days
  detector record --minutes 60            an ordinary evening without any of the sounds
  detector calibrate recordings --max-false-alarms 1/day

DATA is a folder with a folder of recordings for each sound (in it, if you like, a folder for each
dog, person or day), a CSV with the columns path, label and group, or a TSV with filename, onset,
offset and event_label. A label track of Audacity (a.txt beside a.wav) tells exact times.

Writes a calibration that the detector reads at its next start or reload, and a report to look at in
a browser. Recordings that cannot be used are named, and nothing is written.
"""
_USUAL_TARGET = "1/day"


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "calibrate",
        summary="learn thresholds and probabilities from recordings of your own",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA")
    parser.add_argument(
        "--sound",
        action="append",
        default=[],
        metavar="NAME",
        help="only this sound; may be given again (default: all that are labelled in DATA)",
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--max-false-alarms",
        type=_rate,
        dest="target",
        metavar="RATE",
        help="so many of each sound at most: 1/day, 0.5/h, 2/week (default: 1/day)",
    )
    goal.add_argument(
        "--min-recall",
        type=_recall,
        dest="target",
        metavar="SHARE",
        help="find at least this share of them, such as 0.95, at whatever price",
    )
    parser.add_argument(
        "--evening",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="recordings without any of the sounds that are not in DATA/evening; where there are "
        "evenings, false alarms are counted in them alone",
    )
    parser.add_argument(
        "--skip-unfit", action="store_true", help="leave recordings out that cannot be used"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: calibration.yaml beside the configuration",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="default: the same with .html in the end"
    )
    add_config_option(parser)
    add_model_option(parser)


def _rate(text: str) -> "Target":
    from detector.workbench.thresholds import read_rate

    return _read(read_rate, text)


def _recall(text: str) -> "Target":
    from detector.workbench.thresholds import read_recall

    return _read(read_recall, text)


def _read(reader: "Callable[[str], Target]", text: str) -> "Target":
    try:
        return reader(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Hear, fit, write, and say what came of it."""
    from detector.config.calibration import read_calibration
    from detector.config.calibration_text import calibration_text
    from detector.config.sounds import with_all_sounds
    from detector.workbench.calibrating import calibration_of, over
    from detector.workbench.report import report_html

    plain = _load(arguments)
    config = with_all_sounds(plain)
    out = _out(arguments, config)
    check_place(out)  # what is a folder, such as `.`, has no suffix either
    report = arguments.report or out.with_suffix(".html")
    check_place(report)
    before = read_calibration(out) if out.exists() else None
    result = _calibrate(arguments, config)
    made = calibration_of(result, [*arguments.data, *arguments.evening])
    page = report_html(result, made=f"{made.provenance.made_by}, {made.provenance.date}")
    write_all({report: page, out: calibration_text(over(made, before), out.parent)})
    _tell(result, plain.enabled_sounds)
    print(f"written: {out}, {report}")
    print("the detector uses it after its next start or reload (systemctl reload detector)")
    return 0


def _load(arguments: argparse.Namespace) -> "Config":
    """Without a calibration over it: it is made anew from what was there before."""
    from detector.config.loader import load_config

    set_up_logging("debug" if arguments.verbose else "warning")
    return load_config(arguments.config, environ=os.environ, calibrated=False)


def _out(arguments: argparse.Namespace, config: "Config") -> Path:
    from detector.config.calibration import CALIBRATION_NAME
    from detector.config.loader import users_folder

    if arguments.out is not None:
        return Path(arguments.out)
    if config.calibration is not None:
        return config.calibration
    source = Path(config.origins[""].source)
    folder = source.absolute().parent if source.is_file() else users_folder(os.environ)
    if folder is None:
        raise DataError("no configuration and no home folder: say where to write it (--out FILE)")
    if not source.is_file():
        with suppress(OSError):  # told of where the file is to be written
            folder.mkdir(parents=True, exist_ok=True)
    return folder / CALIBRATION_NAME


def check_place(path: Path) -> None:
    """Before an hour of recordings is heard; raises DataError for what is no place for a file."""
    if path.is_dir():
        raise DataError(f"{path} cannot be written: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise DataError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"{path} cannot be written: no right to write into {path.parent}")


def _calibrate(arguments: argparse.Namespace, config: "Config") -> "Result":
    from detector.cli.progress import recordings_progress
    from detector.service.clock import SystemClock
    from detector.workbench.calibrating import Calibrating, Order
    from detector.workbench.thresholds import read_rate

    recordings = _recordings(arguments)
    target = arguments.target or read_rate(_USUAL_TARGET)
    order = Order(tuple(dict.fromkeys(arguments.sound)), target, arguments.skip_unfit)
    model = load_model(arguments, config)
    config = served_by(config, model.recogniser.spec)
    calibrating = Calibrating(config, model.recogniser, clock=SystemClock())
    with recordings_progress() as progress:
        return calibrating.calibrate(recordings, order, progress=progress)


def _recordings(arguments: argparse.Namespace) -> "list[Recording]":
    from detector.workbench.calibrating import evenings
    from detector.workbench.dataset import read_dataset

    labelled = [one for data in arguments.data for one in read_dataset(data)]
    return [*labelled, *(one for folder in arguments.evening for one in evenings(folder))]


def write_all(texts: Mapping[Path, str]) -> None:
    """All of them or none; raises DataError for one that cannot be written."""
    drafts: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            drafts[path] = _draft(path, text)
        for path, draft in drafts.items():
            _in_place(draft, path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _draft(path: Path, text: str) -> Path:
    """A file beside ``path`` that holds the text, safely on the disk."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)  # the service's user is to read it
                os.fsync(file.fileno())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
    return Path(name)


def _in_place(draft: Path, path: Path) -> None:
    try:
        draft.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error


def _tell(result: "Result", listened_for: Container[str]) -> None:
    """What came of each sound; on standard error, what else a person is to know."""
    from detector.workbench.calibrating import basis

    for line in map(str, result.skipped):
        print(f"detector: left out: {line}", file=sys.stderr)
    for line in result.left:
        print(f"detector: left as it was: {line}", file=sys.stderr)
    for line in (result.strangers, _not_listened_for(result, listened_for)):
        if line:
            print(f"detector: {line}", file=sys.stderr)
    for one in result.sounds:
        print(f"{one.fit.sound}: threshold {one.choice.threshold:g}; {basis(one)}")
        if one.choice.supported:
            print(f"  {one.choice.supported}")


def _not_listened_for(result: "Result", listened_for: Container[str]) -> str:
    names = [one.fit.sound for one in result.sounds if one.fit.sound not in listened_for]
    hint = "switch on under `sounds` in the configuration what is to be told"
    return f"not listened for yet: {', '.join(names)}; {hint}" if names else ""
