"""Buttons of a sound in Home Assistant: what a person says of it."""

from collections.abc import Mapping
from typing import Any

from detector.alerts.topics import Topics
from detector.config.schema import SoundConfig
from detector.core.events import Urgency

_SAID = (
    ("wrong", "was wrong", "mdi:thumb-down"),
    ("missed", "was missed", "mdi:ear-hearing"),
)


def feedback_buttons(
    topics: Topics, name: str, sound: SoundConfig, availability: Mapping[str, Any]
) -> dict[str, Any]:
    """Two components: the last one was wrong, and one was missed in the last minute.

    An alarm that is told by the beeps of a standard takes no feedback, and has none; of what is
    critical nothing is taken for wrong.  No sound has a hyphen in its name, so the keys are nobody
    else's.
    """
    if any(evidence.kind == "cadence" for evidence in sound.evidence):
        return {}
    return {
        f"{judgement}-{name}": {
            "p": "button",
            "name": f"{sound.label} {words}",
            "ent_cat": "diagnostic",
            "ic": icon,
            "cmd_t": topics.command,
            "pl_prs": f"feedback {judgement} {name}",
            **availability,
        }
        for judgement, words, icon in _SAID
        if not (judgement == "wrong" and sound.urgency is Urgency.CRITICAL)
    }
