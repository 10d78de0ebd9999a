"""What people said of a sound, on the disk, for its owner only, never audio.

A file holds the examples, what they have brought about, and the last steps, so that each of them
can be taken back exactly.  There is one for each evidence that a sound was told by: what was said
of it by one model or head means nothing to another, but counts again where that is back.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.errors import ControlError
from detector.core.events import Judgement
from detector.events.heads import Sphere
from detector.events.veto import Veto
from detector.service.correction import Example
from detector.service.jsondoc import packed
from detector.service.moments import MOST_WINDOWS, Moment
from detector.service.overrides import BY_FEEDBACK, ThresholdOverride
from detector.service.statefile import StateFile

FORMAT, VERSION = "detector-feedback", 1
MOST_EXAMPLES = 32
"""Of a sound; the oldest of what was said most often goes first."""
MOST_FILES = 3
"""Of a sound; the one that was written longest ago goes first."""
MOST_STEPS = 5
"""That can be taken back."""
MOST_NUMBERS = 8192
_DTYPES = {"float16": "<f2", "float32": "<f4"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was said, and how everything stood before it."""

    examples: tuple[str, ...]
    """The keys of the examples before it."""
    dropped: Example | None
    """The one that had to make room."""
    override: ThresholdOverride | None
    """Of the threshold, before it."""
    threshold: float
    """In force since."""
    veto: Veto | None
    """Before it."""
    base: ThresholdOverride | None = None
    """Before it."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that was said of a sound, and what came of it."""

    identity: str
    """Of the evidence that told it."""
    examples: tuple[Example, ...] = ()
    veto: Veto | None = None
    steps: tuple[Step, ...] = ()
    base: ThresholdOverride | None = None
    """Of the threshold, before anything was said; None: the configured one."""

    def with_example(self, example: Example, override: ThresholdOverride | None) -> "Told":
        """With one more; a moment of which something else was said is that no more.

        The threshold and the veto that come of it are to be put in by ``settled``.
        """
        dropped = next((one for one in self.examples if _is_same(one, example)), None)
        if dropped is None and len(self.examples) >= MOST_EXAMPLES:
            dropped = _to_make_room(self.examples)
        kept = [one for one in self.examples if one is not dropped]
        known = tuple(map(_key, self.examples))
        step = Step(known, dropped, override, 0.0, self.veto, self.base)
        steps = (*self.steps, step)[-MOST_STEPS:]
        is_by_feedback = override is not None and override.origin == BY_FEEDBACK
        base = self.base if is_by_feedback else override
        return replace(self, examples=(*kept, example), steps=steps, base=base)

    def settled(self, threshold: float, veto: Veto | None) -> "Told":
        """With what came of the last step."""
        last = replace(self.steps[-1], threshold=threshold)
        return replace(self, veto=veto, steps=(*self.steps[:-1], last))

    def without_last(self) -> "Told":
        """As it was before the last step; raises ControlError where there is none."""
        if not self.steps:
            raise ControlError("there is nothing to take back")
        step = self.steps[-1]
        known = {_key(one): one for one in (*self.examples, step.dropped) if one is not None}
        examples = tuple(known[key] for key in step.examples)
        rest = self.steps[:-1]
        return replace(self, examples=examples, veto=step.veto, steps=rest, base=step.base)


class FeedbackFile:
    """The file of a sound and its evidence. For one thread at a time."""

    def __init__(self, folder: Path, sound: str, identity: str) -> None:
        lost = f"what was said of {sound} is forgotten"
        self._identity = identity
        # No sound has a hyphen in its name.
        self._file = StateFile(folder / f"{sound}-{identity[:16]}.json", lost=lost)
        self._beside = f"{sound}-*.json"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._file.path

    def read(self) -> Told:
        """What it holds, nothing where it is not there; a damaged one is set aside and said so."""
        found = self._file.read(_told)
        is_ours = found is not None and found.identity == self._identity
        return found if found is not None and is_ours else Told(self._identity)

    def write(self, told: Told) -> None:
        """Write it, whole or not at all; raises ControlError where that fails."""
        if not self._file.write(_document(told), durable=True):
            raise ControlError(f"{self.path}: cannot be written; nothing was changed")
        self._make_room()

    def _make_room(self) -> None:
        """Forget what was said of evidence that was in use longest ago."""
        with suppress(OSError):
            files = self.path.parent.glob(self._beside)
            for old in sorted(files, key=lambda one: one.stat().st_mtime_ns)[:-MOST_FILES]:
                old.unlink()


def feedback_folder(directory: Path, node: str) -> Path:
    """Where the files of a node lie, in the state directory."""
    return directory / f"feedback-{node}"


def _is_same(one: Example, other: Example) -> bool:
    """Whether both are said of one moment."""
    if one.event or other.event:
        return one.event == other.event
    return one.moment.peak == other.moment.peak


