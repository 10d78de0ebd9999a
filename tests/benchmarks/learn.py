"""Sounds of one's own: what `detector learn` finds, and raises falsely, beside the nearest class.

    python -m tests.benchmarks.learn [--markdown FILE] [--only NAME …]

Needs DETECTOR_MODEL and DETECTOR_AUDIO.  *Instances* are one recording each ("my bell"), taken
again through other rooms, gains and noises; *categories* are many recordings of a kind, learnt
from some groups and asked for in others.  Every group of recordings lies in one of three folds:
takes are made in the backgrounds of two, and those are what the sound is told from; recall and
false alarms are counted in the third.  The nearest class is the one of YAMNet's 521 that the takes
raise most above what the backgrounds of the two folds reach; its threshold keeps to the same
budget there.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import DataError
from detector.core.recognition import EMBEDDING, LOGITS, Array, Recogniser
from detector.learning.augmenting import Heard, hear_take
from detector.learning.backgrounds import Backgrounds
from detector.learning.hearing import observe
from detector.learning.judging import MOST_ALARMS_PER_HOUR, alarms, learn, lowest_with
from detector.learning.rooms import Surroundings, some_surroundings
from detector.learning.sounding import rms, sounding_rms
from detector.learning.takes import Take, takes_of
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.teaching import LEAST_RECALL
from detector.workbench.backgrounds import HOP_SECONDS, Windows, backgrounds_of, is_taken
from detector.workbench.dataset import Recording, read_dataset
from detector.workbench.folds import fold_of_groups
from detector.workbench.sounding import read_samples
from tests.benchmarks.learn_report import Outcome, Row, markdown, text

INSTANCES = (
    "assistant_chime", "bicycle_bell", "car_horn", "toaster", "ui_boot_start", "unlock_chime",
    "school_bell", "train_whistle", "toy_squeak", "xylophone", "modem_dial", "train_horn",
    "whistle", "door_creak", "doorbell", "car_alarm",
)  # fmt: skip
CATEGORIES = ("rain", "clock_tick", "chainsaw", "sneeze", "helicopter", "rooster")
EXAMPLES = (3, 5, 10)
SNRS_DB = (20.0, 10.0, 3.0)
FOLDS = 3
QUIET = ("room_tone", "ambience", "rain")
"""Nobody speaks, and no music plays, while takes are recorded."""
ASKED = 20
"""Takes that are asked for, at each ratio."""
_FEWEST_BACKGROUND_S = 4.0
_TAKE_SNR_DB = (20.0, 35.0)
_LEVEL_DBFS = (-56.0, -34.0)


@dataclass(frozen=True, slots=True)
class Fold:
    """What is learnt with, and what is measured on."""

    learn: Backgrounds
    learn_logits: Array
    ask: Backgrounds
    ask_logits: Array


@dataclass(frozen=True, slots=True)
class Asked:
    """A sound in a background that nothing was learnt from."""

    snr_db: float
    embeddings: Array
    logits: Array
    """Of the windows in which it sounds, shape (windows, …)."""


class Bench:
    """Recordings, heard once."""

    def __init__(self, audio: Path, recogniser: Recogniser) -> None:
        self.recordings = read_dataset(audio)
        self.recogniser = recogniser
        self.fold_of = fold_of_groups(self.recordings, folds=FOLDS, seed=0)
        self._audio: dict[Path, Samples] = {}
        self.heard = [self._hear(one) for one in self.recordings if one.label]

    def samples(self, recording: Recording) -> Samples:
        """A recording's audio."""
        if recording.path not in self._audio:
            self._audio[recording.path] = read_samples(recording.path)
        return self._audio[recording.path]

    def _hear(self, recording: Recording) -> tuple[Windows, Array]:
        seen = observe(read_samples(recording.path), [self.recogniser])[0]
        embeddings, logits = (
            np.stack([np.asarray(one.outputs[name], np.float32) for one in seen])
            for name in (EMBEDDING, LOGITS)
        )
        return Windows(recording, embeddings), logits

    def fold(self, number: int, label: str) -> Fold:
        """Without the recordings of a label, which are what is asked for."""
        rest = [one for one in self.heard if one[0].recording.label != label]
        ours = [one for one in rest if self.fold_of[one[0].recording.group] == number]
        theirs = [one for one in rest if self.fold_of[one[0].recording.group] != number]
        theirs = [one for one in theirs if is_taken(one[0].recording)]
        learnt, asked = (self._both(side, all_of_it=side is ours) for side in (theirs, ours))
        return Fold(*learnt, *asked)

    def _both(
        self, heard: Sequence[tuple[Windows, Array]], *, all_of_it: bool
    ) -> tuple[Backgrounds, Array]:
        """Embeddings, and the logits of the same windows."""
        hop_s = self.recogniser.spec.hop_s
        chosen = backgrounds_of([one for one, _ in heard], hop_s, all_of_it=all_of_it)
        beside = [Windows(one.recording, logits) for one, logits in heard]
        return chosen, backgrounds_of(beside, hop_s, all_of_it=all_of_it).embeddings

    def ground(
        self, folds: Sequence[int], rng: np.random.Generator, only: Sequence[str] = ()
    ) -> Samples:
        """A background of some folds: every kind alike."""
        kinds: dict[str, list[Recording]] = {}
        for one in self.recordings:
            is_ground = one.label and one.meaning.is_background and (not only or one.label in only)
            is_long = (one.seconds or 0.0) >= _FEWEST_BACKGROUND_S
            if is_ground and is_long and self.fold_of[one.group] in folds:
                kinds.setdefault(one.label or "", []).append(one)
        of_kind = kinds[sorted(kinds)[int(rng.integers(len(kinds)))]]
        samples = self.samples(of_kind[int(rng.integers(len(of_kind)))])
        return np.roll(samples, int(rng.integers(len(samples))))


