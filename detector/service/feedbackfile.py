"""What people said of a sound, on the disk: one file a sound, for its owner only, never audio.

Each holds the examples, what they have brought about, and the last steps, so that each of them can
be taken back exactly.
"""

import base64
from collections.abc import Mapping, Sequence
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
from detector.service.overrides import ThresholdOverride
from detector.service.statefile import StateFile

FORMAT, VERSION = "detector-feedback", 1
MOST_EXAMPLES = 32
"""Of a sound; the oldest goes first."""
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


@dataclass(frozen=True, slots=True)
class Told:
    """All that was said of a sound, and what came of it."""

    recogniser: str
    """SHA-256 of the model that heard it."""
    examples: tuple[Example, ...] = ()
    veto: Veto | None = None
    steps: tuple[Step, ...] = ()

    def with_example(self, example: Example, override: ThresholdOverride | None) -> "Told":
        """With one more; a moment of which something else was said is that no more.

        The threshold and the veto that come of it are to be put in by ``settled``.
        """
        same = [one for one in self.examples if one.event == example.event and example.event != ""]
        kept = [one for one in self.examples if one not in same]
        going = same or (kept[:1] if len(kept) >= MOST_EXAMPLES else [])
        dropped = going[0] if going else None
        kept = [one for one in kept if one is not dropped]
        step = Step(tuple(map(_key, self.examples)), dropped, override, 0.0, self.veto)
        steps = (*self.steps, step)[-MOST_STEPS:]
        return replace(self, examples=(*kept, example), steps=steps)

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
        return replace(self, examples=examples, veto=step.veto, steps=self.steps[:-1])


class FeedbackFile:
    """The file of a sound. For one thread at a time."""

    def __init__(self, folder: Path, sound: str) -> None:
        lost = f"what was said of {sound} is forgotten"
        self._file = StateFile(folder / f"{sound}.json", lost=lost)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._file.path

    def read(self, recogniser: str) -> Told:
        """What it holds for a model; a damaged one is set aside and said so.

        What was heard by another model means nothing to this one: nothing, then.
        """
        found = self._file.read(_told)
        return found if found is not None and found.recogniser == recogniser else Told(recogniser)

    def write(self, told: Told) -> None:
        """Write it, whole or not at all; raises ControlError where that fails."""
        if not self._file.write(_document(told), durable=True):
            raise ControlError(f"{self.path}: cannot be written; nothing was changed")


def feedback_folder(directory: Path, node: str) -> Path:
    """Where the files of a node lie, in the state directory."""
    return directory / f"feedback-{node}"


def _key(example: Example) -> str:
    return f"{example.at} {example.judgement} {example.event}"


def _document(told: Told) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "recogniser": told.recogniser,
        "examples": [_example_document(one) for one in told.examples],
        "veto": _veto_document(told.veto),
        "steps": [_step_document(one) for one in told.steps],
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
    override = step.override
    return {
        "examples": list(step.examples),
        "dropped": None if step.dropped is None else _example_document(step.dropped),
        "override": None if override is None else override.document(),
        "threshold": step.threshold,
        "veto": _veto_document(step.veto),
    }


def _told(document: Any) -> Told:
    """Of the file; ValueError, TypeError or KeyError for one that is damaged."""
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError("format")
    examples = tuple(map(_example, document["examples"]))
    steps = tuple(map(_step, document["steps"]))
    if len(examples) > MOST_EXAMPLES or len(steps) > MOST_STEPS:
        raise ValueError("more than was written")
    return Told(str(document["recogniser"]), examples, _veto(document["veto"]), steps)


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
    dropped, override = document["dropped"], document["override"]
    return Step(
        tuple(map(str, document["examples"])),
        None if dropped is None else _example(dropped),
        None if override is None else ThresholdOverride.parsed(override),
        float(document["threshold"]),
        _veto(document["veto"]),
    )


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
