"""``python -m detector.workbench.ship DATA --out DIR``: the heads that are shipped, made again.

Learns a head for each sound that has one, on labelled recordings; settles its curve and threshold
on recordings that the head has not heard; and writes the heads with what they rest on.  For all
sounds, a calibration is written beside them, of which the numbers stand in the shipped sounds.
With ``--folds-out`` the same is done for each fold without its recordings, for
``detector evaluate --heads``.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.config.sounds import shipped_sounds
from detector.core.errors import DataError, DetectorError, ModelError
from detector.core.recognition import EMBEDDING, LOGITS, Recogniser
from detector.model.recogniser import WindowRecogniser
from detector.model.store import find_model
from detector.model.trial import open_classifier
from detector.workbench.alarms import MAKERS
from detector.workbench.course import FOLDS, Amounts, Course
from detector.workbench.dataset import Recording, by_sound, groups_of, read_dataset
from detector.workbench.keeping import Keeper
from detector.workbench.observe import Cache
from detector.workbench.recipe import BUDGET, HEADS, LEARNT, RECIPE
from detector.workbench.settling import Road, Settled, figures, settled
from detector.workbench.shipping import Made, Work, basis, write
from detector.workbench.trials import Levels

HOP_SECONDS = 0.48
FEWEST_GROUPS = 5
"""With fewer a score stays a score: a curve through them would tell of those few alone."""
Pools = frozenset[int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, settle, write and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        shipyard = Shipyard.opened(options)
        made = shipyard.ship(options.out, options.folds_out)
    except DetectorError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201 # it is a command
        return error.exit_code
    for one in made:
        print(f"{one.sound}: {'head' if one.has_head else 'family'}, {basis(one)}")  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m detector.workbench.ship",
        description="Learn the heads that come with the detector, and settle all thresholds.",
    )
    usual = Amounts()
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="a manifest CSV, or the folder that it lies in"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the heads")
    parser.add_argument("--folds-out", type=Path, metavar="DIR", help="for those of each fold")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep there what was heard")
    parser.add_argument("--seed", type=int, default=0, help="of all chance; default: 0")
    parser.add_argument(
        "--scenes", type=int, default=usual.scenes, help="of each fold; default: %(default)s"
    )
    parser.add_argument(
        "--nets", type=int, default=usual.nets, help="averaged in a head; default: %(default)s"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: $DETECTOR_MODEL")
    return parser


@dataclass(slots=True)
class Shipyard:
    """A course of learning, and what is made of it."""

    course: Course
    labels: tuple[str, ...]
    """Of the model's classes."""

    @classmethod
    def opened(cls, options: argparse.Namespace) -> "Shipyard":
        """Raises DataError and ModelError for what cannot be used."""
        recordings = read_dataset(options.data)
        recogniser = _recogniser(options.model)
        labels = recogniser.spec.labels
        there = by_sound(recordings)
        absent = [sound for sound in LEARNT if sound not in there]
        if absent:
            raise DataError(f"{options.data} holds no recordings of {', '.join(absent)}")
        course = Course(
            recordings,
            {sound: _columns(sound, labels) for sound in LEARNT},
            (*LEARNT, *MAKERS),
            recogniser,
            RECIPE,
            Keeper(Cache(options.cache)),
            Amounts(scenes=options.scenes, nets=options.nets, seed=options.seed),
        )
        return cls(course, labels)

    def ship(self, out: Path, folds_out: Path | None) -> list[Made]:
        """Write everything; returns what is shipped."""
        by_fold = [
            {sound: self._settled(sound, frozenset({fold})) for sound in self._sounds()}
            for fold in range(FOLDS)
        ]
        made = [self._made(sound, by_fold) for sound in self._sounds()]
        write(out, self._work(made, frozenset()))
        for fold, of_fold in enumerate(by_fold if folds_out else ()):
            unmeasured = [
                Made(sound, shipped_sounds()[sound], sound in HEADS, one, None)
                for sound, one in of_fold.items()
            ]
            work = self._work(unmeasured, frozenset({fold}))
            write((folds_out or out) / f"fold-{fold}", work)
        return made

    def _sounds(self) -> Iterator[str]:
        """All that are shipped, but for alarms: their cadence decides."""
        return (sound for sound in shipped_sounds() if sound not in MAKERS)

    def _road(self, sound: str) -> Road:
        has_curve = len(groups_of(self._recordings_of(sound))) >= FEWEST_GROUPS
        columns = _columns(sound, self.labels)

        def scores(fold: int, left_out: Pools) -> list[Levels]:
            if sound in HEADS:
                return self.course.head_scores(sound, fold, left_out)
            return self.course.family_scores(columns, fold)

        return Road(sound, shipped_sounds()[sound], scores, has_curve=has_curve)

    def _settled(self, sound: str, left_out: Pools) -> Settled:
        return settled(self.course, self._road(sound), BUDGET, left_out)

    def _made(self, sound: str, by_fold: Sequence[Mapping[str, Settled]]) -> Made:
        told = None
        if self._recordings_of(sound):
            told = figures(self.course, self._road(sound), [one[sound] for one in by_fold])
        config = shipped_sounds()[sound]
        return Made(sound, config, sound in HEADS, self._settled(sound, frozenset()), told)

    def _recordings_of(self, sound: str) -> Sequence[Recording]:
        return by_sound(self.course.recordings).get(sound, ())

    def _work(self, made: Sequence[Made], left_out: Pools) -> Work:
        course = self.course
        return Work(
            made,
            course.learnt(left_out),
            course.kept(left_out),
            course.recogniser.spec,
            course.amounts.seed,
        )


def _columns(sound: str, labels: Sequence[str]) -> list[int]:
    """Of the classes of its family. Raises ModelError where the model has no such class."""
    classes = shipped_sounds()[sound].evidence[0].classes
    absent = [name for name in classes if name not in labels]
    if absent:
        raise ModelError(f"the model has no class {absent[0]}")
    return [labels.index(name) for name in classes]


def _recogniser(option: Path | None) -> Recogniser:
    path = find_model(option=option, configured=None, environ=os.environ)
    if path is None:
        raise ModelError("no model; fetch it: detector model fetch")
    classifier = open_classifier(path, runtime="auto", threads=1, sha256=None)
    recogniser = WindowRecogniser(classifier, hop_seconds=HOP_SECONDS)
    for name in (LOGITS, EMBEDDING):
        if name not in recogniser.spec.outputs:
            raise ModelError(f"{path} gives no {name}, which heads look at")
    return recogniser


if __name__ == "__main__":
    sys.exit(main())
