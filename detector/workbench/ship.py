"""``python -m detector.workbench.ship DATA --out DIR``: the heads that are shipped, made again.

Learns a head for each sound that has one, on labelled recordings; settles its curve and threshold
on recordings that the head has not heard; and writes the heads with what they rest on.  For all
sounds, a calibration is written beside: ``DIR/calibration.yaml``, of which the numbers stand in the
shipped sounds.  With ``--folds-out`` the same is done for each fold without its recordings, for
``detector evaluate --heads``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detector.cli.common import add_config_option, add_model_option, load, load_model
from detector.config import Config
from detector.config.calibration import CalibratedSound
from detector.config.sounds import shipped_sounds
from detector.core.errors import DetectorError
from detector.workbench.alarms import MAKERS
from detector.workbench.course import FOLDS, Amounts, Course
from detector.workbench.dataset import by_sound, read_dataset
from detector.workbench.keeping import Keeper
from detector.workbench.observe import Cache
from detector.workbench.recipe import HEADS, RECIPE
from detector.workbench.settling import Budget, Figures, Road, Settled, figures, settled
from detector.workbench.shipping import Made, calibrated, write

_DESCRIPTION = """\
Learn the heads that come with the detector, and settle the thresholds of all sounds, out of fold by
group. Needs a manifest CSV with the columns path, label, group and licence (see detector evaluate).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, settle, write and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _ship(options)
    except DetectorError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201 # it is a command
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m detector.workbench.ship", description=_DESCRIPTION)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the heads")
    parser.add_argument("--folds-out", type=Path, metavar="DIR", help="for those of each fold")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep what was heard there")
    parser.add_argument("--seed", type=int, default=0, help="of all chance; default: 0")
    parser.add_argument("--scenes", type=int, default=30, help="of each fold; default: 30")
    add_config_option(parser)
    add_model_option(parser)
    parser.set_defaults(verbose=False)
    return parser


def _ship(options: argparse.Namespace) -> None:
    config = load(options)
    recordings = read_dataset(options.data)
    recogniser = load_model(options, config).recogniser
