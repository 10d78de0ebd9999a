"""An evaluation as plain data, for programs."""

import math
from collections.abc import Iterator
from typing import Any

from detector.workbench.contest import Contest, Duel
from detector.workbench.dueltables import LEVELS_PER_HOUR, contests_of, duels_of, reversed_duels
from detector.workbench.evaluation import LOOP_LADDER, OUR_LADDER, Evaluation
from detector.workbench.hardtables import errors_of, psds_scores
from detector.workbench.tally import Count
from detector.workbench.windows import Error


def document(result: Evaluation) -> dict[str, Any]:
    """All figures of the tables."""
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
        "uncalibrated": sorted(result.uncalibrated),
        "counts": list(_counts(result)),
        "equal_false_alarms": list(_duels(result)),
        "any_threshold": {sound: _curve(contest) for sound, contest in contests_of(result).items()},
        "hard": list(_hard(result)),
        "calibration_error": {
            sound: {"all": _error(everywhere), "evident": _error(evident)}
            for sound, everywhere, evident in errors_of(result)
        },
        "psds": {
            name: {"before": _finite(before), "after": _finite(after)}
            for name, (before, after) in psds_scores(result).items()
        },
    }


def _counts(result: Evaluation) -> Iterator[dict[str, Any]]:
    for place, count in result.tally.counts.items():
        where = {"system": place.system, "part": place.part, "sound": place.sound}
        yield where | {"snr_db": place.snr_db} | _count(count, result.distinct_hours)


def _hard(result: Evaluation) -> Iterator[dict[str, Any]]:
    for place, count in result.named.counts.items():
        if place.snr_db is None and count.hours > 0:
            where = {"system": place.system, "hard": place.part, "sound": place.sound}
            yield where | _count(count, math.inf)


def _count(count: Count, distinct_hours: float) -> dict[str, Any]:
    recall, rate = count.recall, count.rate(distinct_hours)
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


def _duels(result: Evaluation) -> Iterator[dict[str, Any]]:
    for system in result.systems[1:]:
        for sound, duel in duels_of(result, system).items():
            yield {"against": system, "sound": sound, "chosen": "ours"} | _duel(duel)
    for sound, duel in reversed_duels(result).items():
        yield {"against": LOOP_LADDER, "sound": sound, "chosen": "theirs"} | _duel(duel)


def _duel(duel: Duel) -> dict[str, Any]:
    apart = duel.difference
    return {
        "recall": [_finite(duel.ours.recall), _finite(duel.theirs.recall)],
        "false_alarms": [
            round(duel.ours.false_alarms, 3),
            round(duel.theirs.false_alarms, 3),
        ],
        "hours": round(duel.hours, 4),
        "difference": [_finite(value) for value in (apart.value, apart.low, apart.high)],
        "verdict": duel.verdict,
    }


def _curve(contest: Contest) -> dict[str, Any]:
    """Recall at no more than so many false alarms an hour."""
    whose = {"detector": OUR_LADDER, "half overlap": LOOP_LADDER}
    return {
        name: {
            f"{level:g}": _finite(contest.best(ladder, level).recall) for level in LEVELS_PER_HOUR
        }
        for name, ladder in whose.items()
        if ladder in contest.records
    }


def _error(error: Error) -> dict[str, Any]:
    return {
        "windows": error.windows,
        "holding": error.holding,
        "before": _finite(error.before),
        "after": _finite(error.after),
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
