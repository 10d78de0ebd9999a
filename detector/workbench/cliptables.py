"""What a clip classifier is worth, as a page of Markdown and as one line."""

from collections.abc import Iterator

import numpy as np

from detector import __version__
from detector.workbench.cells import NOTHING, head, interval, row
from detector.workbench.cliptraining import Result
from detector.workbench.cliptrial import REPEATS, Trial


def clip_page(result: Result, command: str) -> str:
    """The data, every way to learn against always the same answer, the confusions, a verdict."""
    parts = (
        _introduction(result, command),
        _data(result),
        _ways(result),
        *(_confusion(result, trial) for trial in _trials(result)),
        [verdict(result)],
    )
    return "\n\n".join("\n".join(lines) for lines in map(list, parts)) + "\n"


def verdict(result: Result) -> str:
    """One line: whether it is worth anything."""
    trial, usual = result.chosen, result.clips.labels[0]
    figures = (
        f"balanced accuracy {interval(trial.balanced_accuracy)}; with labels by chance "
        f"{interval(trial.shuffled)}"
    )
    if trial.is_better_than_chance:
        return f"{trial.name}: better than chance: {figures}."
    return f'{trial.name}: not better than always answering "{usual}": {figures}.'


def _trials(result: Result) -> tuple[Trial, ...]:
    return (result.chosen, *result.others)


def _introduction(result: Result, command: str) -> Iterator[str]:
    clips = result.clips
    yield f"Printed by detector {__version__}, and not edited by hand:"
    yield ""
    yield f"    {command}"
    yield ""
    yield (
        f"{len(clips.truths)} clips of {len(set(clips.groups))} groups (a group: one baby, device "
        f"or session), {np.median(clips.seconds):.1f} s long in the middle. "
        f"{len(clips.skipped)} recordings were left out. Cross-validated by group: each clip is "
        f"told by what was learnt without its group. {result.order.folds} folds (fewer where a "
        f"label has fewer groups), the mean of {REPEATS} divisions into folds; every label weighs "
        "the same."
    )


def _data(result: Result) -> Iterator[str]:
    clips = result.clips
    yield from head("label", "clips", "groups")
    for label in clips.labels:
        yield row(label, str(clips.count(label)), str(clips.groups_with(label)))


def _ways(result: Result) -> Iterator[str]:
    """Every way to learn, and always the same answer."""
    labels, trials = result.clips.labels, _trials(result)
    recalls = [f"recall of {label}" for label in labels]
    yield from head("learnt by", "balanced accuracy", "with labels by chance", "accuracy", *recalls)
    for trial in trials:
        told = [f"{recall:.2f}" for recall in trial.recalls]
        balanced = interval(trial.balanced_accuracy)
        yield row(trial.name, balanced, interval(trial.shuffled), f"{trial.accuracy:.2f}", *told)
    always = ["1.00", *("0.00" for _ in labels[1:])]
    same, usual = f"{trials[0].chance:.2f}", f"{trials[0].usual:.2f}"
    yield row(f'always "{labels[0]}"', same, NOTHING, usual, *always)
    yield ""
    yield from _meaning(result)


def _meaning(result: Result) -> Iterator[str]:
    yield (
        "Balanced accuracy is the mean of the labels' recalls: always the same answer, and "
        f"guessing, have {result.chosen.chance:.2f}. In brackets stand intervals of 95 %, by "
        "drawing whole groups with replacement."
    )
    yield (
        f"With labels by chance: the same {result.order.shuffles} times over, each group with the "
        "labels of another, in any order, so that there is nothing to learn: the mean, and where "
        "95 % of them lie. What is better than chance is above both."
    )


def _confusion(result: Result, trial: Trial) -> Iterator[str]:
    labels = result.clips.labels
    yield from head(trial.name, *(f'told "{label}"' for label in labels))
    for label, told in zip(labels, trial.confusion, strict=True):
        yield row(f"is {label}", *(f"{count:.1f}" for count in told))
