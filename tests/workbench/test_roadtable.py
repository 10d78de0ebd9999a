"""Several roads over the same audio, at equal false alarms."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.workbench.dataset import LabelledSound
from detector.workbench.roads import Timed, Told
from detector.workbench.roadtable import Heard, line_of, table
from detector.workbench.soundscape import Scene

HOP_S, WINDOW_S = 0.48, 0.96
EVENTS = (LabelledSound(20.0, 22.0, "glass_breaking"), LabelledSound(60.0, 62.0, "glass_breaking"))


def scene(seconds: float = 120.0) -> Scene:
    """Two minutes with two breaks; the samples tell nothing here."""
    samples = np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)
    return Scene("a", samples, EVENTS, snr_db=10.0)


@dataclass
class Scripted:
    """A road that says high numbers at given times."""

    name: str = "scripted"
    high: dict[float, float] = field(default_factory=dict)
    """Value by the second at which it is told."""
    knows_onsets: bool = False
    sounds: frozenset[str] = frozenset({"glass_breaking"})
    size_bytes: int = 1_500_000

    def hear(self, samples: Samples) -> Told:
        """The script."""
        count = int((len(samples) / SAMPLE_RATE_HZ - WINDOW_S) / HOP_S)
        starts = HOP_S * np.arange(count)
        values = np.full(count, -5.0)
        for at_s, value in self.high.items():
            values[int((at_s - WINDOW_S) / HOP_S)] = value
        began = (
            {"glass_breaking": np.asarray(starts + 0.4, np.float64)} if self.knows_onsets else {}
        )
        spans = np.stack([starts, starts + WINDOW_S], axis=1)
        return Told(spans, {"glass_breaking": values}, began)


def heard(road: Scripted, scenes: int = 60) -> Heard:
    """Two hours."""
    made = Heard(Timed(road))
    for _ in range(scenes):
        made.hear(scene(), "scenes")
    return made


def test_all_is_found_where_nothing_false_is_as_high() -> None:
    """At the lowest threshold that allows half a false alarm an hour."""
    line = line_of(heard(Scripted(high={21.0: 3.0, 61.0: 2.0})), "glass_breaking")
    assert (line.recall.value, line.events, line.false_alarms) == (1.0, 120, 0)


def test_what_is_lower_than_too_many_false_alarms_is_not_found() -> None:
    """One in every scene stands above the second event."""
    line = line_of(heard(Scripted(high={21.0: 3.0, 61.0: 1.0, 90.0: 2.0})), "glass_breaking")
    assert line.recall.value == 0.5
    assert line.false_alarms <= 1


def test_a_road_that_knows_when_it_began_is_nearer_to_the_truth() -> None:
    """Onset errors go through the gate of the daemon."""
    high = {20.64 + WINDOW_S: 3.0}
    known = line_of(heard(Scripted(high=high, knows_onsets=True), 2), "glass_breaking")
    guessed = line_of(heard(Scripted(high=high), 2), "glass_breaking")
    begins_s = HOP_S * int(20.64 / HOP_S)
    assert known.onset_errors_s[0, 0] == pytest.approx(begins_s + 0.4 - 20.0, abs=0.01)
    assert guessed.onset_errors_s[0, 0] != known.onset_errors_s[0, 0]


def test_onsets_are_compared_on_events_that_both_found() -> None:
    """Who finds only the easy ones is no better for it."""
    both = heard(Scripted("both", high={21.0: 3.0, 61.0: 3.0}), 10)
    one = heard(Scripted("one", high={21.0: 3.0}, knows_onsets=True), 10)
    text = table([both, one], ["glass_breaking"])
    (line,) = [each for each in text.splitlines() if each.startswith("| both | 10 |")]
    assert line.count(" s |") == 4


def test_the_table_has_a_line_for_each_road_and_each_sound() -> None:
    """A road that does not tell a sound has no figure for it."""
    deaf = Scripted("deaf", sounds=frozenset())
    text = table([heard(Scripted(high={21.0: 3.0}), 10), heard(deaf, 10)], ["glass_breaking"])
    assert "| scripted | 0.50 [" in text
    assert "1.50 MB" in text
    assert "| glass_breaking | 20 | 0.50 [" in text
    assert text.rstrip().endswith("| – |")
