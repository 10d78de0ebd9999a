"""Of which sounds feedback may change anything, and why not of others."""

from detector.config import SoundConfig
from detector.core.events import Judgement, Urgency

LONGEST_CONFIRMED_S = 25.0
"""A moment does not hold more evidence than this."""


def is_alarm(config: SoundConfig) -> bool:
    """Whether it is told by the beeps of a standard."""
    return any(evidence.kind == "cadence" for evidence in config.evidence)


def refusal(sound: str, config: SoundConfig, judgement: Judgement | None) -> str:
    """Why a sound does not take a word, or (None) has none taken back; nothing where it does."""
    if is_alarm(config):
        return (
            f"{sound} is told by the beeps of a standard, and feedback leaves it alone: what a "
            "few moments teach could cost an alarm"
        )
    if judgement is Judgement.WRONG and config.urgency is Urgency.CRITICAL:
        return (
            f"{sound} is critical, and nothing teaches it to be told less often: what a few "
            "moments teach could cost an alarm; set its threshold by hand"
        )
    if config.confirm_seconds > LONGEST_CONFIRMED_S:
        return (
            f"{sound} is told after {config.confirm_seconds:g} s of it, and feedback goes by "
            f"moments of {LONGEST_CONFIRMED_S:g} s at most; set its threshold by hand"
        )
    return ""
