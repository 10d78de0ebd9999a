"""What "wrong" is worth: a source that raises a sound again and again, before and after it.

    python -m tests.benchmarks.feedback [--markdown FILE] [--evenings 20] [--only SOURCE …]

Needs DETECTOR_MODEL and DETECTOR_AUDIO.  An *evening* is ten minutes of speech and music in which
one recording, the source, sounds eight times from its place in the room: of six places the one
where it raises most.  "Wrong" is said of the first alarm of each of two evenings; then others, made
of other groups of recordings, are heard before and after.  Recall is that of recordings of the
sound, each in its own room over the backgrounds of those other evenings; of three more, "right" is
said in the last column.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detector.config import Config
from detector.config.loader import parse_config
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.events import Judgement
from detector.core.recognition import Recogniser
from detector.events.gate import GateSettings
from detector.learning.backgrounds import Backgrounds, shipped_backgrounds
from detector.learning.rooms import Surroundings, some_surroundings
from detector.learning.sounding import rms
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import gate_settings
from detector.service.correction import Example, Setting, bounds_of, fit_veto, settle
from detector.service.moments import Moment
from detector.workbench.backgrounds import HOP_SECONDS
from detector.workbench.dataset import LabelledSound, Recording, read_dataset
from detector.workbench.listener import Listener, Told, all_recognisers
from detector.workbench.matching import match
from detector.workbench.observe import Observed, observe
from detector.workbench.shelf import Shelf
from detector.workbench.soundscape import episode, mixed
from tests.benchmarks.feedback_report import BEFORE, Row, markdown, text

CASES = (
    ("doggydaycare__156444__gb01__poodlewhine1_1", "a poodle that whines", "baby_cry"),
    ("doggydaycare__156444__gb01__poodlewhine1_2", "the same, otherwise", "baby_cry"),
    ("giulbia__1-34094-B", "a cat", "baby_cry"),
    ("giulbia__3-155234-A", "a car horn", "siren"),
    ("ccsounds__car_alarm", "a car alarm", "siren"),
    ("stimpad__ui_boot_start", "a computer that starts", "siren"),
    ("smstools__organ-C3", "music: an organ", "siren"),
    ("stimpad__modem_dial", "a modem that dials", "phone_ring"),
    ("ccsounds__smash_success_ceramic_3", "china that breaks", "glass_breaking"),
    ("antum_sounds__sounds_peacock_01", "a peacock", "cat_meow"),
    ("librosa__Karissa_Hobbs_-_Lets_Go_Fishin.hq", "music: a song", "speech"),
)
EVENING_S = 600.0
PLAYINGS = 8
SOURCE_SNRS_DB = (12.0, 25.0)
EVENT_SNRS_DB = (20.0, 10.0)
EVENTS = 60
RIGHT = 3
PLACES = 6
MOST_FIRST = 6
"""Evenings in which two alarms must have been raised, to say "wrong" of."""
_LEVEL_DBFS = (-52.0, -34.0)
_FEWEST_BACKGROUND_S = 4.0


@dataclass(frozen=True, slots=True)
class Side:
    """Backgrounds, of groups that the other side has none of."""

    shelf: Shelf
    recordings: Sequence[Recording]

    def ground(self, seconds: float, rng: np.random.Generator) -> Samples:
        """Speech and music, one after the other, at a home's level; shape (n,)."""
        count = round(seconds * SAMPLE_RATE_HZ)
        pieces: list[Samples] = []
        labels = sorted({one.label or "" for one in self.recordings})
        while sum(map(len, pieces)) < count:
            label = labels[len(pieces) % len(labels)]
            of_label = [one for one in self.recordings if one.label == label]
            piece = self.shelf.samples(of_label[int(rng.integers(len(of_label)))])
            pieces.append(piece * np.float32(0.05 / max(rms(piece), 1e-6)))
        whole = np.concatenate(pieces)[:count].copy()
        level = 10 ** (float(rng.uniform(*_LEVEL_DBFS)) / 20)
        return np.asarray(whole * np.float32(level / rms(whole)), np.float32)


