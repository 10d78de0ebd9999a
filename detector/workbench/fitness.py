"""Which recordings cannot be learnt from, and why: one line each, with what would be right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.workbench.dataset import Recording
from detector.workbench.scoring import Heard

MOST_CLIPPED = 0.02
"""Share of samples at full scale; beyond it the sound is another one."""
FAINTEST_DBFS = -65.0
"""A sound of which the loudest moment is fainter is not heard in any room."""
NOTHING_DBFS = -100.0
"""What no microphone that is on falls below."""
SHORTEST_S = 0.2
"""Less is a slip of the finger; the shortest knocks and cracks are longer."""
_LATE_S = 0.5
"""A label may end so much after its recording: marks are set by hand."""
_ALIKE = 0.995
"""Correlation of two envelopes beyond which they are one recording's."""
_TONES_ALIKE = 0.9
"""The same of two spectra: a codec, or noise, may have changed the faint parts."""
_LENGTHS_ALIKE = 0.02


@dataclass(frozen=True, slots=True)
class Unfit:
    """A recording that cannot be used."""

    recording: Recording
    reason: str
    is_bearable: bool = False
    """Whether what learns from thousands of them may still learn from it."""

    def __str__(self) -> str:
        return f"{self.recording.path}: {self.reason}"


def unfit(heard: Sequence[Heard], wanted: frozenset[str]) -> list[Unfit]:
    """Those of the recordings that cannot be used, for sounds ``wanted``."""
    found = [
        Unfit(one.recording, why, is_bearable=bearable)
        for one in heard
        for why, bearable in _faults(one, wanted)
    ]
    return [*found, *_leaks(heard)]


def _faults(heard: Heard, wanted: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """What is wrong, and whether that is bearable."""
    check, recording = heard.sound_check, heard.recording
    if heard.seconds < SHORTEST_S:
        needed = f"{SHORTEST_S:g} s are needed, better some more"
        yield f"is too short ({heard.seconds:.2f} s): {needed}", False
        return
    for event in recording.events:
        if event.offset_s > heard.seconds + _LATE_S:
            marked = f"{event.sound} is marked at {event.onset_s:g} s to {event.offset_s:g} s"
            why = f"is {heard.seconds:.1f} s long, but {marked}: is the label of another recording?"
            yield why, False
    if check.clipped_share > MOST_CLIPPED:
        share = f"{check.clipped_share:.0%} of it at full scale"
        yield f"is clipped ({share}): record it with less gain", True
    if check.loudest_dbfs < NOTHING_DBFS:
        yield "holds digital silence: the microphone was off", False
    elif check.loudest_dbfs < FAINTEST_DBFS and recording.meaning.sound in wanted:
        labelled = f"but labelled {recording.meaning.sound}"
        yield (
            (
                f"is silent ({check.loudest_dbfs:.0f} dBFS at its loudest), {labelled}: record it "
                f"nearer or with more gain"
            ),
            True,
        )


def _leaks(heard: Sequence[Heard]) -> Iterator[Unfit]:
    """The same recording under two groups or labels: it would be on both sides of a split."""
    ordered = sorted(heard, key=lambda one: one.seconds)
    seen: dict[str, Heard] = {}
    told = set()
    for one in ordered:
        first = seen.setdefault(one.sound_check.digest, one)
        if first is not one and _differ(first, one):
            told.add(id(one))
            yield _leak(one, first, "is the same recording as")
    for one, other in _alike(ordered):
        if _differ(one, other) and id(one) not in told:
            told.add(id(one))
            yield replace(_leak(one, other, "sounds like a copy of"), is_bearable=True)


def _differ(one: Heard, other: Heard) -> bool:
    recordings = (one.recording, other.recording)
    return len({(r.group, r.label, r.events) for r in recordings}) > 1


def _leak(one: Heard, other: Heard, how: str) -> Unfit:
    mine, theirs = one.recording, other.recording
    what = "label" if mine.group == theirs.group else "group"
    names = [getattr(r, what) or "marked by times" for r in (mine, theirs)]
    return Unfit(
        mine, f"{how} {theirs.path}, but of another {what} ({names[0]}, {names[1]}): keep one"
    )


def _alike(ordered: Sequence[Heard]) -> Iterator[tuple[Heard, Heard]]:
    """Pairs of like length, in order of length, whose loudness goes up and down alike."""
    if not ordered:
        return
    envelopes = np.stack([one.sound_check.envelope for one in ordered])
    spectra = np.stack([one.sound_check.spectrum for one in ordered])
    seconds = np.array([one.seconds for one in ordered])
    for i, one in enumerate(ordered):
        last = int(np.searchsorted(seconds, seconds[i] * (1.0 + _LENGTHS_ALIKE), "right"))
        likeness = envelopes[i + 1 : last] @ envelopes[i]
        alike = (likeness > _ALIKE) & (spectra[i + 1 : last] @ spectra[i] > _TONES_ALIKE)
        for j in np.flatnonzero(alike):
            other = ordered[i + 1 + int(j)]
            if other.sound_check.digest != one.sound_check.digest:
                yield other, one
