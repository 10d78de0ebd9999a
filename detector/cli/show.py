"""How events, windows and levels look to a person."""

from detector.alerts.messages import event_type
from detector.core.events import ClassScore, Event, Phase, SecondStage
from detector.core.level import FLOOR_DBFS


def seconds(value: float) -> str:
    """``1:02:03.4``, or ``2:03.4`` within the first hour."""
    tenths = round(10.0 * max(0.0, value))  # first, so that 59.96 s are a minute
    minutes, rest = tenths // 600, tenths % 600 / 10
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
    return f"{hours}:{tail}" if hours else tail


def classes(best: tuple[ClassScore, ...], count: int = 3) -> str:
    """``Dog 0.89, Bark 0.41``."""
    return ", ".join(f"{one.name} {one.score:.2f}" for one in best[:count])


def labels(found: SecondStage) -> str:
    """``hungry 0.71, tired 0.29 (cry_reasons, 6.0 s)``."""
    told = ", ".join(f"{one.label} {one.probability:.2f}" for one in found.labels[:3])
    return f"{told} ({found.classifier}, {found.heard_s:.1f} s)"


def event_line(event: Event) -> str:
    """One line for an event on the source's own time."""
    if event.detection is None:
        return f"{event_type(event)}  {event.reason or ''}".rstrip()
    found = event.detection
    at_s = event.onset_s if event.offset_s is None else event.offset_s
    line = f"{seconds(at_s):>9}  {event_type(event):<22}"
    if event.phase is Phase.UPDATE and event.second_stage is not None:
        return f"{line} {labels(event.second_stage)}"
    if event.phase is Phase.OFFSET:
        lasted = (event.offset_s or 0.0) - event.onset_s
        return f"{line} after {lasted:.1f} s, peak {found.peak_probability:.2f} ({event.reason})"
    uncalibrated = "" if found.calibrated else ", uncalibrated"
    return (
        f"{line} {found.probability:.2f} ≥ {found.threshold:.2f}{uncalibrated}"
        f"  [{classes(found.classes)}]"
    )


def level_bar(level_dbfs: float, width: int) -> str:
    """A bar from the floor of a common microphone (−80 dBFS) to full scale."""
    filled = round(width * min(1.0, max(0.0, (level_dbfs + 80.0) / 80.0)))
    return "█" * filled + "·" * (width - filled)


def level_text(level_dbfs: float) -> str:
    """``−42.0 dBFS``; digital silence says so."""
    if level_dbfs <= FLOOR_DBFS:
        return "digital silence"
    return f"{level_dbfs:.1f} dBFS".replace("-", "−")
