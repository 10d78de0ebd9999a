"""The roads of the table: opened, or learnt, with nothing of what they are measured on."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import DataError, ModelError
from detector.core.recognition import Recogniser, RecogniserSpec, Telling
from detector.learning.sounding import STEP_SAMPLES
from detector.model.embedded import embedded_model
from detector.model.recogniser import WindowRecogniser
from detector.model.steps import StepModel, StepRecogniser
from detector.model.store import find_model
from detector.model.trial import open_classifier
from detector.service.headfile import HeadReader
from detector.workbench.clipmodels import Lessons, fit_logistic
from detector.workbench.course import trial_scenes
from detector.workbench.dataset import Recording, by_sound, group_mark, groups_of, read_dataset
from detector.workbench.labels import meaning
from detector.workbench.parts import Parts, dealt
from detector.workbench.roads import Cepstral, Families, Network, Road, bytes_of, windowed
from detector.workbench.shelf import Shelf
from detector.workbench.soundscape import Plan, Scene
from detector.workbench.strips import Strip, strips

OTHER = "other"
_HOP_S = 0.48
_MOST_WINDOWS, _MOST_OTHERS = 500, 2500
"""Of a sound, and of everything else, that the logistic regression is learnt from."""
_HEARD_S = 0.3


@dataclass(frozen=True)
class Contest:
    """Roads, and what they are measured on."""

    roads: tuple[Road, ...]
    sounds: tuple[str, ...]
    parts: Parts
    scene_count: int
    seed: int
    tellings: Mapping[str, Telling]
    """What the file of the last road says of its sounds."""

    def scenes(self) -> Iterator[tuple[str, Scene]]:
        """Made of what was held out."""
        return trial_scenes(
            self.parts.held_out, self.sounds, Plan(), count=self.scene_count, seed=self.seed
        )

    def about(self) -> str:
        """What was measured on what, in a line."""
        return (
            f"{len(self.parts.held_out)} recordings of {len(groups_of(self.parts.held_out))} "
            f"groups that no road has learnt from; {self.scene_count} scenes of five minutes with "
            f"sounds at 20, 10 and 3 dB, two thirds as many without; seed {self.seed}.\n"
        )


def opened(options: argparse.Namespace) -> Contest:
    """All roads; raises DataError and ModelError for what cannot be used."""
    file = _file(options.crnn)
    model = StepModel(file)
    recordings = read_dataset(options.data)
    there = by_sound(recordings)
    labels = tuple(label for label in model.labels if label in there)
    parts = dealt(recordings, labels, seed=0)
    sounds = tuple(sound for sound in labels if sound not in parts.scarce)
    _require_unheard(model, parts)
    yamnet, path = _yamnet(options.model)
    roads: list[Road] = [Families("family scores", yamnet, frozenset(sounds), {}, bytes_of(path))]
    if options.heads is not None:
        roads.append(_with_heads(options.heads, yamnet, path, sounds, parts))
    if not options.no_mfcc:
        roads.append(_cepstral(parts, sounds, yamnet))
    network = StepRecogniser(model, hop_seconds=model.facts.hop_s)
    roads.append(Network(network, frozenset(sounds), bytes_of(file)))
    return Contest(tuple(roads), sounds, parts, options.scenes, options.seed, model.facts.tellings)


def _file(option: Path | None) -> Path:
    path = option or embedded_model()
    if path is None:
        raise ModelError("this package comes without a model: name one with --crnn")
    return path


def _require_unheard(model: StepModel, parts: Parts) -> None:
    """Raise DataError where the model says itself that it has learnt from what is held out."""
    learnt = set(map(str, model.facts.provenance.get("groups", ())))
    _require_disjoint("the CRNN", learnt, parts.held_out)


def _require_disjoint(who: str, learnt: set[str], held_out: Sequence[Recording]) -> None:
    heard = learnt & {group_mark(group) for group in groups_of(held_out)}
    if heard:
        raise DataError(f"{who} has learnt from {len(heard)} of the groups that are held out")


def _yamnet(option: Path | None) -> tuple[Recogniser, Path]:
    path = find_model(option=option, configured=None, environ=os.environ)
    if path is None:
        raise ModelError("no model; fetch it: detector model fetch")
    return WindowRecogniser(open_classifier(path), hop_seconds=_HOP_S), path


def _with_heads(
    folder: Path, yamnet: Recogniser, model: Path, sounds: Sequence[str], parts: Parts
) -> Families:
    files = [path for path in sorted(folder.glob("*.json")) if "-" not in path.name]
    if not files:
        raise DataError(f"{folder} holds no heads")
    reader = HeadReader()
    heads = {path.stem: reader.read(folder, path.name) for path in files}
    for head in heads.values():
        learnt = set(map(group_mark, map(str, head.provenance.get("groups", ()))))
        _require_disjoint(f"the head of {head.sound}", learnt, parts.held_out)
    size = bytes_of(model, *files, *folder.glob("trunk-*.json"))
    name = "heads, family scores where there is none"
    return Families(name, yamnet, frozenset(sounds), heads, size)


def _cepstral(parts: Parts, sounds: Sequence[str], like: Recogniser) -> Cepstral:
    """Learnt from windows of the same strips that the CRNN learns from."""
    labels = (*sounds, OTHER)
    rng = np.random.default_rng(3)
    taken: dict[int, list[tuple[NDArray[np.float32], str]]] = {n: [] for n in range(len(labels))}
    made = strips(Shelf(parts.learn), sounds, seed=0)
    for strip in made:
        if rng.random() < 0.4:
            for window, label in _windows(strip, sounds, like.spec):
                taken[label].append((window, strip.group))
    features, truths, groups = list[NDArray[np.float32]](), list[int](), list[str]()
    for label, windows in taken.items():
        most = _MOST_OTHERS if labels[label] == OTHER else _MOST_WINDOWS
        for at in rng.permutation(len(windows))[:most]:
            features.append(windows[at][0])
            truths.append(label)
            groups.append(windows[at][1])
    lessons = Lessons(np.stack(features), np.array(truths, np.intp), groups, labels)
    size = 4 * (features[0].size + 1) * len(labels)
    return Cepstral(fit_logistic(lessons), labels, frozenset(sounds), size, like)


def _windows(
    strip: Strip, sounds: Sequence[str], spec: RecogniserSpec
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Every other window in which it is known what sounds: one with the sound, or without any."""
    sound = meaning(strip.category).sound
    features, spans_s = windowed(strip.samples, spec)
    reached = np.concatenate([[0], np.cumsum(strip.on)])
    steps = np.minimum((spans_s * SAMPLE_RATE_HZ / STEP_SAMPLES).astype(int), len(strip.on))
    held_s = (reached[steps[:, 1]] - reached[steps[:, 0]]) * STEP_SAMPLES / SAMPLE_RATE_HZ
    unsure = strip.unsure.intersection(sounds) or strip.unsure_in_event.intersection(sounds)
    for at in range(0, len(features), 2):
        if sound in sounds and held_s[at] >= _HEARD_S:
            yield features[at], sounds.index(sound)
        elif not unsure and (held_s[at] == 0.0 or sound not in sounds):
            yield features[at], len(sounds)
