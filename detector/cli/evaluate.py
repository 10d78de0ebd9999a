"""``detector evaluate DATA``: how much is found, and how often it is wrong, beside others."""

import argparse
import json
import sys
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
    served_by,
)
from detector.core.errors import DataError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.workbench.dataset import Recording
    from detector.workbench.evaluation import Ears, Order
    from detector.workbench.splits import Split

_DESCRIPTION = """\
Measure the whole pipeline, as the service runs it, on labelled recordings: recall, false
alarms per hour and latency, per sound and signal-to-noise ratio, with intervals of 95 %;
and on the same audio what others decide by (Frigate, YamCam, the plain loop).

DATA is a folder per sound (DATA/dog_bark/rex__1.wav), a manifest CSV with the columns path,
label and group, or strong labels (a DCASE TSV; an Audacity label track beside each file).
Sounds are mixed into its long recordings (room_tone, evening, kitchen, music, speech,
tv_radio, traffic, ambience, rain) at stated ratios; evenings are those recordings alone.

Where the evidence in force was fitted on these very recordings, that is said. To measure out
of fold, give the heads of each fold: DIR/fold-0/baby_cry.json, DIR/fold-1/baby_cry.json …

  detector evaluate recordings --markdown > evaluation.md
  detector evaluate recordings --heads out-of-fold --hours 8 --seed 2
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "evaluate",
        summary="recall and false alarms on labelled recordings, beside others",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    _add_amounts(parser)
    parser.add_argument(
        "--sounds", type=_names, metavar="A,B", help="only these; default: all that are labelled"
    )
    parser.add_argument(
        "--heads", type=Path, metavar="DIR", help="heads of each fold, to measure out of fold"
    )
    parser.add_argument(
        "--configured", action="store_true", help="only the sounds of the configuration"
    )
    parser.add_argument(
        "--eager", action="store_true", help="also compare with the most eager loop (slow)"
    )
    parser.add_argument(
        "--psds", action="store_true", help="also PSDS (needs the extra `workbench`)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep there what the model makes of the audio"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="all figures as one JSON object")
    shape.add_argument("--markdown", action="store_true", help="tables in Markdown (the default)")
    add_config_option(parser)
    add_model_option(parser)


def _add_amounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hours", type=_hours, default=4.0, metavar="H", help="of scenes with events; default: 4"
    )
    parser.add_argument(
        "--evenings",
        type=_hours,
        default=2.5,
        metavar="H",
        help="hours of evenings without any event; default: 2.5",
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance; default: 1")
    parser.add_argument(
        "--snr",
        type=_ratios,
        default=(20.0, 10.0, 3.0),
        metavar="DB,DB",
        help="signal-to-noise ratios; default: 20,10,3",
    )
    parser.add_argument(
        "--no-clips", action="store_true", help="leave out the recordings by themselves"
    )


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1000.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours from 0 to 1000")
    return value


def _ratios(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(-30.0 <= value <= 60.0 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of ratios such as 20,10,3")
    return values


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print tables or JSON."""
    from detector.cli.progress import evaluation_progress
    from detector.workbench.dataset import read_dataset
    from detector.workbench.evaluation import evaluate
    from detector.workbench.figures import document
    from detector.workbench.tables import markdown

    config = _config(arguments)
    recordings = read_dataset(arguments.data)
    ears = _ears(arguments, config)
    config = served_by(config, ears.recognisers[0].spec)
    order = _order(arguments, config, recordings)
    config = replace(config, sounds={name: config.sounds[name] for name in order.sounds})
    splits = _splits(arguments, config, recordings)
    with evaluation_progress(arguments.data) as progress:
        result = evaluate(recordings, splits, order, ears, progress)
    if arguments.json:
        print(json.dumps(document(result), ensure_ascii=False, indent=1))
    else:
        print(markdown(result, _command()), end="")
    return 0


def _command() -> str:
    """How to get the same table again: what was typed, but for where things lie."""
    typed = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return " ".join(["detector", *typed])


def _config(arguments: argparse.Namespace) -> "Config":
    """The sounds of the configuration, or all that are shipped and its own."""
    from detector.config.sounds import with_all_sounds

    config = load(arguments)
    return config if arguments.configured else with_all_sounds(config)


def _order(
    arguments: argparse.Namespace, config: "Config", recordings: "tuple[Recording, ...]"
) -> "Order":
    """Raises DataError where a sound is not known, or there is nothing to measure."""
    from detector.workbench.evaluation import Order
    from detector.workbench.soundscape import Plan

    known = tuple(config.enabled_sounds)
    unknown = [name for name in arguments.sounds or () if name not in known]
    if unknown:
        raise DataError(f"{unknown[0]} is no sound that is listened for: {', '.join(known)}")
    sounds = arguments.sounds or known
    _check_labels(sounds, recordings)
    return Order(
        sounds=tuple(sounds),
        plan=Plan(snrs_db=arguments.snr),
        hours=arguments.hours,
        evening_hours=arguments.evenings,
        seed=arguments.seed,
        clips=not arguments.no_clips,
        with_eager=arguments.eager,
        with_psds=arguments.psds,
    )


def _check_labels(sounds: "tuple[str, ...]", recordings: "tuple[Recording, ...]") -> None:
    from detector.workbench.dataset import by_sound

    labels = by_sound(recordings)
    if not set(labels) & set(sounds):
        raise DataError(
            f"none of the recordings is labelled with a sound that is listened for "
            f"({', '.join(sounds)}); their labels are {', '.join(sorted(labels)[:12])}"
        )


def _splits(
    arguments: argparse.Namespace, config: "Config", recordings: "tuple[Recording, ...]"
) -> "tuple[Split, ...]":
    from detector.workbench.splits import as_configured, out_of_fold

    if arguments.heads is None:
        return as_configured(config, recordings)
    return out_of_fold(config, recordings, arguments.heads)


def _ears(arguments: argparse.Namespace, config: "Config") -> "Ears":
    from detector.workbench.evaluation import Ears
    from detector.workbench.listener import all_recognisers
    from detector.workbench.observe import Cache

    recognisers = all_recognisers(load_model(arguments, config).recogniser)
    return Ears(recognisers, Cache(arguments.cache))
