"""``detector train``: classifiers of one's own from labelled recordings."""

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    check_wanted,
    load,
    load_model,
)
from detector.cli.train_crnn import add_crnn
from detector.core.errors import DataError

if TYPE_CHECKING:
    from detector.core.recognition import Recogniser
    from detector.workbench.cliptraining import Order, Result

_DESCRIPTION = """\
Train a classifier of clips by the classic road: cepstral coefficients (MFCC), their first and
second differences, by mean, variance and maximum over the clip; then logistic regression. It is
cross-validated by group, and what it is worth is told against always the same answer.

  detector train mfcc recordings --name washing_machine
  detector train mfcc cries --column reason --against-rest hungry --compare --report reasons.md

DATA is a folder with a folder of recordings for each label (in it a folder for each baby, device or
day: the group), a CSV with the columns path, label and group, or strong labels.

Writes a small JSON file, which a sound of the configuration can have as its second stage:

  sounds:
    baby_cry:
      second_stage: {classifier: cry_reasons.json}
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command and its roads."""
    parser = add_command(
        commands,
        "train",
        summary="train a classifier of clips from labelled recordings",
        description="Train classifiers of your own from labelled recordings.",
        handler=run,
    )
    roads = parser.add_subparsers(title="roads", metavar="ROAD", required=True)
    _add_mfcc(roads)
    add_crnn(roads)


def _add_mfcc(roads: "Subparsers[argparse.ArgumentParser]") -> None:
    mfcc = add_command(
        roads,
        "mfcc",
        summary="features and a classifier: the second stage of a sound",
        description=_DESCRIPTION,
        handler=run,
    )
    mfcc.add_argument("data", nargs="+", type=Path, metavar="DATA")
    mfcc.add_argument(
        "--name",
        type=_name,
        default="clips",
        help="of the classifier: lower-case letters, digits and _ (default: clips)",
    )
    _add_label_options(mfcc)
    _add_learning_options(mfcc)
    mfcc.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.json, here")
    mfcc.add_argument("--report", type=Path, metavar="FILE", help="a page of figures (Markdown)")
    add_config_option(mfcc)
    add_model_option(mfcc)


def _add_label_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--column",
        default="",
        metavar="COLUMN",
        help="of a manifest: what is learnt; rows where it is empty are left out (default: label)",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="only this label; may be given again (default: all there are)",
    )
    parser.add_argument(
        "--against-rest",
        default="",
        metavar="LABEL",
        help="tell this label from all others together, which become `other`",
    )
    parser.add_argument(
        "--skip-unfit", action="store_true", help="leave recordings out that cannot be used"
    )


def _add_learning_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--features",
        choices=("mfcc", "embedding"),
        default="mfcc",
        help="embedding: what the model makes of the clip before it names it, instead of MFCC",
    )
    parser.add_argument(
        "--coefficients",
        type=_coefficients,
        default=20,
        metavar="N",
        help="cepstral coefficients, 2 to 40 (default: 20)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="try the embedding, a support vector machine and gradient boosting beside",
    )
    parser.add_argument(
        "--folds", type=_folds, default=5, metavar="N", help="of the cross-validation (default: 5)"
    )
    parser.add_argument(
        "--shuffles",
        type=_shuffles,
        default=40,
        metavar="N",
        help="learn so often from labels dealt out by chance, too: what is had where there is "
        "nothing to learn (20 to 10000, default: 40)",
    )


def _name(text: str) -> str:
    from detector.config.setting import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, text):
        right = "lower-case letters, digits and _, beginning with a letter, at most 40"
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: write {right}")
    return text


def _coefficients(text: str) -> int:
    return _whole(text, 2, 40)


def _folds(text: str) -> int:
    return _whole(text, 2, 20)


def _shuffles(text: str) -> int:
    return _whole(text, 20, 10_000)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Hear, learn, cross-validate, write, and say what it is worth."""
    from detector.cli.calibrate import check_place, write_all
    from detector.service.clipfile import clip_document
    from detector.workbench.cliptables import clip_page, verdict

    out = arguments.out or Path(f"{arguments.name}.json")
    for path in (out, arguments.report):
        if path is not None:
            check_place(path)
    result = _train(arguments)
    texts = {out: clip_document(result.file).decode()}
    if arguments.report is not None:
        texts[arguments.report] = clip_page(result, _command())
    write_all(texts)
    for line in map(str, result.clips.skipped):
        print(f"detector: left out: {line}", file=sys.stderr)
    _tell(result)
    print(verdict(result))
    print(f"written: {', '.join(map(str, texts))}")
    if not result.chosen.is_better_than_chance:
        print(
            "detector: this classifier has not been shown to know anything: do not use it",
            file=sys.stderr,
        )
    return 0


def _command() -> str:
    """What was typed, without the folders of this machine."""
    typed = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return shlex.join(["detector", *typed])


def _train(arguments: argparse.Namespace) -> "Result":
    from detector.cli.progress import recordings_progress
    from detector.workbench.cliptraining import train

    recogniser = _recogniser(arguments)
    with recordings_progress() as progress:
        return train(_order(arguments), recogniser, progress)


def _order(arguments: argparse.Namespace) -> "Order":
    from detector.workbench.cliptraining import Order

    return Order(
        data=arguments.data,
        name=arguments.name,
        column=arguments.column,
        labels=tuple(dict.fromkeys(arguments.label)),
        against=arguments.against_rest,
        kind=arguments.features,
        coefficients=arguments.coefficients,
        compare=arguments.compare,
        folds=arguments.folds,
        shuffles=arguments.shuffles,
        skip_unfit=arguments.skip_unfit,
    )


def _recogniser(arguments: argparse.Namespace) -> "Recogniser | None":
    """The model, where its embedding is wanted."""
    from detector.core.recognition import EMBEDDING

    if arguments.features != "embedding" and not arguments.compare:
        return None
    model = load_model(arguments, load(arguments))
    check_wanted(model, "the embedding")
    recogniser = model.recogniser
    if EMBEDDING not in recogniser.spec.outputs:
        raise DataError("the model gives no embedding: train on --features mfcc alone")
    return recogniser


def _tell(result: "Result") -> None:
    from detector.workbench.cells import interval

    clips = result.clips
    counts = ", ".join(
        f"{label} {clips.count(label)} of {clips.groups_with(label)} groups"
        for label in clips.labels
    )
    print(f"clips: {counts}")
    for trial in (result.chosen, *result.others):
        accuracy = interval(trial.balanced_accuracy)
        print(f"  {trial.name}: balanced accuracy {accuracy}, accuracy {trial.accuracy:.2f}")
    chosen = result.chosen
    usual = f'always "{clips.labels[0]}"'
    print(f"  {usual}: balanced accuracy {chosen.chance:.2f}, accuracy {chosen.usual:.2f}")
