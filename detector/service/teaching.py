"""A sound of one's own, learnt beside all others: what comes of it, or why it cannot work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from detector import __version__
from detector.core.errors import DataError
from detector.core.recognition import EMBEDDING, RecogniserSpec
from detector.events.curves import Sigmoid
from detector.events.heads import Look, Trunk
from detector.learning.backgrounds import Backgrounds
from detector.learning.judging import Learnt, Verdict, learn
from detector.learning.takes import FEWEST
from detector.service.headfile import HeadFile
from detector.service.ownsounds import KeptTake, OwnSound

THRESHOLD, RELEASE_THRESHOLD = 0.5, 0.3
LEAST_RECALL = 0.5
"""With less of its own takes found, a sound is refused."""
UNLIKE = 0.3
"""Likeness below which a take is told to be unlike the others."""
MOST_UNLIKE = 1.0 / 3.0
"""With more of them, the takes are no one sound."""
FEWEST_HOURS = 0.1
"""Of backgrounds; with less nothing could be said of false alarms."""
FEWEST_GROUPS = 3
"""Of backgrounds; each is judged by what has learnt from the others."""
_SPEECH = ("Speech", "Child speech, kid speaking", "Conversation", "Narration, monologue")


@dataclass(frozen=True, slots=True)
class Taught:
    """What is to be written if the user wants it, and what to tell before."""

    sound: OwnSound
    verdict: Verdict
    beside: Mapping[str, tuple[OwnSound, Verdict]]
    """The other sounds of one's own, learnt anew beside it, by name."""
    unlike: tuple[str, ...]
    """Takes, by name, that are unlike the others."""


@dataclass(frozen=True, slots=True)
class Classroom:
    """What sounds are learnt with."""

    spec: RecogniserSpec
    backgrounds: Backgrounds

    def __post_init__(self) -> None:
        """Raise DataError where there is too little to tell sounds from, or to judge them by."""
        few_groups = len(np.unique(self.backgrounds.groups)) < FEWEST_GROUPS
        if few_groups or self.backgrounds.hours < FEWEST_HOURS:
            raise DataError(
                f"{60 * self.backgrounds.hours:.0f} min of backgrounds are too little to tell a "
                "sound from: record an hour of an ordinary evening (detector record --minutes 60) "
                "and name it with --evening"
            )

    def teach(self, name: str, takes: Sequence[KeptTake], others: Sequence[OwnSound]) -> Taught:
        """Learn a sound from its takes; raises DataError where it cannot work, with the reason."""
        fitting = [one for one in others if self._fits(one) and len(one.takes) >= FEWEST]
        check_shared(name, takes, others)
        check_speech(name, takes, self.spec.labels)
        learnt = self._learnt(takes, fitting)
        check(name, takes, learnt.verdict)
        sound = self.sound_of(name, takes, learnt)
        beside = {one.name: self._anew(one, [*fitting, sound]) for one in fitting}
        for other, (_, verdict) in beside.items():
            if verdict.recall.value < LEAST_RECALL:
                raise DataError(f"{name} is too like {other}: beside it {other} would not be found")
        unlike = _unlike(takes, learnt.verdict)
        return Taught(sound, learnt.verdict, beside, unlike)

    def sound_of(self, name: str, takes: Sequence[KeptTake], learnt: Learnt) -> OwnSound:
        """As it is kept."""
        classifier = learnt.classifier
        head = HeadFile(
            sound=name,
            recogniser=self.spec.content_hash,
            hop_s=self.spec.hop_s,
            trunks=(Trunk([Look(EMBEDDING, None)], None, classifier.sphere),),
            weights=classifier.weights,
            bias=classifier.bias,
            curve=Sigmoid(calibrated=False),
            provenance=self._provenance(takes, learnt.verdict),
        )
        settings = {
            "label": name.replace("_", " ").capitalize(),
            "classes": [self._nearest(takes)],
            "threshold": THRESHOLD,
            "release_threshold": RELEASE_THRESHOLD,
        }
        return OwnSound(head, settings, tuple(takes))

    def _anew(self, sound: OwnSound, all_of_them: Sequence[OwnSound]) -> tuple[OwnSound, Verdict]:
        rest = [one for one in all_of_them if one.name != sound.name]
        learnt = self._learnt(sound.takes, rest)
        made = self.sound_of(sound.name, sound.takes, learnt)
        return replace(made, settings=sound.settings), learnt.verdict

    def _learnt(self, takes: Sequence[KeptTake], others: Sequence[OwnSound]) -> Learnt:
        rivals = {one.name: [take.heard for take in one.takes] for one in others}
        return learn([take.heard for take in takes], self.backgrounds, rivals)

    def _fits(self, sound: OwnSound) -> bool:
        return not sound.misfit(self.spec)

    def _nearest(self, takes: Sequence[KeptTake]) -> str:
        """The class that stands in where the head does not fit the model."""
        known = [take.heard.logits for take in takes if len(take.heard.logits)]
        if not known:
            return self.spec.labels[0]
        return self.spec.labels[int(np.argmax(np.mean(known, axis=0)))]

    def _provenance(self, takes: Sequence[KeptTake], verdict: Verdict) -> dict[str, Any]:
        return {
            "data": [{"takes": len(takes), "backgrounds_hours": round(self.backgrounds.hours, 2)}],
            "groups": sorted(f"sha256:{take.digest[:12]}" for take in takes),
            "split": "every take and every group of backgrounds judged without itself",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "code_version": __version__,
            "figures": {
                "takes_found": sum(verdict.found),
                "takes": len(verdict.found),
                "versions_found": _rounded(verdict.versions_found),
                "false_alarms": verdict.alarms,
                "hours": round(verdict.hours, 2),
                "evening_false_alarms": verdict.evening_alarms,
                "evening_hours": round(verdict.evening_hours, 2),
            },
        }


