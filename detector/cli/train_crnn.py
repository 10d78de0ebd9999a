"""``detector train crnn``: a small model of one's own, which tells sounds every 80 ms."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import Subparsers, add_command, set_up_logging
from detector.core.errors import DataError, ModelError

if TYPE_CHECKING:
    from detector.core.recognition import Recogniser
    from detector.workbench.crnn import Order, Result, Watcher
    from detector.workbench.crnntraining import Epoch

_DESCRIPTION = """\
Train a convolutional-recurrent network: log-mel rows, convolutions, a recurrent layer, and for
every 80 ms the probability of each sound. Needs the extra `crnn` (Keras and TensorFlow).

  detector train crnn recordings --out mine.tflite
  detector train crnn recordings --sounds kettle,washing_machine --no-teacher

DATA is as for `detector calibrate`: a folder for each sound, a CSV with path, label and group, or
strong labels with times. Recordings of rooms in which none of the sounds is (room_tone, evening,
kitchen, music, speech …) are needed to mix them into. Those labelled `unlabelled` are learnt from
by the word of the teacher alone, which is YAMNet where it is at hand.

A fourth of the groups is held out: curves, thresholds and figures rest on it. Writes one TFLite
file with labels, thresholds and provenance packed in; `model.path` in the configuration, or
--model, takes it. On a laptop it takes less than an hour.
"""


def add_crnn(roads: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the road."""
    parser = add_command(
        roads,
        "crnn",
        summary="a small model of your own, in place of YAMNet",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument(
        "--out", type=Path, default=Path("crnn.tflite"), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--sounds",
        type=_names,
        default=(),
        metavar="A,B",
        help="to be learnt; default: all shipped ones that are labelled in DATA",
    )
    parser.add_argument(
        "--epochs", type=_count, default=None, metavar="N", help="at most so many (default: 20)"
    )
    parser.add_argument(
        "--batches", type=_count, default=None, metavar="N", help="in an epoch (default: 150)"
    )
    parser.add_argument(
        "--scenes",
        type=_count,
        default=60,
        metavar="N",
        help="of five minutes, to settle thresholds on (default: 60)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all chance; default: 0")
    _add_places(parser)


def _add_places(parser: argparse.ArgumentParser) -> None:
    teacher = parser.add_mutually_exclusive_group()
    teacher.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="YAMNet; default: $DETECTOR_MODEL or the cache, if it is there",
    )
    teacher.add_argument("--no-teacher", action="store_true", help="learn from labels alone")
    parser.add_argument(
        "--logs", type=Path, metavar="DIR", help="figures of each epoch, for TensorBoard"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep there what was made of the recordings"
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Learn, write, and say what it is worth."""
    from detector.cli.calibrate import check_place
    from detector.cli.progress import learning_progress
    from detector.workbench.crnn import train

    set_up_logging("warning")
    _check_names(arguments.sounds)
    check_place(arguments.out)
    teacher = None if arguments.no_teacher else _teacher(arguments.teacher)
    with learning_progress() as progress:
        result = train(_order(arguments), teacher, _watcher(progress))
    _write(arguments.out, result.model.content)
    _tell(result, arguments.out)
    return 0


def _check_names(sounds: tuple[str, ...]) -> None:
    import re

    from detector.config.setting import NAME_PATTERN

    wrong = [name for name in sounds if not re.fullmatch(NAME_PATTERN, name)]
    if wrong:
        raise DataError(f"--sounds: {wrong[0]!r} is not a name: lower-case letters, digits and _")


def _order(arguments: argparse.Namespace) -> "Order":
    from dataclasses import replace

    from detector.workbench.crnn import Order
    from detector.workbench.crnntraining import Recipe

    usual = Recipe()
    recipe = replace(
        usual,
        epochs=arguments.epochs or usual.epochs,
        epoch_batches=arguments.batches or usual.epoch_batches,
    )
    return Order(
        data=arguments.data,
        sounds=arguments.sounds,
        recipe=recipe,
        scenes=arguments.scenes,
        seed=arguments.seed,
        logs=arguments.logs,
        cache=arguments.cache,
    )


def _teacher(option: Path | None) -> "Recogniser | None":
    """YAMNet, if it is there: it is not fetched for this."""
    from detector.model.recogniser import WindowRecogniser
    from detector.model.store import find_model
    from detector.model.trial import open_classifier
    from detector.workbench.passages import TEACHER_HOP_S

    if option is not None and not option.is_file():
        raise ModelError(f"{option}: --teacher names no file")
    path = option or find_model(option=None, configured=None, environ=os.environ)
    if path is None:
        return None
    return WindowRecogniser(open_classifier(path), hop_seconds=TEACHER_HOP_S)


def _watcher(progress: "object") -> "Watcher":
    from detector.workbench.crnn import Watcher

    return Watcher(_tell_epoch, progress, _say)  # type: ignore[arg-type] # a callable


def _say(line: str) -> None:
    print(line, flush=True)


def _tell_epoch(epoch: "Epoch") -> None:
    best = ", the best so far" if epoch.is_best else ""
    print(
        f"epoch {epoch.number} of {epoch.of}: loss {epoch.loss:.3f}, average precision "
        f"{epoch.watched:.3f}{best} ({epoch.seconds:.0f} s)",
        flush=True,
    )


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def _tell(result: "Result", out: Path) -> None:
    for sound in result.sounds:
        print(f"  {sound}: {_told(result, sound)}")
    print(f"written: {out}, {len(result.model.content)} bytes; use it: --model {out}")


def _told(result: "Result", sound: str) -> str:
    figures, settled = result.model.figures.get(sound), result.model.settled.get(sound)
    if settled is None:
        return "nothing of it was found in what was held out: the model will not be asked for it"
    if figures is None:
        return f"threshold {settled.threshold:g}; not measured: too few groups to hold any out"
    shares = (one[0] for one in figures["recall_by_snr_db"].values())
    recalls = "/".join("–" if one is None else f"{one:.2f}" for one in shares)
    return (
        f"threshold {settled.threshold:g}; recall {recalls} at 20/10/3 dB, "
        f"{figures['false_alarms']} false alarms in {figures['hours']:.1f} h, "
        f"{figures['groups']} groups held out"
    )