class Trial:
    """One source, and the sound that it is taken for."""

    def __init__(self, bench: "Bench", name: str, sound: str) -> None:
        self.bench, self.sound = bench, sound
        self.source = next(one for one in bench.recordings if one.path.stem == name)
        self.config = bench.config(sound)
        self.gate: GateSettings = gate_settings(self.config.sounds[sound])
        specs = [one.spec for one in bench.recognisers]
        self.listener = Listener(self.config, specs)
        self._rng = np.random.default_rng([len(name), sum(name.encode())])
        self.first, self.rest = bench.sides(self.source.group, sound)
        self._place = self._worst_place()

    def _worst_place(self) -> Surroundings:
        """Of some places, the one from which it raises most, in an evening of the first."""
        places = [some_surroundings(self._rng) for _ in range(PLACES)]
        counts = []
        for place in places:
            self._place = place
            told = self.hear(self.evening(self.first), Setting(self.gate.threshold))
            counts.append(len(told.decisions))
        return places[int(np.argmax(counts))]

    def wrong(self) -> list[Moment]:
        """The first alarm of each of two evenings."""
        found: list[Moment] = []
        for _ in range(MOST_FIRST):
            before = set(self.listener.pipeline.moments.ids(self.sound))
            self.hear(self.evening(self.first), Setting(self.gate.threshold))
            ids = self.listener.pipeline.moments.ids(self.sound)
            fresh = [one for one in ids if one not in before]
            if fresh:
                found.append(self.listener.pipeline.moments.of_event(fresh[0], self.sound)[2])
            if len(found) == 2:
                break
        return found

    def evening(self, side: Side) -> Observed:
        """Ten minutes with the source in them."""
        whole = side.ground(EVENING_S, self._rng)
        for playing in range(PLAYINGS):
            piece = episode(self.bench.shelf.samples(self.source), self._rng, self.sound)
            gain_db = float(self._rng.uniform(-9.0, 3.0))
            piece = _in_room(piece, replace(self._place, gain_db=gain_db), self._rng)
            at_s = (playing + 0.2 + 0.4 * float(self._rng.random())) * EVENING_S / PLAYINGS
            snr_db = float(self._rng.uniform(*SOURCE_SNRS_DB))
            mixed(piece, whole, int(at_s * SAMPLE_RATE_HZ), snr_db)
        return self.bench.observed(whole)

    def events(self) -> tuple[list[tuple[Observed, LabelledSound]], list[Moment]]:
        """The sound in scenes of its own; and moments at which it was told, of other groups."""
        recordings = [
            one
            for one in self.bench.shelf.of_sound(self.sound)
            if one.group != self.source.group and not one.is_strong
        ]
        groups = sorted({one.group for one in recordings})
        order = [groups[int(place)] for place in self._rng.permutation(len(groups))]
        apart = set(order[: max(1, min(RIGHT, len(groups) // 2))] if len(groups) > 1 else [])
        asked = [one for one in recordings if one.group not in apart]
        scenes = [
            self._event(asked, EVENT_SNRS_DB[number % len(EVENT_SNRS_DB)], self.rest)
            for number in range(EVENTS)
        ]
        right = self._right([one for one in recordings if one.group in apart])
        return scenes, right

    def _right(self, recordings: Sequence[Recording]) -> list[Moment]:
        found: list[Moment] = []
        for _ in range(12 * RIGHT if recordings else 0):
            before = set(self.listener.pipeline.moments.ids(self.sound))
            observed, _ = self._event(recordings, EVENT_SNRS_DB[0], self.first)
            self.hear(observed, Setting(self.gate.threshold))
            ids = self.listener.pipeline.moments.ids(self.sound)
            fresh = [one for one in ids if one not in before]
            found += [self.listener.pipeline.moments.of_event(one, None)[2] for one in fresh[:1]]
            if len(found) == RIGHT:
                break
        return found

    def _event(
        self, recordings: Sequence[Recording], snr_db: float, side: Side
    ) -> tuple[Observed, LabelledSound]:
        recording = recordings[int(self._rng.integers(len(recordings)))]
        dry = episode(self.bench.shelf.samples(recording), self._rng, self.sound)
        piece = _in_room(dry, some_surroundings(self._rng), self._rng)
        at_s = float(self._rng.uniform(3.0, 5.0))
        seconds = at_s + len(piece) / SAMPLE_RATE_HZ + 4.0
        whole = side.ground(seconds, self._rng)
        mixed(piece, whole, int(at_s * SAMPLE_RATE_HZ), snr_db)
        event = LabelledSound(at_s, at_s + len(dry) / SAMPLE_RATE_HZ, self.sound)
        return self.bench.observed(whole), event

    def settings(self, wrong: Sequence[Moment], right: Sequence[Moment]) -> Mapping[str, Setting]:
        """Before, and what becomes of it by each road."""
        said = [Example(Judgement.WRONG, "", str(n), one) for n, one in enumerate(wrong)]
        also = [Example(Judgement.RIGHT, "", str(n), one) for n, one in enumerate(right)]
        bounds = bounds_of(self.gate.threshold, (0.05, 0.99))
        made = {BEFORE: Setting(self.gate.threshold)}
        made["threshold alone"] = settle(said, self.gate, bounds=bounds, veto=None)
        for name, examples in (("feedback", said), ("and right", [*said, *also])):
            veto = fit_veto(examples, self.gate, self.bench.backgrounds, self.sound)
            made[name] = settle(examples, self.gate, bounds=bounds, veto=veto)
        return made

    def hear(self, observed: Observed, setting: Setting) -> Told:
        """One scene by a setting."""
        detector = self.listener.pipeline.detectors[self.sound]
        release = self.gate.release_threshold * min(1.0, setting.threshold / self.gate.threshold)
        detector.set_threshold(setting.threshold, release)
        detector.set_veto(setting.veto)
        return self.listener.listen(observed)

    def row(self, name: str, evenings: int) -> Row:
        """All of it."""
        wrong = self.wrong()
        scenes, right = self.events()
        settings = self.settings(wrong, right)
        alarms: dict[str, list[int]] = {one: [] for one in settings}
        for _ in range(evenings):
            observed = self.evening(self.rest)
            for one, setting in settings.items():
                alarms[one].append(len(self.hear(observed, setting).decisions))
        found = {
            one: [
                bool(match(self.hear(observed, setting).decisions, [event]).found)
                for observed, event in scenes
            ]
            for one, setting in settings.items()
        }
        changes = {
            one: (setting.threshold, None if setting.veto is None else setting.veto.at)
            for one, setting in settings.items()
        }
        return Row(name, self.sound, len(wrong), len(right), alarms, found, changes)


class Bench:
    """Recordings and recognisers."""

    def __init__(self, audio: Path, recogniser: Recogniser) -> None:
        self.recordings = read_dataset(audio)
        self.shelf = Shelf(self.recordings)
        self.recognisers = all_recognisers(recogniser)
        self.backgrounds: Backgrounds | None = shipped_backgrounds(recogniser.spec)

    def config(self, sound: str) -> Config:
        """With that sound alone."""
        return parse_config(f"node: bench\nsounds: [{sound}]\n", "bench", calibrated=False)

    def observed(self, samples: Samples) -> Observed:
        """What the model makes of it; nothing here has the beeps of an alarm."""
        peak = float(np.abs(samples).max())
        quiet = samples * np.float32(min(1.0, 0.97 / peak))
        return (observe(quiet, self.recognisers[:1])[0], ())

    def sides(self, group: str, sound: str) -> tuple[Side, Side]:
        """Groups of speech and music for the first evenings, and the others'."""
        labels = {"speech", "music"} - {sound}
        recordings = [
            one
            for one in self.recordings
            if one.label in labels and one.group != group
            if (one.seconds or 0.0) >= _FEWEST_BACKGROUND_S
        ]
        groups = sorted({one.group for one in recordings})
        order = np.random.default_rng(0).permutation(len(groups))
        first = {groups[int(place)] for place in order[: len(order) // 3]}
        sides = [
            [one for one in recordings if (one.group in first) is side] for side in (True, False)
        ]
        return Side(self.shelf, sides[0]), Side(self.shelf, sides[1])


def _in_room(piece: Samples, surroundings: Surroundings, rng: np.random.Generator) -> Samples:
    tail = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
    return surroundings.heard(np.concatenate([piece, tail]), rng)


def rows(bench: Bench, names: Sequence[str], evenings: int) -> Iterator[Row]:
    """Case by case."""
    for stem, name, sound in CASES:
        if stem in names:
            row = Trial(bench, stem, sound).row(name, evenings)
            print(row.line(), flush=True)
            yield row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.feedback")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table in there")
    parser.add_argument("--evenings", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=[one[0] for one in CASES], metavar="SOURCE")
    options = parser.parse_args()
    classifier = Classifier(Path(os.environ["DETECTOR_MODEL"]))
    recogniser = WindowRecogniser(classifier, hop_seconds=HOP_SECONDS)
    bench = Bench(Path(os.environ["DETECTOR_AUDIO"]), recogniser)
    found = list(rows(bench, options.only, options.evenings))
    print(text(found))
    if options.markdown is not None:
        markdown(options.markdown, found)


if __name__ == "__main__":
    main()
