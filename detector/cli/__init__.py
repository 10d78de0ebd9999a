"""What a person types: one module per command; errors become exit codes here and nowhere else."""

import argparse
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from detector import __version__
from detector.core.errors import DetectorError

_COMMANDS = (
    "run",
    "listen",
    "classify",
    "scan",
    "explain",
    "record",
    "learn",
    "sounds",
    "feedback",
    "calibrate",
    "train",
    "evaluate",
    "demo",
    "doctor",
    "devices",
    "history",
    "test_alert",
    "selftest",
    "arm",
    "config",
    "model",
    "service",
)

_DESCRIPTION = """\
Listens to a microphone, recognises sounds, and tells Home Assistant over MQTT.
Audio never leaves this machine.

An assistive aid, not a life-safety device: it does not replace listed smoke or
carbon monoxide alarms, and must not be relied on where you could come to harm.
"""

_EPILOG = """\
first steps:
  detector demo                 hear a synthesised smoke alarm, without a microphone
  detector devices              which microphones there are
  detector doctor               is everything in order, and what to do if not
  detector listen               what it hears now, and why a sound does or does not fire
  detector run                  listen for good; events are JSON lines until a broker is set

exit codes:
  0 success    1 the answer is no (a check failed, the demo's alarm was missed)
  2 wrong use of the command line    3 configuration    4 audio    5 model
  6 MQTT    7 the running service    8 installation    9 labelled recordings
  130 interrupted
"""


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The whole command line; or, where ``argv`` begins with a command, as much as that needs."""
    parser = argparse.ArgumentParser(
        prog="detector",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"detector {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = argv[0].replace("-", "_") if argv else ""
    for name in (named,) if named in _COMMANDS else _COMMANDS:
        importlib.import_module(f"detector.cli.{name}").add_parser(commands)
    return parser


_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE)


def _compute_in_one_thread() -> None:
    """Spectra and heads are small: shared out over busy cores they take many times as long.

    numpy's library reads it once, when numpy is first imported, which is after this.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    _prepare_streams()
    _compute_in_one_thread()
    given = sys.argv[1:] if argv is None else argv
    arguments = build_parser(given).parse_args(given)
    try:
        code = arguments.handler(arguments)
        sys.stdout.flush()
    except DetectorError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; what Python still flushes at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        _complain(f"the output cannot be written: {os.strerror(error.errno).lower()}")
        return 1
    return int(code)


def _prepare_streams() -> None:
    """Have three standard streams that take any text.

    One that is closed becomes /dev/null: else the next file we open would take its place. What a
    stream's encoding lacks (a name of odd bytes, ≥ in Latin-1) is escaped: never a traceback.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - stays
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _complain(text: str) -> None:
    for line in text.splitlines():
        print(f"detector: {line}", file=sys.stderr)
