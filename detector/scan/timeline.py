"""The timeline as one page of HTML, with its picture in it and without links. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from detector.scan.lanes import BINS, DAY_S, Lane, Row, Timeline

_LEFT, _ROW, _TOP = 130, 12, 22
_WIDTH = _LEFT + BINS + 40
_COLOURS = (
    "#2166ac", "#b2182b", "#1b7837", "#b35806", "#762a83", "#01665e", "#c51b7d", "#8c510a",
    "#4d4d4d", "#35978f", "#d6604d", "#5aae61", "#9970ab", "#4393c3", "#dfa000",
)  # fmt: skip
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)

_LEGEND = (
    "Grey: there is a recording. Hollow: possible, and not confirmed. Marks that are nearer "
    "together than a point are one; the table has them all."
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; color: #1a1a1a; background: #fff; }
svg { display: block; max-width: 100%; height: auto; }
h3 { font-size: 14px; margin: 1em 0 0; }
text { font: 10px sans-serif; fill: #1a1a1a; } .end { text-anchor: end; }
.mid { text-anchor: middle; }
.heard { fill: #e8e8e8; } .grid { stroke: #bbb; stroke-width: 0.5; }
.possible { fill-opacity: 0.15; stroke-width: 1; }
"""


def timeline_html(timeline: Timeline, *, made: str, note: str = "") -> str:
    """The whole page; ``made`` says by what and of what."""
    colours = _colours(timeline)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Timeline</title><style>{_STYLE}</style></head><body>",
            f"<h1>Timeline</h1><p>{escape(made)}</p>",
            f"<p>{_LEGEND}</p>",
            *(f"<p>{escape(line)}</p>" for line in (note, _left_out(timeline)) if line),
            *_section([timeline.days[day] for day in sorted(timeline.days)], colours),
            *_section(timeline.files, colours),
            "</body></html>",
            "",
        ]
    )


def _left_out(timeline: Timeline) -> str:
    if not timeline.left_out:
        return ""
    return f"{timeline.left_out} more stretches of sound or files are in the table only."


def _colours(timeline: Timeline) -> dict[str, str]:
    lanes = (*timeline.days.values(), *timeline.files)
    sounds = sorted({sound for lane in lanes for sound in lane.rows})
    return {sound: _COLOURS[place % len(_COLOURS)] for place, sound in enumerate(sounds)}


def _section(lanes: Sequence[Lane], colours: dict[str, str]) -> Iterator[str]:
    for lane in lanes:
        yield f"<h3>{escape(lane.name)}</h3>"
        yield _picture(lane, colours)


def _picture(lane: Lane, colours: dict[str, str]) -> str:
    sounds = sorted(lane.rows)
    height = _TOP + _ROW * max(1, len(sounds)) + 4
    return "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">',
            f"<title>{escape(lane.name)}</title>",
            *_background(lane, height),
            *_ticks(lane, height),
            *(
                mark
                for place, sound in enumerate(sounds)
                for mark in _row(lane, sound, colours[sound], _TOP + _ROW * place)
            ),
            "</svg>",
        ]
    )


def _background(lane: Lane, height: int) -> Iterator[str]:
    for first, end in _runs(lane.heard):
        yield (
            f'<rect class="heard" x="{_LEFT + first}" y="{_TOP - 2}" width="{end - first}" '
            f'height="{height - _TOP}"/>'
        )
    if not lane.rows:
        yield f'<text class="end" x="{_LEFT - 6}" y="{_TOP + 9}">nothing</text>'


def _ticks(lane: Lane, height: int) -> Iterator[str]:
    step_s = next((one for one in _STEPS_S if lane.length_s / one <= 12.5), 43_200)
    for number in range(int(lane.length_s / step_s) + 1):
        seconds = number * step_s
        x = _LEFT + BINS * seconds / max(lane.length_s, 1e-9)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 4}"/>'
        yield f'<text class="mid" x="{x:.1f}" y="{_TOP - 9}">{_time(lane, seconds)}</text>'


def _row(lane: Lane, sound: str, colour: str, y: int) -> Iterator[str]:
    row = lane.rows[sound]
    label = f"{sound} ({row.count})"
    yield f'<text class="end" x="{_LEFT - 6}" y="{y + 9}">{escape(label)}</text>'
    yield from _marks(lane, sound, row, colour, y)


def _marks(lane: Lane, sound: str, row: Row, colour: str, y: int) -> Iterator[str]:
    for counts, kind in ((row.possible, "possible"), (row.confirmed, "")):
        shape = f'class="possible" stroke="{colour}"' if kind else ""
        for first, end in _runs(counts):
            from_s, to_s = (edge * lane.length_s / BINS for edge in (first, end))
            told = f"{kind} {sound} {_time(lane, from_s)} … {_time(lane, to_s)}".strip()
            yield (
                f'<rect {shape} x="{_LEFT + first}" y="{y}" width="{end - first}" '
                f'height="{_ROW - 3}" fill="{colour}"><title>{escape(told)}</title></rect>'
            )


def _runs(counts: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Stretches above 0, as (first, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (counts > 0).astype(np.int8), [0]])))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _time(lane: Lane, seconds: float) -> str:
    """On a day the time of day, in a file the time from its beginning."""
    whole = round(seconds)
    if lane.length_s == DAY_S:
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
