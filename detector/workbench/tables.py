"""An evaluation as tables: Markdown for people, a document for programs."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from detector.workbench.evaluation import OURS, Evaluation
from detector.workbench.metrics import Interval, calibration_error, zero_bound
from detector.workbench.psds import SCENARIOS, psds
from detector.workbench.tally import ALL, Count

FEW_GROUPS = 10
"""With fewer, a recall says little of recordings that nobody has heard."""
_NOTHING = "–"


def markdown(result: Evaluation) -> str:
    """All tables, with what the figures mean."""
    parts = (
        _overall(result),
        _by_sound(result),
        _against(result),
        _clips(result),
        _named(result),
        _calibration(result),
        _psds(result),
        _meaning(result),
    )
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def document(result: Evaluation) -> dict[str, Any]:
    """The same figures as plain data."""
    return {
        "order": {
            "sounds": list(result.order.sounds),
            "seed": result.order.seed,
            "hours": result.order.hours,
            "evening_hours": result.order.evening_hours,
            "snrs_db": list(result.order.plan.snrs_db),
        },
        "distinct_background_hours": round(result.distinct_hours, 3),
        "groups": result.groups,
        "synthetic": list(result.synthetic),
        "seen_groups": dict(result.seen),
        "counts": [
            {
                "system": place.system,
                "part": place.part,
                "sound": place.sound,
                "snr_db": place.snr_db,
            }
            | _count(count, result)
            for place, count in result.tally.counts.items()
        ],
        "hard": [
            {"system": place.system, "hard": place.part, "sound": place.sound}
            | _count(count, result)
            for place, count in result.named.counts.items()
            if place.snr_db is None and count.hours > 0
        ],
        "calibration_error": {
            sound: {"before": _finite(before), "after": _finite(after)}
            for sound, before, after, _ in _errors(result)
        },
        "psds": {
            name: {"before": _finite(before), "after": _finite(after)}
            for name, (before, after) in psds_scores(result).items()
        },
    }


def _count(count: Count, result: Evaluation) -> dict[str, Any]:
    recall, rate = count.recall, count.rate(result.distinct_hours)
    p50, p95 = count.latency_s
    return {
        "events": round(count.events, 3),
        "hits": round(count.hits, 3),
        "recall": [_finite(value) for value in (recall.value, recall.low, recall.high)],
        "hours": round(count.hours, 4),
        "false_alarms": round(count.false_alarms, 3),
        "false_alarms_per_hour": [_finite(value) for value in (rate.value, rate.low, rate.high)],
        "latency_s": [_finite(p50), _finite(p95)],
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _overall(result: Evaluation) -> Iterator[str]:
    """System by system."""
    ratios = result.order.plan.snrs_db
    heads = [f"recall at {snr_db:g} dB" for snr_db in ratios]
    yield "### All sounds together"
    yield ""
    yield from _head(
        "system", *heads, "false alarms/h in scenes", "in evenings", "latency p50 / p95"
    )
    for system in result.systems:
        recalls = [_share(result.tally.at(system, "scenes", ALL, snr).recall) for snr in ratios]
        scenes = result.tally.at(system, "scenes")
        evenings = result.tally.at(system, "evenings")
        rates = (_rate(one.rate(result.distinct_hours)) for one in (scenes, evenings))
        yield _row(_bold(system), *recalls, *rates, _latency(scenes))


def _by_sound(result: Evaluation) -> Iterator[str]:
    """Ours, sound by sound and ratio by ratio."""
    yield "### Sound by sound"
    yield ""
    ratios = result.order.plan.snrs_db
    yield from _head(
        "sound",
        "groups",
        *(f"recall at {snr_db:g} dB" for snr_db in ratios),
        "false alarms/h in scenes",
        "in evenings",
        "latency p50 / p95",
    )
    for sound in result.order.sounds:
        counts = [result.tally.at(OURS, "scenes", sound, snr) for snr in ratios]
        scenes = result.tally.at(OURS, "scenes", sound)
        rates = (
            _rate(result.tally.at(OURS, part, sound).rate(result.distinct_hours))
            for part in ("scenes", "evenings")
        )
        recalls = (_share(count.recall) for count in counts)
        yield _row(sound, _groups(result, sound), *recalls, *rates, _latency(scenes))


def _against(result: Evaluation) -> Iterator[str]:
    """Ours against every other, sound by sound: recall, and false alarms per hour of all parts."""
    yield "### Against the others: recall in scenes (false alarms per hour in scenes and evenings)"
    yield ""
    yield from _head("sound", "dB", *(_bold(system) for system in result.systems))
    for sound in (*result.order.sounds, ALL):
        for snr_db in (*result.order.plan.snrs_db, None):
            cells = [_cell(result, system, sound, snr_db) for system in result.systems]
            yield _row(sound, _NOTHING if snr_db is None else f"{snr_db:g}", *cells)


def _cell(result: Evaluation, system: str, sound: str, snr_db: float | None) -> str:
    """The false alarms of one ratio are those in its scenes; of all together, evenings as well."""
    count = result.tally.at(system, "scenes", sound, snr_db)
    false_alarms, hours = count.false_alarms, count.hours
    if snr_db is None:
        evenings = result.tally.at(system, "evenings", sound)
        false_alarms, hours = false_alarms + evenings.false_alarms, hours + evenings.hours
    if not count.events and not hours:
        return _NOTHING
    rate = f"{false_alarms / hours:.1f}" if hours else _NOTHING
    return f"{_number(count.recall.value)} ({rate})"


def _clips(result: Evaluation) -> Iterator[str]:
    """Recordings by themselves, as they are labelled."""
    for part, title in (("clips", "Clips by themselves"), ("recordings", "Recordings with times")):
        if not any(place.part == part and count.hours for place, count in _counts(result)):
            continue
        yield f"### {title}: recall [95 %], false alarms per hour"
        yield ""
        yield from _head("sound", "groups", *(_bold(system) for system in result.systems))
        for sound in (*result.order.sounds, ALL):
            counts = [result.tally.at(system, part, sound) for system in result.systems]
            cells = [f"{_share(one.recall)}, {_number(one.rate().value, 1)}" for one in counts]
            yield _row(sound, _groups(result, sound) if sound != ALL else "", *cells)
        yield ""


def _named(result: Evaluation) -> Iterator[str]:
    """What is known to be hard."""
    names = sorted({place.part for place, count in result.named.counts.items() if count.hours})
    if not names:
        return
    yield "### What is known to be hard: false alarms, and of which sounds"
    yield ""
    yield from _head("recordings of", "minutes", *(_bold(system) for system in result.systems))
    for name in names:
        minutes = 60.0 * result.named.at(result.systems[0], name).hours
        cells = [_hard_cell(result, system, name) for system in result.systems]
        yield _row(name, f"{minutes:.1f}", *cells)


def _hard_cell(result: Evaluation, system: str, name: str) -> str:
    total = result.named.at(system, name).false_alarms
    of_sounds = {
        sound: count
        for sound in result.order.sounds
        if (count := result.named.at(system, name, sound).false_alarms) > 0
    }
    if not of_sounds:
        return "0"
    worst = sorted(of_sounds, key=lambda sound: -of_sounds[sound])[:3]
    told = ", ".join(f"{sound} {_count_text(of_sounds[sound])}" for sound in worst)
    return f"{_count_text(total)} ({told})"


def _calibration(result: Evaluation) -> Iterator[str]:
    """How far what is said is from what is true."""
    rows = list(_errors(result))
    if not rows:
        return
    yield "### Expected calibration error, window by window"
    yield ""
    yield from _head("sound", "windows", "raw score", "probability")
    for sound, before, after, count in rows:
        yield _row(sound, str(count), _number(before, 3), _number(after, 3))


def _errors(result: Evaluation) -> Iterator[tuple[str, float, float, int]]:
    for sound, windows in result.windows.items():
        if not any(windows.truth):
            continue
        truth = np.array(windows.truth, np.bool_)
        before = calibration_error(np.array(windows.before), truth)
        after = calibration_error(np.array(windows.after), truth)
        yield sound, before, after, len(truth)


def _psds(result: Evaluation) -> Iterator[str]:
    """The field's own score, of what is said before any gate."""
    scores = psds_scores(result)
    if not scores:
        return
    yield "### Polyphonic sound detection score (sed_scores_eval), before any gate"
    yield ""
    yield from _head("scenario", "raw scores", "probabilities")
    for name, (before, after) in scores.items():
        yield _row(name, _number(before, 3), _number(after, 3))


