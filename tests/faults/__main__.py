"""``python -m tests.faults``: break what can break, and print what came of it.

Needs DETECTOR_MODEL (the YAMNet file) and DETECTOR_AUDIO (the recordings); root for the row that
needs a network of its own.
"""

import argparse
import os
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from tests.faults.table import FAULTS, Fault, Outcome, markdown, merged

_FOLDER = Path(__file__).parent
_NO_ROWS = ("__main__", "house", "recorder", "table")
_ENDS = (pytest.fail.Exception, pytest.skip.Exception)
"""What the shared helpers raise where a test would end."""


def load_rows() -> None:
    """Import every module of this folder that may hold rows."""
    for path in sorted(_FOLDER.glob("*.py")):
        if path.stem not in _NO_ROWS and not path.stem.startswith("test_"):
            import_module(f"tests.faults.{path.stem}")


def run(name: str, function: Fault) -> Outcome:
    """One row; one that cannot even be finished has failed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            outcome = function(Path(folder))
        except (Exception, *_ENDS) as error:  # noqa: BLE001 - the other rows are still wanted
            outcome = Outcome(" ".join((function.__doc__ or "").split()))
            outcome.failures.append(f"{type(error).__name__}: {error}")
            traceback.print_exc()
        if outcome.failures:
            _show_log(name, Path(folder) / "detector.log")
    print(outcome.line(name), flush=True)
    return outcome


def _show_log(name: str, path: Path) -> None:
    if path.exists():
        print(f"-- {name}: the daemon's log", file=sys.stderr)
        print(path.read_text(errors="replace")[-6000:], file=sys.stderr, flush=True)


def main() -> int:
    """Run the named rows, or all; 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to run; default: all")
    parser.add_argument("--list", action="store_true", help="print the rows there are")
    parser.add_argument("--markdown", type=Path, help="write the table there")
    parser.add_argument("--jobs", type=int, default=1, help="so many rows at a time")
    arguments = parser.parse_args()
    load_rows()
    if arguments.list:
        print("\n".join(FAULTS))
        return 0
    missing = [name for name in ("DETECTOR_MODEL", "DETECTOR_AUDIO") if not os.environ.get(name)]
    if missing:
        parser.error(f"{' and '.join(missing)}: not set")
    unknown = set(arguments.names) - set(FAULTS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    names = arguments.names or list(FAULTS)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = dict(zip(names, pool.map(lambda n: run(n, FAULTS[n]), names), strict=True))
    if arguments.markdown is not None:
        path: Path = arguments.markdown
        page = path.read_text(encoding="utf-8") if path.exists() else ""
        fresh = {name: outcome.line(name) for name, outcome in outcomes.items()}
        path.write_text(markdown(merged(page, fresh)), encoding="utf-8")
    return 1 if any(outcome.failures for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