def scene(
    piece: Samples,
    ground: Samples,
    snr_db: float,
    surroundings: Surroundings,
    rng: np.random.Generator,
) -> tuple[Samples, int, int]:
    """A sound in a background; where it begins and ends."""
    tail = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
    sound = surroundings.heard(np.concatenate([piece, tail]), rng)
    at = int(rng.uniform(1.0, 2.0) * SAMPLE_RATE_HZ)
    whole = np.resize(ground, at + len(sound) + SAMPLE_RATE_HZ).astype(np.float32)
    whole *= np.float32(10 ** (rng.uniform(*_LEVEL_DBFS) / 20) / rms(whole))
    span = whole[at : at + len(sound)]
    span += np.float32(rms(span) / sounding_rms(sound) * 10 ** (snr_db / 20)) * sound
    peak = float(np.abs(whole).max())
    return whole * np.float32(min(1.0, 0.97 / peak)), at, at + len(piece)


def take(bench: Bench, piece: Samples, fold: int, name: str, rng: np.random.Generator) -> Heard:
    """What `detector learn` makes of a recording of the sound in somebody's home."""
    others = [number for number in range(FOLDS) if number != fold]
    near = Surroundings(
        rt60_s=float(rng.uniform(0.2, 0.6)),
        direct_to_tail_db=float(rng.uniform(0.0, 10.0)),
        gain_db=float(rng.uniform(-12.0, 3.0)),
    )
    snr_db = float(rng.uniform(*_TAKE_SNR_DB))
    recorded, _, _ = scene(piece, bench.ground(others, rng, QUIET), snr_db, near, rng)
    longest = max(takes_of(name, recorded), key=lambda one: float(np.abs(one.samples).max()))
    return hear_take(longest, bench.recogniser)


def asked(
    bench: Bench, piece: Samples, fold: int, snr_db: float, rng: np.random.Generator
) -> Asked:
    """The same sound elsewhere."""
    whole, begin, end = scene(piece, bench.ground([fold], rng), snr_db, some_surroundings(rng), rng)
    seen = [
        one
        for one in observe(whole, [bench.recogniser])[0]
        if one.end_s * SAMPLE_RATE_HZ > begin and one.start_s * SAMPLE_RATE_HZ < end
    ]
    embeddings, logits = (
        np.stack([np.asarray(one.outputs[name], np.float32) for one in seen])
        for name in (EMBEDDING, LOGITS)
    )
    return Asked(snr_db, embeddings, logits)


