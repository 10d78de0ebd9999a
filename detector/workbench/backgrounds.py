"""``python -m detector.workbench.backgrounds DATA --out FILE``: the shipped backgrounds, anew.

Embeddings of windows of recordings, by which sounds of one's own are told from what they are not.
Nothing of children is among them, and nothing under a licence that asks for more than a name.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from detector import __version__
from detector.core.errors import DetectorError, ModelError
from detector.core.recognition import EMBEDDING, Array, Recogniser
from detector.learning.backgrounds import Backgrounds, packed_backgrounds
from detector.learning.hearing import observe
from detector.model.recogniser import WindowRecogniser
from detector.model.store import find_model
from detector.model.trial import open_classifier
from detector.workbench.dataset import Recording, read_dataset
from detector.workbench.shipping import sources_of
from detector.workbench.sounding import read_samples

HOP_SECONDS = 0.48
LEFT_OUT = frozenset({"baby_cry", "babbling", "crying_baby"})
"""Children."""
_TAKEN = (
    "CC0", "Creative Commons 0", "CC BY 3.0", "CC BY 4.0", "CC-BY", "CC BY (", "MIT", "Apache-2.0",
    "public domain", "Public Domain", "Attribution 4.0",
)  # fmt: skip
_NOT_TAKEN = ("CC BY-SA", "CC-BY-SA", "ODbL", "NC")
MOST_WINDOWS_A_GROUP = 120
"""Of one group: a minute. The rest of it is like that."""
MOST_WINDOWS = {"speech": 3000, "music": 1200}
"""Of one kind."""


@dataclass(frozen=True, slots=True)
class Windows:
    """What a recogniser made of a recording."""

    recording: Recording
    embeddings: Array
    """Shape (windows, numbers)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Hear, choose, write and print."""
    parser = argparse.ArgumentParser(
        "python -m detector.workbench.backgrounds",
        description="Make the backgrounds that sounds of one's own are told from.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="a manifest CSV, or its folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: $DETECTOR_MODEL")
    options = parser.parse_args(arguments)
    try:
        told = write(options.out, read_dataset(options.data), _recogniser(options.model))
    except DetectorError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201 # it is a command
        return error.exit_code
    print(told)  # noqa: T201
    return 0


def write(out: Path, recordings: Sequence[Recording], recogniser: Recogniser) -> str:
    """Write the file; what it holds, in one line."""
    heard = list(hear(filter(is_taken, recordings), recogniser))
    chosen = backgrounds_of(heard, recogniser.spec.hop_s)
    provenance = {
        "data": sources_of([one.recording for one in heard]),
        "left_out": "children; licences that ask for more than a name",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code_version": __version__,
    }
    written = io.BytesIO()
    arrays = packed_backgrounds(chosen, recogniser.spec.content_hash, provenance)
    np.savez_compressed(written, **arrays)  # type: ignore[arg-type] # its stub forgets the names
    out.write_bytes(written.getvalue())
    return (
        f"{out}: {len(chosen.embeddings)} windows ({chosen.hours:.2f} h), {len(heard)} recordings, "
        f"{len(np.unique(chosen.groups))} groups, {len(chosen.kinds)} kinds; "
        f"{len(written.getvalue()):,} bytes"
    )


def is_taken(recording: Recording) -> bool:
    """Whether a recording is for everybody, and not of a child."""
    licence = recording.licence
    if recording.label is None or recording.meaning.sound in LEFT_OUT:
        return False
    return licence.startswith(_TAKEN) and not any(word in licence for word in _NOT_TAKEN)


def hear(recordings: Iterator[Recording], recogniser: Recogniser) -> Iterator[Windows]:
    """The embeddings of each, in a fixed order."""
    for one in sorted(recordings, key=lambda one: str(one.path)):
        observations = observe(read_samples(one.path), [recogniser])[0]
        rows = [np.asarray(each.outputs[EMBEDDING], np.float32) for each in observations]
        yield Windows(one, np.stack(rows))


def backgrounds_of(
    heard: Sequence[Windows], hop_s: float, *, all_of_it: bool = False
) -> Backgrounds:
    """Backgrounds of some recordings; of a long group, or a frequent kind, only so much.

    With ``all_of_it``, everything.
    """
    kinds: dict[str, int] = {}
    groups: dict[str, int] = {}
    left_of_group: dict[str, int] = {}
    left_of_kind: dict[str, int] = {}
    rows: list[tuple[Array, int, int, int]] = []
    for number, one in enumerate(_by_turns(heard)):
        kind, group = one.recording.meaning.sound, one.recording.group
        most = min(
            left_of_group.get(group, MOST_WINDOWS_A_GROUP),
            left_of_kind.get(kind, MOST_WINDOWS.get(kind, len(one.embeddings) + 1_000_000)),
        )
        taken = one.embeddings if all_of_it else one.embeddings[:most]
        left_of_group[group] = left_of_group.get(group, MOST_WINDOWS_A_GROUP) - len(taken)
        left_of_kind[kind] = left_of_kind.get(kind, MOST_WINDOWS.get(kind, 1_000_000)) - len(taken)
        if len(taken):
            places = (kinds.setdefault(kind, len(kinds)), groups.setdefault(group, len(groups)))
            rows.append((taken, number, places[1], places[0]))
    counts = [len(one) for one, _, _, _ in rows]
    columns = [np.repeat([row[place] for row in rows], counts) for place in (1, 2, 3)]
    return Backgrounds(
        np.concatenate([row[0] for row in rows]),
        columns[0].astype(np.intp),
        columns[1].astype(np.intp),
        tuple(kinds),
        columns[2].astype(np.intp),
        hop_s,
    )


def _by_turns(heard: Sequence[Windows]) -> list[Windows]:
    """The first recording of every group, then the second of each that has one, and so on."""
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, Windows]] = []
    for one in heard:
        seen[one.recording.group] = seen.get(one.recording.group, -1) + 1
        turns.append((seen[one.recording.group], len(turns), one))
    return [one for _, _, one in sorted(turns, key=lambda turn: turn[:2])]


def _recogniser(option: Path | None) -> Recogniser:
    path = find_model(option=option, configured=None, environ=os.environ)
    if path is None:
        raise ModelError("no model; fetch it: detector model fetch")
    classifier = open_classifier(path, runtime="auto", threads=1, sha256=None)
    recogniser = WindowRecogniser(classifier, hop_seconds=HOP_SECONDS)
    if EMBEDDING not in recogniser.spec.outputs:
        raise ModelError(f"{path} gives no {EMBEDDING}, which sounds of one's own are learnt on")
    return recogniser


if __name__ == "__main__":
    sys.exit(main())
