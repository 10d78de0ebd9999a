"""What the house decides and tells: events, and the commands that come back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Urgency(StrEnum):
    """How much it matters that a person knows now."""

    INFO = "info"
    NOTICE = "notice"
    URGENT = "urgent"
    CRITICAL = "critical"


class Phase(StrEnum):
    """Where in its life an event is."""

    POSSIBLE = "possible"
    ONSET = "onset"
    UPDATE = "update"
    OFFSET = "offset"


class EventKind(StrEnum):
    """What sort of thing happened."""

    SOUND = "sound"
    TEST_ALERT = "test_alert"
    SELF_TEST = "self_test"
    ARMED = "armed"
    DISARMED = "disarmed"
    MICROPHONE_LOST = "microphone_lost"
    MICROPHONE_RESTORED = "microphone_restored"
    FEEDBACK = "feedback"


class OffsetReason(StrEnum):
    """Why a sound ended."""

    DATA = "data"
    """It was not heard any more."""
    MAX_DURATION = "max_duration"
    SOURCE_LOST = "source_lost"
    DISARMED = "disarmed"
    STOPPED = "stopped"
    RELOADED = "reloaded"
    INTERRUPTED = "interrupted"
    """The listener ended without a word; this was found at its next start."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A model class and its raw score."""

    name: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a sound event rests on."""

    probability: float
    """Calibrated probability at the moment of the decision."""
    peak_probability: float
    """The largest since the onset."""
    threshold: float
    calibrated: bool
    """False where the probability is a raw score, because the calibration is the identity."""
    classes: tuple[ClassScore, ...]
    """The three best classes of the window that decided (at the offset: of the peak)."""
    level_dbfs: float
    why: str = ""
    """Why it came to this, for a person: ``0.71 ≥ 0.46, 1.5 s of 1.4 s heard``."""


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """What a second stage may say, and how likely it finds that."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What a classifier of its own makes of a sound, once that is confirmed."""

    classifier: str
    """Its name."""
    labels: tuple[LabelProbability, ...]
    """All of them, the likeliest first."""
    heard_s: float
    """Seconds of audio that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something decided. Immutable for its (id, phase)."""

    id: str
    kind: EventKind
    phase: Phase
    node: str
    urgency: Urgency
    onset_utc: datetime
    """Estimated beginning of the sound; for other kinds, the moment it happened."""
    sound: str | None = None
    offset_utc: datetime | None = None
    onset_s: float = 0.0
    """The same on the source's clock, in seconds; for files."""
    offset_s: float | None = None
    detection: Detection | None = None
    latency_ms: float | None = None
    """Estimated onset (at an offset: estimated end) to publication."""
    reason: str | None = None
    """Why a sound ended, or who disarmed."""
    second_stage: SecondStage | None = None
    """At an update, and at an offset after it."""
    test: bool = False
    clock_synchronised: bool | None = None
    decided_monotonic_s: float = 0.0
    """When it was decided; for ages within this boot. Not told."""


@dataclass(frozen=True, slots=True)
class SetThreshold:
    """Override a sound's threshold; ``value`` None takes the override back."""

    sound: str
    value: float | None


@dataclass(frozen=True, slots=True)
class SetArmed:
    """Listen for sounds, or cease to."""

    armed: bool


@dataclass(frozen=True, slots=True)
class TestAlert:
    """Send a test alert for a sound, or for the first one there is."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    sound: str | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Prove the way from the microphone, through the model, to the broker."""


class Judgement(StrEnum):
    """What somebody says of a moment."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Feedback:
    """Say that an event was right or wrong, or that a sound was missed in the last minute."""

    judgement: Judgement
    sound: str | None = None
    """None: of whatever was told last."""
    event: str | None = None
    """Its id; None: the latest."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Take the last feedback on a sound back."""

    sound: str


Command = SetThreshold | SetArmed | TestAlert | SelfTest | Feedback | TakeBack
"""What a person may ask of the running daemon, over MQTT or the control socket."""