def pieces(bench: Bench, label: str, rng: np.random.Generator) -> tuple[list[Take], list[Take]]:
    """Sounds to make takes of, and to ask for: of one recording, or of disjoint groups."""
    found = [one for one in bench.recordings if one.label == label and is_fit(bench, one)]
    if label in INSTANCES:
        one = _loudest(bench, found[0])
        return [one] * max(EXAMPLES), [one] * ASKED
    groups = sorted({one.group for one in found})
    order = [groups[int(place)] for place in rng.permutation(len(groups))]
    learnt = set(order[: len(order) // 2])
    sides = [[one for one in found if (one.group in learnt) == side] for side in (True, False)]
    mine, theirs = ([_loudest(bench, one) for one in _by_group(side)] for side in sides)
    return _as_many(mine, max(EXAMPLES)), _as_many(theirs, ASKED)


def is_fit(bench: Bench, recording: Recording) -> bool:
    """Whether `detector learn` would take it; what is clipped is no take."""
    try:
        return bool(takes_of(recording.path.stem, bench.samples(recording)))
    except DataError:
        return False


def _by_group(recordings: Sequence[Recording]) -> list[Recording]:
    """One of each group first, then the others."""
    firsts = {one.group: one for one in reversed(recordings)}
    return [*firsts.values(), *(one for one in recordings if one not in firsts.values())]


def _as_many(of: Sequence[Take], count: int) -> list[Take]:
    return [of[number % len(of)] for number in range(count)]


def _loudest(bench: Bench, recording: Recording) -> Take:
    found = takes_of(recording.path.stem, bench.samples(recording))
    return max(found, key=lambda one: float(np.square(one.samples).sum()))


def measured(bench: Bench, label: str, fold: int) -> Row:
    """One sound, with every number of examples."""
    rng = np.random.default_rng([fold, len(label), sum(label.encode())])
    mine, theirs = pieces(bench, label, rng)
    takes = [take(bench, one.samples, fold, label, rng) for one in mine]
    questions = [
        asked(bench, one.samples, fold, snr_db, rng) for snr_db in SNRS_DB for one in theirs
    ]
    side = bench.fold(fold, label)
    learnt, families = {}, {}
    name = ""
    for count in EXAMPLES:
        found = learn(takes[:count], side.learn, {})
        classifier = found.classifier
        scores = [classifier(one.embeddings) for one in questions]
        outcome = _outcome(scores, questions, side, classifier(side.ask.embeddings), 0.0)
        learnt[count] = replace(outcome, is_refused=found.verdict.recall.value < LEAST_RECALL)
        column, threshold = nearest(takes[:count], side)
        name = name or bench.recogniser.spec.labels[column]
        scores = [one.logits[:, column] for one in questions]
        rest = side.ask_logits[:, column]
        families[count] = _outcome(scores, questions, side, rest, threshold)
    return Row(label, label in INSTANCES, name, learnt, families)


def nearest(takes: Sequence[Heard], side: Fold) -> tuple[int, float]:
    """The class that takes raise most above backgrounds, and its threshold."""
    reached = np.quantile(side.learn_logits, 0.995, axis=0)
    column = int(np.argmax(np.mean([take.logits - reached for take in takes], axis=0)))
    allowed = int(MOST_ALARMS_PER_HOUR * side.learn.hours)
    return column, lowest_with(side.learn_logits[:, column], side.learn, allowed)


def _outcome(
    scores: Sequence[Array],
    questions: Sequence[Asked],
    side: Fold,
    rest: Array,
    threshold: float,
) -> Outcome:
    """Found by ratio, and false alarms in the rest, which was not learnt from."""
    found = dict.fromkeys(SNRS_DB, 0)
    for one, of_one in zip(questions, scores, strict=True):
        found[one.snr_db] += int(float(of_one.max()) >= threshold)
    return Outcome(found, ASKED, len(alarms(rest, side.ask, threshold)), side.ask.hours)


def rows(bench: Bench, names: Sequence[str]) -> Iterator[Row]:
    """All sounds, each measured on another fold than the one before."""
    for number, name in enumerate(names):
        began = time.process_time()
        row = measured(bench, name, number % FOLDS)
        print(f"{name}: {row.line(5)} ({time.process_time() - began:.0f} s of CPU)", flush=True)
        yield row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.learn")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the tables in there")
    parser.add_argument("--only", nargs="+", default=[*INSTANCES, *CATEGORIES], metavar="NAME")
    options = parser.parse_args()
    classifier = Classifier(Path(os.environ["DETECTOR_MODEL"]))
    recogniser = WindowRecogniser(classifier, hop_seconds=HOP_SECONDS)
    bench = Bench(Path(os.environ["DETECTOR_AUDIO"]), recogniser)
    found = list(rows(bench, options.only))
    print(text(found))
    if options.markdown is not None:
        markdown(options.markdown, found)


if __name__ == "__main__":
    main()