def psds_scores(result: Evaluation) -> dict[str, tuple[float, float]]:
    """By scenario: that of the raw scores, and that of our probabilities."""
    if not result.traced:
        return {}
    before, after = zip(*result.traced, strict=True)
    sounds = [sound for sound in result.order.sounds if sound in result.windows]
    return {
        scenario.name: (psds(before, sounds, scenario), psds(after, sounds, scenario))
        for scenario in SCENARIOS
    }


def _meaning(result: Evaluation) -> Iterator[str]:
    """What the figures rest on."""
    evenings = result.tally.at(OURS, "evenings").hours
    distinct = min(evenings, result.distinct_hours)
    yield "### What the figures rest on"
    yield ""
    yield (
        "- In brackets stand intervals of 95 %: Wilson's for shares, the exact Poisson interval "
        "for rates."
    )
    if distinct > 0:
        yield (
            f"- The backgrounds are {result.distinct_hours:.1f} h of distinct audio, and intervals "
            f"of rates rest on no more than that. No false alarm in {distinct:.1f} h of evenings "
            f"means: at 95 %, fewer than {zero_bound(distinct):.1f} an hour, not none."
        )
    yield (
        "- An event is found where its sound is told between its onset and 3 s after its end. "
        "Latency is from the onset to that moment, in the audio's own time."
    )
    yield (
        "- Systems that classify window after window are run from four beginnings and averaged "
        "(the half-overlap loop from two)."
    )
    yield from _caveats(result)


