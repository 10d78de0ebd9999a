"""What "wrong" costs where it is said of what was right: real ones that are called wrong.

    python -m tests.benchmarks.feedback_harm [--markdown FILE] [--sounds baby_cry siren]

Needs DETECTOR_MODEL and DETECTOR_AUDIO.  Recordings of the sound itself, each in a room of its
group's, are heard; of some that were told "wrong" is said, of others "right", drawn by chance again
and again.  Counted are the moments of other groups that would then not be told any more.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.events import Judgement
from detector.events.gate import GateSettings
from detector.learning.rooms import some_surroundings
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.service.build import gate_settings
from detector.service.correction import Example, Setting, bounds_of, fit_veto, settle
from detector.service.moments import Moment
from detector.workbench.backgrounds import HOP_SECONDS
from detector.workbench.listener import Listener
from detector.workbench.soundscape import episode
from tests.benchmarks.feedback import Bench

BEGIN, END = "<!-- harm -->", "<!-- end of harm -->"
SAID = ((1, 0), (2, 0), (8, 0), (16, 0), (1, 3), (8, 3), (16, 8))
"""How many real ones are called wrong, and how many right."""
DRAWS = 20
GROUPS, OF_A_GROUP = 24, 4


@dataclass(frozen=True, slots=True)
class Heard:
    """A real one that was told."""

    group: str
    moment: Moment


class Harm:
    """One sound."""

    def __init__(self, bench: Bench, sound: str) -> None:
        self.bench, self.sound = bench, sound
        config = bench.config(sound)
        self.gate: GateSettings = gate_settings(config.sounds[sound])
        self.listener = Listener(config, [one.spec for one in bench.recognisers])
        self._rng = np.random.default_rng(1)
        self.heard = list(self._hear())

    def _hear(self) -> Iterator[Heard]:
        recordings = [one for one in self.bench.shelf.of_sound(self.sound) if not one.is_strong]
        groups = sorted({one.group for one in recordings})
        for place in self._rng.permutation(len(groups))[:GROUPS]:
            room = some_surroundings(self._rng)
            for one in [one for one in recordings if one.group == groups[place]][:OF_A_GROUP]:
                dry = episode(self.bench.shelf.samples(one), self._rng, self.sound)
                around = np.pad(dry, (2 * SAMPLE_RATE_HZ, 4 * SAMPLE_RATE_HZ))
                piece = room.heard(np.asarray(around, np.float32), self._rng)
                before = set(self.listener.pipeline.moments.ids(self.sound))
                self.listener.listen(self.bench.observed(piece))
                ids = self.listener.pipeline.moments.ids(self.sound)
                for fresh in [one for one in ids if one not in before][:1]:
                    moment = self.listener.pipeline.moments.of_event(fresh, self.sound)[2]
                    yield Heard(one.group, moment)

    def lost(self, wrong: int, right: int) -> tuple[int, int]:
        """Of how many others, over all draws, how many are not told any more."""
        lost = others = 0
        for _ in range(DRAWS):
            order = [self.heard[int(place)] for place in self._rng.permutation(len(self.heard))]
            called, praised = order[:wrong], order[wrong : wrong + right]
            setting = self._setting(called, praised)
            known = {one.group for one in called}
            rest = [one.moment for one in order[wrong + right :] if one.group not in known]
            others += len(rest)
            told = (one.level(self.gate, setting.veto) >= setting.threshold for one in rest)
            lost += sum(not one for one in told)
        return lost, others

    def _setting(self, wrong: Sequence[Heard], right: Sequence[Heard]) -> Setting:
        said = [Example(Judgement.WRONG, "", str(n), one.moment) for n, one in enumerate(wrong)]
        said += [Example(Judgement.RIGHT, "", str(n), one.moment) for n, one in enumerate(right)]
        veto = fit_veto(said, self.gate, self.bench.backgrounds, self.sound)
        bounds = bounds_of(self.gate.threshold, (0.05, 0.99))
        return settle(said, self.gate, bounds=bounds, veto=veto)


def table(bench: Bench, sounds: Sequence[str]) -> Iterator[str]:
    """Line by line."""
    yield "| sound | told | called wrong | right | others lost |"
    yield "|---|---|---|---|---|"
    for sound in sounds:
        harm = Harm(bench, sound)
        groups = len({one.group for one in harm.heard})
        for wrong, right in SAID:
            if wrong + right > len(harm.heard) - 3:
                continue
            lost, others = harm.lost(wrong, right)
            told = f"{len(harm.heard)} of {groups} groups"
            yield f"| `{sound}` | {told} | {wrong} | {right} | {100 * lost / others:.1f} % |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.feedback_harm")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table in there")
    parser.add_argument("--sounds", nargs="+", default=["baby_cry", "siren"], metavar="SOUND")
    options = parser.parse_args()
    classifier = Classifier(Path(os.environ["DETECTOR_MODEL"]))
    recogniser = WindowRecogniser(classifier, hop_seconds=HOP_SECONDS)
    bench = Bench(Path(os.environ["DETECTOR_AUDIO"]), recogniser)
    lines = list(table(bench, options.sounds))
    print("\n".join(lines))
    if options.markdown is not None:
        whole = options.markdown.read_text(encoding="utf-8")
        before, _, rest = whole.partition(BEGIN)
        after = rest.partition(END)[2]
        text = "\n".join([before + BEGIN, "", *lines, "", END + after])
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
