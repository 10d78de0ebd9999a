"""The report of a calibration: one page of HTML with its pictures in it, without links."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from detector.workbench.calibrating import Result, SoundResult, basis
from detector.workbench.pictures import charts

WORST = 10
"""So many of the worst misses and false alarms are named."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em;
       color: #1a1a1a; background: #fff; }
h2 { border-top: 1px solid #ccc; padding-top: 1em; } table { border-collapse: collapse; }
th, td { text-align: left; padding: 2px 14px 2px 0; font-variant-numeric: tabular-nums; }
.charts { display: flex; flex-wrap: wrap; gap: 8px; } .plain { color: #8a2d00; }
svg .tick { font: 11px sans-serif; } svg .title { font: bold 12px sans-serif; }
svg .mid { text-anchor: middle; } svg .end { text-anchor: end; }
svg .edge { fill: none; stroke: #999; }
"""


def report_html(result: Result, *, made: str) -> str:
    """The whole page; ``made`` says by what and when."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Calibration</title><style>{_STYLE}</style></head><body>",
            "<h1>Calibration</h1>",
            *_preface(result, made),
            *(row for one in result.sounds for row in _sound(one)),
            "</body></html>",
            "",
        ]
    )


def _preface(result: Result, made: str) -> Iterator[str]:
    groups = len({one.group for one in result.recordings})
    yield (
        f"<p>{escape(made)}. {len(result.recordings)} recordings of {groups} groups, "
        f"{result.hours:.2f} h. Asked for: {escape(result.target.text)}.</p>"
    )
    yield (
        "<p>All figures and pictures but the curve in force are out of fold: each recording was "
        "judged by a curve and a threshold that had not seen its group. Every group counts once. "
        "Probabilities are meant for a sound that is in one window of twenty.</p>"
    )
    for line in (*result.left, *map(str, result.skipped)):
        yield f'<p class="plain">Left out: {escape(line)}</p>'


def _sound(one: SoundResult) -> Iterator[str]:
    choice = one.choice
    yield f"<h2>{escape(one.fit.sound)}</h2>"
    yield f"<p>Threshold {choice.threshold:g} (release {choice.release_threshold:g}): "
    yield f"{escape(basis(one))}.</p>"
    if choice.supported:
        yield f'<p class="plain">{escape(choice.supported)}.</p>'
    yield '<div class="charts">'
    yield from map(str, charts(one))
    yield "</div>"
    yield from _table("Worst misses", ("best at", "probability", "recording"), misses(one))
    yield from _table("Worst false alarms", ("at", "up to threshold", "recording"), alarms(one))


def misses(one: SoundResult) -> list[tuple[str, str, str]]:
    """Recordings with the sound that came nearest to nothing: where, how near, and which."""
    missed = []
    for example, probabilities in zip(one.fit.examples, one.fit.unseen, strict=True):
        held = example.truths == 1
        if held.any():
            best = int(np.argmax(np.where(held, probabilities, -1.0)))
            if probabilities[best] < one.choice.threshold:
                at_s = float(example.heard.end_s[best])
                missed.append((float(probabilities[best]), at_s, example.heard.recording.path))
    return [(f"{at_s:.1f} s", f"{p:.2f}", _name(path)) for p, at_s, path in sorted(missed)[:WORST]]


def alarms(one: SoundResult) -> list[tuple[str, str, str]]:
    """False alarms that a higher threshold would keep longest: where, up to which, and which."""
    pairs = zip(one.fit.examples, one.tallies, strict=True)
    found = [
        (threshold, at_s, example.heard.recording.path)
        for example, tally in pairs
        for at_s, threshold in tally.false_at
    ]
    found.sort(key=lambda alarm: (-alarm[0], str(alarm[2]), alarm[1]))
    return [(f"{at_s:.1f} s", f"{t:g}", _name(path)) for t, at_s, path in found[:WORST]]


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])


def _table(
    heading: str, columns: tuple[str, ...], rows: list[tuple[str, str, str]]
) -> Iterator[str]:
    yield f"<h3>{heading}</h3>"
    if not rows:
        yield "<p>None.</p>"
        return
    yield "<table><tr>" + "".join(f"<th>{name}</th>" for name in columns) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"
