"""Clips that a classifier is trained on: labelled recordings, heard, checked and made features of.

A clip is a whole recording with a label, or what a strong label marks in one.  Its group is the
baby, device or session, whatever the label: two labels of one baby are one group.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import AudioError, DataError
from detector.core.recognition import Array
from detector.events.clips import LEAST_S
from detector.service.clipfile import LABEL_MEANS, LABEL_PATTERN, MOST_LABELS
from detector.workbench.dataset import Recording, read_dataset, read_tags
from detector.workbench.fitness import Unfit, unfit
from detector.workbench.labels import meaning
from detector.workbench.scoring import Heard, check_sound
from detector.workbench.sounding import read_samples

OTHER = "other"
"""What is not the one label that is told from the rest."""

Featuring = Callable[[Samples], Array]
"""From a clip of shape (n,) to its features."""


@dataclass(frozen=True, slots=True)
class Clips:
    """What is learnt from. The first axis of the arrays is that of the clips."""

    features: Mapping[str, Array]
    """By kind, shape (clips, numbers)."""
    labels: tuple[str, ...]
    """Of the classes, the most frequent first."""
    truths: NDArray[np.intp]
    """Index into ``labels``, shape (clips,)."""
    groups: tuple[str, ...]
    """Of each clip."""
    seconds: NDArray[np.float64]
    recordings: tuple[Recording, ...]
    skipped: tuple[Unfit, ...] = ()

    def count(self, label: str) -> int:
        """How many clips a label has."""
        return int(np.sum(self.truths == self.labels.index(label)))

    def groups_with(self, label: str) -> int:
        """How many groups a label has."""
        place = self.labels.index(label)
        return len({g for g, t in zip(self.groups, self.truths, strict=True) if t == place})


def labelled(data: Sequence[Path], column: str = "") -> list[Recording]:
    """Recordings with labels; with ``column``, those of which that of a manifest says something.

    Raises DataError as ``read_dataset`` does, and where none is left.
    """
    found = []
    for one in data:
        recordings = read_dataset(one)
        if column:
            tags = read_tags(one, column)
            recordings = tuple(
                replace(each, label=tags[each.path]) for each in recordings if each.path in tags
            )
        found += [replace(each, group=_group(each)) for each in recordings]
    if not found:
        raise DataError(f"no recording has anything in the column {column}")
    return found


def against_rest(recordings: Sequence[Recording], label: str) -> list[Recording]:
    """The same with two labels only. Raises DataError where nothing has that label."""
    known = sorted({one.label for one in recordings if one.label is not None})
    if label not in known:
        raise DataError(f"no recording is labelled {label}: there are {', '.join(known[:8])}")
    return [one if one.label in (None, label) else replace(one, label=OTHER) for one in recordings]


def only(recordings: Sequence[Recording], labels: Sequence[str]) -> list[Recording]:
    """Those with one of these labels. Raises DataError for a label that none has."""
    known = sorted({one.label for one in recordings if one.label is not None})
    for label in labels:
        if label not in known:
            raise DataError(f"no recording is labelled {label}: there are {', '.join(known[:8])}")
    return [one for one in recordings if one.label in labels]


def hear(
    recordings: Sequence[Recording],
    featuring: Mapping[str, Featuring],
    *,
    skip_unfit: bool = False,
    progress: Callable[[int, int | None], None] = lambda _done, _of: None,
) -> Clips:
    """Hear recordings, and make each kind of features of every clip in them.

    Raises DataError, a line each, for recordings that cannot be used, unless those are skipped; and
    where too few labels or groups are left.
    """
    heard, faulty = [], list[Unfit]()
    taken: list[_Clip] = []
    for number, recording in enumerate(recordings, 1):
        try:
            samples = read_samples(recording.path)
        except AudioError as error:
            reason = str(error).removeprefix(f"{recording.path}").lstrip(": ")
            faulty.append(Unfit(recording, reason))
            continue
        heard.append(as_heard(recording, samples))
        pieces = list(_pieces(recording, samples))
        faulty += [Unfit(recording, fault) for fault in _too_short(recording, pieces)]
        taken += [_featured(recording, label, piece, featuring) for label, piece in pieces]
        progress(number, len(recordings))
    faulty += [one for one in unfit(heard, _sounds(recordings)) if not _is_told(one, faulty)]
    if faulty and not skip_unfit:
        raise DataError("\n".join(map(str, faulty)))
    left_out = {one.recording.path for one in faulty}
    return _clips([one for one in taken if one.recording.path not in left_out], faulty)


@dataclass(frozen=True, slots=True)
class _Clip:
    recording: Recording
    label: str
    seconds: float
    features: Mapping[str, Array]


def _featured(
    recording: Recording, label: str, samples: Samples, featuring: Mapping[str, Featuring]
) -> _Clip:
    """Of a clip that is too short, nothing is made: it is told, and never learnt from."""
    seconds = len(samples) / SAMPLE_RATE_HZ
    features = {} if seconds < LEAST_S else {kind: of(samples) for kind, of in featuring.items()}
    return _Clip(recording, label, seconds, features)


def _pieces(recording: Recording, samples: Samples) -> Iterator[tuple[str, Samples]]:
    if recording.label is not None:
        yield recording.label, samples
    for event in recording.events:
        begin, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (event.onset_s, event.offset_s))
        yield event.sound, samples[begin:end]


def _too_short(recording: Recording, pieces: Sequence[tuple[str, Samples]]) -> Iterator[str]:
    for label, samples in pieces:
        seconds = len(samples) / SAMPLE_RATE_HZ
        if seconds < LEAST_S:
            what = "it" if recording.label is not None else f"what is marked as {label}"
            yield f"{what} is too short ({seconds:.2f} s): a clip needs {LEAST_S:g} s"


def as_heard(recording: Recording, samples: Samples) -> Heard:
    """As far as its fitness goes."""
    none = np.zeros(0)
    seconds = len(samples) / SAMPLE_RATE_HZ
    return Heard(recording, seconds, none, none, {}, none, check_sound(samples))


def _sounds(recordings: Sequence[Recording]) -> frozenset[str]:
    """Every label: each is to be heard."""
    return frozenset(meaning(one.label).sound for one in recordings if one.label is not None)


def _is_told(one: Unfit, told: Sequence[Unfit]) -> bool:
    return any(one.recording is other.recording for other in told)


def _clips(taken: Sequence[_Clip], skipped: Sequence[Unfit]) -> Clips:
    groups: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for one in taken:
        groups[one.label].add(one.recording.group)
        counts[one.label] += 1
    _check_enough(groups)
    labels = sorted(counts, key=lambda label: (-counts[label], label))
    kinds = list(taken[0].features)
    return Clips(
        {kind: np.stack([one.features[kind] for one in taken]) for kind in kinds},
        tuple(labels),
        np.array([labels.index(one.label) for one in taken], np.intp),
        tuple(one.recording.group for one in taken),
        np.array([one.seconds for one in taken]),
        tuple({one.recording.path: one.recording for one in taken}.values()),
        tuple(skipped),
    )


def _check_enough(groups: Mapping[str, set[str]]) -> None:
    if len(groups) < 2:
        only = f"all are labelled {next(iter(groups))}" if groups else "no recording is left"
        raise DataError(f"{only}: a classifier needs two labels at least to tell apart")
    if len(groups) > MOST_LABELS:
        few = f"choose {MOST_LABELS} at most (--label)"
        raise DataError(f"there are {len(groups)} labels, from {min(groups)} on: {few}")
    for label, of in sorted(groups.items()):
        if not re.fullmatch(LABEL_PATTERN, label):
            raise DataError(f"{label!r} is not {LABEL_MEANS}")
        if len(of) < 2:
            raise DataError(
                f"all recordings of {label} are of one group ({next(iter(of))}): what it learnt of "
                "them could be that group's and not the label's; record it with two at least, "
                "better ten"
            )


def _group(recording: Recording) -> str:
    """Without the label: ``hungry/anna`` and ``tired/anna`` are of the same baby."""
    folder = recording.path.parent
    for above in (folder, folder.parent):
        inside = recording.group.removeprefix(f"{above.name}/")
        if inside != recording.group:
            return inside
    return recording.group