def _to_make_room(examples: Sequence[Example]) -> Example:
    """The oldest of what was said most often: many words never push out the few against them."""
    counts = Counter(one.judgement for one in examples)
    commonest = max(counts, key=lambda one: counts[one])
    return next(one for one in examples if one.judgement is commonest)


def _key(example: Example) -> str:
    return f"{example.at} {example.judgement} {example.event}"


def _document(told: Told) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "identity": told.identity,
        "examples": [_example_document(one) for one in told.examples],
        "veto": _veto_document(told.veto),
        "steps": [_step_document(one) for one in told.steps],
        "base": _override_document(told.base),
    }


def _example_document(example: Example) -> dict[str, Any]:
    moment = example.moment
    return {
        "judgement": str(example.judgement),
        "event": example.event,
        "at": example.at,
        "starts_s": [round(float(one), 4) for one in moment.starts_s],
        "ends_s": [round(float(one), 4) for one in moment.ends_s],
        "probabilities": [float(one) for one in moment.probabilities],
        "embeddings": packed(moment.embeddings),
    }


def _veto_document(veto: Veto | None) -> dict[str, Any] | None:
    if veto is None:
        return None
    return {
        "centre": packed(veto.sphere.centre, "float32"),
        "scale": packed(veto.sphere.scale, "float32"),
        "directions": packed(veto.directions, "float32"),
        "at": veto.at,
    }


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "examples": list(step.examples),
        "dropped": None if step.dropped is None else _example_document(step.dropped),
        "override": _override_document(step.override),
        "threshold": step.threshold,
        "veto": _veto_document(step.veto),
        "base": _override_document(step.base),
    }


def _override_document(override: ThresholdOverride | None) -> dict[str, Any] | None:
    return None if override is None else override.document()


def _told(document: Any) -> Told:
    """Of the file; ValueError, TypeError or KeyError for one that is damaged."""
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError("format")
    examples = tuple(map(_example, document["examples"]))
    steps = tuple(map(_step, document["steps"]))
    if len(examples) > MOST_EXAMPLES or len(steps) > MOST_STEPS:
        raise ValueError("more than was written")
    base, identity = _override(document["base"]), str(document["identity"])
    told = Told(identity, examples, _veto(document["veto"]), steps, base)
    before = told
    while before.steps:
        before = before.without_last()  # KeyError for a step that cannot be taken back
    return told


def _example(document: Mapping[str, Any]) -> Example:
    starts_s, ends_s = _numbers(document["starts_s"]), _numbers(document["ends_s"])
    probabilities = _numbers(document["probabilities"])
    embeddings = _array(document["embeddings"]).astype(np.float16)
    lengths = {len(one) for one in (starts_s, ends_s, probabilities, embeddings)}
    if len(lengths) != 1 or embeddings.ndim != 2 or len(embeddings) > MOST_WINDOWS:
        raise ValueError("windows")
    judgement = Judgement(document["judgement"])
    moment = Moment(starts_s, ends_s, probabilities, embeddings)
    return Example(judgement, str(document["event"]), str(document["at"]), moment)


def _veto(document: Mapping[str, Any] | None) -> Veto | None:
    if document is None:
        return None
    names = ("centre", "scale", "directions")
    centre, scale, directions = (_array(document[name]) for name in names)
    shapes_fit = centre.ndim == 1 and directions.ndim == 2 and len(directions)
    if not shapes_fit or not centre.shape == scale.shape == directions.shape[1:]:
        raise ValueError("shapes")
    if not (scale > 0.0).all() or not 0.0 < float(document["at"]) <= 1.0:
        raise ValueError("scale")
    return Veto(Sphere(centre, scale), directions, float(document["at"]))


def _step(document: Mapping[str, Any]) -> Step:
    dropped = document["dropped"]
    return Step(
        tuple(map(str, document["examples"])),
        None if dropped is None else _example(dropped),
        _override(document["override"]),
        float(document["threshold"]),
        _veto(document["veto"]),
        _override(document["base"]),
    )


def _override(document: Mapping[str, Any] | None) -> ThresholdOverride | None:
    return None if document is None else ThresholdOverride.parsed(document)


def _numbers(values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    found = np.array([float(one) for one in values], np.float64)
    if not np.isfinite(found).all():
        raise ValueError("no number")
    return found


def _array(document: Mapping[str, Any]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """What ``packed`` made; the shape may have a 0 in it, which jsondoc does not take."""
    shape = tuple(int(one) for one in document["shape"])
    raw = base64.b64decode(document["base64"], validate=True)
    found = np.frombuffer(raw, _DTYPES[document["dtype"]]).astype(np.float32).reshape(shape)
    if not np.isfinite(found).all() or max(shape, default=0) > MOST_NUMBERS:
        raise ValueError("numbers")
    return found