def _caveats(result: Evaluation) -> Iterator[str]:
    few = [sound for sound in result.order.sounds if 0 < result.groups[sound] < FEW_GROUPS]
    if few:
        thin = ", ".join(few)
        yield f"- Thin evidence, fewer than {FEW_GROUPS} groups of recordings (*): {thin}."
    if result.synthetic:
        names = ", ".join(result.synthetic)
        yield f"- Made by code, for want of recordings (s): {names}: no evidence of real ones."
    none = [
        sound
        for sound in result.order.sounds
        if not result.groups[sound] and sound not in result.synthetic
    ]
    if none:
        yield f"- No recordings at all of {', '.join(none)}: only false alarms are told of them."
    seen = [sound for sound in result.order.sounds if result.seen.get(sound)]
    if seen:
        yield (
            f"- **Seen (†)**: the evidence for {', '.join(seen)} was fitted on recordings that it "
            f"is measured on here. Give heads that were not, with --heads."
        )


def _counts(result: Evaluation) -> Iterator[tuple[Any, Count]]:
    yield from result.tally.counts.items()


def _groups(result: Evaluation, sound: str) -> str:
    groups = result.groups[sound]
    marks = "s" if sound in result.synthetic else "*" if 0 < groups < FEW_GROUPS else ""
    return f"{groups}{marks}{'†' if result.seen.get(sound) else ''}"


def _head(*names: str) -> Sequence[str]:
    return _row(*names), "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _bold(system: str) -> str:
    return f"**{system}**" if system == OURS else system


def _share(interval: Interval) -> str:
    if math.isnan(interval.value):
        return _NOTHING
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _rate(interval: Interval) -> str:
    if math.isnan(interval.value):
        return _NOTHING
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _latency(count: Count) -> str:
    p50, p95 = count.latency_s
    return _NOTHING if math.isnan(p50) else f"{p50:.1f} / {p95:.1f} s"


def _number(value: float, digits: int = 2) -> str:
    return _NOTHING if math.isnan(value) else f"{value:.{digits}f}"


def _count_text(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"
