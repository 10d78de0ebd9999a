"""Lessons and trials on disk, so that only the first run has to hear everything."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.recognition import EMBEDDING, LOGITS, RecogniserSpec
from detector.workbench.dataset import LabelledSound, Recording
from detector.workbench.lessons import Lesson, Outputs
from detector.workbench.observe import Cache, recogniser_key
from detector.workbench.trials import Trial

_FORMAT = "1"
"""Of what is kept, and of how strips and scenes are made: another one is made anew."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Makes material once."""

    cache: Cache

    def lessons(self, key: str, make: Callable[[], Sequence[Lesson]]) -> list[Lesson]:
        """Those of a key."""
        kept: Any = self.cache.get(key)
        if kept is None:
            made = list(make())
            self.cache.put(key, _packed([one.outputs for one in made]) | _of_lessons(made))
            return made
        outputs, ends = _unpacked(kept), np.cumsum(kept["counts"])[:-1]
        truths, categories = (np.split(kept[name], ends) for name in ("truths", "categories"))
        return [
            Lesson(one, truth, tuple(map(str, names)), str(group))
            for one, truth, names, group in zip(
                outputs, truths, categories, kept["groups"], strict=True
            )
        ]

    def trials(self, key: str, make: Callable[[], Sequence[Trial]]) -> list[Trial]:
        """Those of a key."""
        kept: Any = self.cache.get(key)
        if kept is None:
            made = list(make())
            self.cache.put(key, _packed([one.outputs for one in made]) | _of_trials(made))
            return made
        ends_s = np.split(kept["ends_s"], np.cumsum(kept["counts"])[:-1])
        facts = [json.loads(str(text)) for text in kept["facts"]]
        rows = zip(facts, _unpacked(kept), ends_s, strict=True)
        return [_trial(fact, outputs, ends) for fact, outputs, ends in rows]


def key_of(recordings: Sequence[Recording], spec: RecogniserSpec, *made: object) -> str:
    """What material depends on: recordings by place in their folder, model, and how it is made."""
    root = _common(recordings)
    named = sorted(
        (str(one.path.relative_to(root)), one.group, one.label or "") for one in recordings
    )
    text = repr((_FORMAT, named, recogniser_key(spec), made))
    return hashlib.sha256(text.encode()).hexdigest()


def _common(recordings: Sequence[Recording]) -> Path:
    folders = [one.path.parent for one in recordings]
    return next(
        folder
        for folder in (folders[0], *folders[0].parents)
        if all(one.is_relative_to(folder) for one in folders)
    )


def _packed(outputs: Sequence[Outputs]) -> dict[str, Any]:
    counts = np.array([len(one[LOGITS]) for one in outputs])
    names = (EMBEDDING, LOGITS)
    return {"counts": counts} | {n: np.concatenate([one[n] for one in outputs]) for n in names}


def _unpacked(kept: dict[str, Any]) -> list[Outputs]:
    ends = np.cumsum(kept["counts"])[:-1]
    parts = {name: np.split(kept[name], ends) for name in (EMBEDDING, LOGITS)}
    return [{name: parts[name][i] for name in parts} for i in range(len(kept["counts"]))]


def _of_lessons(lessons: Sequence[Lesson]) -> dict[str, Any]:
    return {
        "truths": np.concatenate([one.truths for one in lessons]),
        "categories": np.array([name for one in lessons for name in one.categories]),
        "groups": np.array([one.group for one in lessons]),
    }


def _of_trials(trials: Sequence[Trial]) -> dict[str, Any]:
    facts = [
        {
            "part": one.part,
            "fold": one.fold,
            "snr_db": one.snr_db,
            "window_s": one.window_s,
            "events": [asdict(span) for span in one.events],
            "unsure": [asdict(span) for span in one.unsure],
        }
        for one in trials
    ]
    return {
        "facts": np.array([json.dumps(fact) for fact in facts]),
        "ends_s": np.concatenate([one.ends_s for one in trials]),
    }


def _trial(fact: dict[str, Any], outputs: Outputs, ends_s: Any) -> Trial:
    events, unsure = (
        tuple(LabelledSound(**span) for span in fact.pop(name)) for name in ("events", "unsure")
    )
    return Trial(outputs=outputs, ends_s=ends_s, events=events, unsure=unsure, **fact)