def check(name: str, takes: Sequence[KeptTake], verdict: Verdict) -> None:
    """Raise DataError for what cannot work: the takes, or what the sound is mistaken for."""
    unlike = _unlike(takes, verdict)
    if len(unlike) > MOST_UNLIKE * len(takes):
        raise DataError(
            f"the takes are too unlike each other to be one sound ({', '.join(unlike)}): record "
            "them nearer, with nothing else to be heard, or learn them as two sounds"
        )
    if verdict.recall.value >= LEAST_RECALL:
        return
    found = f"{sum(verdict.found)} of {len(verdict.found)} takes would be found"
    if verdict.rival:
        raise DataError(f"{name} is too like {verdict.rival}: told apart from it, {found}")
    kinds = " and ".join(kind for kind, _ in verdict.mistaken[:2]) or "everyday noise"
    raise DataError(
        f"{name} is too like {kinds.replace('_', ' ')}: at a threshold that these seldom reach, "
        f"{found}; record it nearer, or more takes"
    )


def check_shared(name: str, takes: Sequence[KeptTake], others: Sequence[OwnSound]) -> None:
    """Raise DataError where another sound was learnt from the same recording."""
    for other in others:
        for take in takes:
            if other.name != name and any(take.is_copy(one) for one in other.takes):
                raise DataError(
                    f"{take.name}: {other.name} was learnt from the same recording; a recording "
                    "can be of one sound only"
                )


def check_speech(name: str, takes: Sequence[KeptTake], labels: Sequence[str]) -> None:
    """Raise DataError where most takes are somebody speaking."""
    speech = {labels.index(one) for one in _SPEECH if one in labels}
    known = [take for take in takes if len(take.heard.logits)]
    spoken = [take.name for take in known if int(np.argmax(take.heard.logits)) in speech]
    if known and len(spoken) >= math.ceil(len(known) / 2):
        raise DataError(
            f"{name} is too like speech: that is what the model hears in {len(spoken)} of "
            f"{len(known)} takes ({', '.join(spoken[:3])}); be silent while the sound is made"
        )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _unlike(takes: Sequence[KeptTake], verdict: Verdict) -> tuple[str, ...]:
    """Those that are far from the others and that the others do not find."""
    of_each = zip(takes, verdict.likeness, verdict.found, strict=True)
    return tuple(take.name for take, like, is_found in of_each if like < UNLIKE and not is_found)
