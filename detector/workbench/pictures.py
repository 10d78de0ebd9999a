"""The charts of one sound's calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.events.refit import Numbers, balanced
from detector.workbench.calibrating import SoundResult
from detector.workbench.fitting import RARITY, Fit
from detector.workbench.svg import Axis, Chart
from detector.workbench.thresholds import GRID, rates, recalls

BEFORE, AFTER, BAD = "#b35806", "#2166ac", "#b2182b"
_BINS = 10


@dataclass(frozen=True, slots=True)
class Windows:
    """All windows of which the truth is known, out of fold."""

    before: Numbers
    """Probabilities as they were, shape (n,)."""
    after: Numbers
    """Probabilities now, by curves that had not seen the window's group, shape (n,)."""
    truths: NDArray[np.bool_]
    weights: Numbers
    """Every group once, and the sound in one of twenty; sum 1."""


def windows_of(fit: Fit) -> Windows:
    """Of all examples together."""
    told = [one.truths >= 0 for one in fit.examples]
    groups = {name: i for i, name in enumerate(sorted({one.group for one in fit.examples}))}
    truths = np.concatenate([e.truths[k] == 1 for e, k in zip(fit.examples, told, strict=True)])
    of = [np.full(int(k.sum()), groups[e.group]) for e, k in zip(fit.examples, told, strict=True)]
    weights = balanced(truths, np.concatenate(of).astype(np.intp))
    share = 1.0 / (1.0 + np.exp(-RARITY))
    weights *= np.where(truths, share, 1.0 - share)
    return Windows(
        np.concatenate([p[k] for p, k in zip(fit.before, told, strict=True)]),
        np.concatenate([p[k] for p, k in zip(fit.unseen, told, strict=True)]),
        truths,
        weights / weights.sum(),
    )


def reliability(
    probabilities: Numbers, windows: Windows
) -> tuple[list[tuple[float, float]], list[float], float]:
    """Points (said, was so), the weight of each, and the expected calibration error."""
    bins = np.clip((probabilities * _BINS).astype(int), 0, _BINS - 1)
    weight = np.bincount(bins, windows.weights, _BINS)
    said = np.bincount(bins, windows.weights * probabilities, _BINS)
    so = np.bincount(bins, windows.weights * windows.truths, _BINS)
    there = weight > 0
    points = list(zip(said[there] / weight[there], so[there] / weight[there], strict=True))
    return points, list(weight[there]), float(np.abs(said - so).sum())


def charts(result: SoundResult) -> Iterator[Chart]:
    """Reliability, recall against false alarms, misses against false windows, and the scores."""
    windows = windows_of(result.fit)
    yield _reliability(windows)
    yield _recall(result)
    yield _trade(windows)
    yield _scores(windows)


def _reliability(windows: Windows) -> Chart:
    chart = Chart("Is it right as often as it says?", Axis("it says"), Axis("it is so"))
    chart.line([(0.0, 0.0), (1.0, 1.0)], "#999", dashed=True)
    for probabilities, colour, name in (
        (windows.before, BEFORE, "before"),
        (windows.after, AFTER, "after"),
    ):
        points, weights, error = reliability(probabilities, windows)
        sizes = [2.5 + 4.0 * float(np.sqrt(weight)) for weight in weights]
        chart.line(points, colour)
        chart.dots(points, colour, name=f"{name}: error {error:.3f}", sizes=sizes)
    return chart


def _recall(result: SoundResult) -> Chart:
    groups = [one.group for one in result.fit.examples]
    recall, (count, hours) = recalls(result.tallies, groups), rates(result.tallies)
    per_hour = count / hours if hours else count
    most = float(np.ceil(max(1.0, np.percentile(per_hour, 80))))
    ticks = tuple(most * share for share in (0.0, 0.25, 0.5, 0.75, 1.0))
    x = Axis("false alarms per hour of these recordings", 0.0, most, ticks)
    chart = Chart("What is found, and at what price", x, Axis("recall by groups"))
    chart.line(list(zip(per_hour, recall, strict=True)), AFTER)
    at = int(np.argmin(np.abs(GRID - result.choice.threshold)))
    name = f"threshold {result.choice.threshold:g}"
    chart.dots([(float(per_hour[at]), float(recall[at]))], BAD, name=name)
    return chart


def _trade(windows: Windows) -> Chart:
    chart = Chart("Windows: found against falsely found (ROC)", Axis("false"), Axis("found"))
    for probabilities, colour, name in (
        (windows.before, BEFORE, "before"),
        (windows.after, AFTER, "after"),
    ):
        chart.line(_roc(probabilities, windows), colour, name=name)
    return chart


def _roc(probabilities: Numbers, windows: Windows) -> list[tuple[float, float]]:
    order = np.argsort(-probabilities, kind="stable")
    truths, weights = windows.truths[order], windows.weights[order]
    found = np.cumsum(weights * truths) / max(1e-12, float((weights * truths).sum()))
    false = np.cumsum(weights * ~truths) / max(1e-12, float((weights * ~truths).sum()))
    ends = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)
    kept = ends[:: max(1, len(ends) // 300)]
    return [(0.0, 0.0), *zip(false[kept], found[kept], strict=True), (1.0, 1.0)]


def _scores(windows: Windows) -> Chart:
    edges = np.linspace(0.0, 1.0, 21)
    heights = [_shares(windows.after, windows.weights, side, edges) for side in _sides(windows)]
    most = max(float(np.max(one)) for one in heights)
    chart = Chart(
        "Probabilities with it and without it",
        Axis("probability"),
        Axis("share of windows", 0.0, most, (0.0, round(most / 2, 2), round(most, 2))),
    )
    names = (("with it", AFTER), ("without it", BEFORE))
    for (name, colour), one in zip(names, heights, strict=True):
        chart.bars(list(edges), list(one), colour, name)
    return chart


def _sides(windows: Windows) -> Sequence[NDArray[np.bool_]]:
    return windows.truths, ~windows.truths


def _shares(values: Numbers, weights: Numbers, side: NDArray[np.bool_], edges: Numbers) -> Numbers:
    made, _ = np.histogram(values[side], edges, weights=weights[side])
    return np.asarray(made / max(1e-12, float(made.sum())))
