"""The figures of the latency benchmark, for people, and as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detector.workbench.svg import WIDTH, Axis, Chart
from tests.benchmarks.latency_scene import PATTERNS

Figures = Mapping[str, Any]
_BLUE, _RED, _BROWN, _GREY, _GREEN = "#2166ac", "#b2182b", "#b35806", "#666666", "#1b7837"
_LAST_S = 4.0
_BIN_S = 0.25
_AIMS = {
    "urgent": "0.5 / 0.9",
    "critical (alarms), told as possible": "0.5 / 0.9",
    "critical (alarms)": "0.5 / 0.9",
    "notice and info": "1.0 / 1.5",
    "urgent and critical, possible counts": "0.5 / 0.9",
    "urgent and critical": "0.5 / 0.9",
}
_HEIGHT = 260
_STYLE = (
    "text{font-family:sans-serif}.title{font-size:12px;font-weight:bold}.tick{font-size:10px}"
    ".mid{text-anchor:middle}.end{text-anchor:end}.edge{fill:none;stroke:#999}"
)
Table = list[list[str]]
INTRODUCTION = """# From the sound to the subscriber

Made by `python -m tests.benchmarks.latency --markdown --picture docs/latency.svg`; not to be
edited. What is measured, and how, stands at the top of `tests/benchmarks/latency.py`.
"""


def as_text(figures: Figures) -> str:
    """Tables for a terminal."""
    parts = [_about(figures)]
    for title, table in _tables(figures):
        widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in table]
        parts += ["", title, *(line.rstrip() for line in lines)]
    return "\n".join(parts)


def as_markdown(figures: Figures) -> str:
    """The same as a page."""
    parts = [INTRODUCTION, _about(figures), "", "![Latency](latency.svg)"]
    for title, (head, *body) in _tables(figures):
        lines = ["| " + " | ".join(line) + " |" for line in (head, *body)]
        parts += ["", f"## {title}", "", lines[0], "|---" * len(head) + "|", *lines[1:]]
    return "\n".join(parts)


def picture(figures: Figures) -> str:
    """Two charts side by side, as a file of its own."""
    left = str(_histogram(figures))
    right = str(_within(figures)).replace("<svg ", f'<svg x="{WIDTH}" ', 1)
    sized = [one.replace("<svg ", f'<svg height="{_HEIGHT}" ', 1) for one in (left, right)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{_HEIGHT}">'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, paper, f"<style>{_STYLE}</style>", *sized, "</svg>"]) + "\n"


def _about(figures: Figures) -> str:
    late = " / ".join(f"{one:.1f}" for one in figures["written_late_ms"])
    return (
        f"{figures['sounds']} sounds in {figures['minutes']:.0f} minutes, 20 dB above a quiet "
        f"room, to the shipped configuration; {figures['already_on']} of the missed were still on "
        f"from before; {figures['gaps']} gaps in the audio. Load of the machine at the end "
        f"{figures['load']:.1f} on two cores; the microphone was written late by {late} ms "
        f"(p50 / p99 / max), which counts; a sample reached the daemon {figures['capture_ms']:.1f} "
        f"ms after its capture at best; a window cost {figures['classify_ms']:.1f} ms."
    )


def _tables(figures: Figures) -> list[tuple[str, Table]]:
    return [
        ("Sound to subscriber", _main_table(figures)),
        ("By sound", [_HEAD, *(_cells(one) for one in figures["by_sound"])]),
        ("Where the time goes, p50 / p95 in seconds", _steps_table(figures["steps"])),
        ("Others on the same audio", _grouped_table(figures["peers"], "")),
        ("Other rules on the same audio", _grouped_table(figures["what_ifs"], "false")),
    ]


_HEAD = ["", "played", "told", "p50", "p95", "max"]


def _cells(one: Figures) -> list[str]:
    times = [f"{one[name]:.2f} s" if name in one else "–" for name in ("p50", "p95", "max")]
    return [one["name"], str(one["played"]), str(one["told"]), *times]


def _main_table(figures: Figures) -> Table:
    rows = [[*_cells(one), _AIMS[one["name"]]] for one in figures["groups"]]
    return [[*_HEAD, "aim (p50 / p95)"], *rows]


def _steps_table(steps: Mapping[str, Mapping[str, Sequence[float]]]) -> Table:
    names = list(dict.fromkeys(name for each in steps.values() for name in each))
    counts = [f"{next(iter(each.values()))[0]:.0f}" if each else "0" for each in steps.values()]
    rows = [["sounds told, of which all is known", *counts]]
    rows += [[name, *(_pair(each.get(name)) for each in steps.values())] for name in names]
    return [["", *steps], *rows]


def _pair(figures: Sequence[float] | None) -> str:
    return "–" if figures is None else f"{figures[1]:.3f} / {figures[2]:.3f}"


def _grouped_table(entries: Sequence[Figures], count: str) -> Table:
    head = ["", *(one["name"] for one in entries[0]["groups"]), *([count] if count else [])]
    rows = []
    for entry in entries:
        cells = [_short(one) for one in entry["groups"]]
        rows.append([entry["name"], *cells, *([str(entry[count])] if count else [])])
    return [head, *rows]


def _short(one: Figures) -> str:
    share = f"{one['told']}/{one['played']}"
    return f"{one['p50']:.2f} / {one['p95']:.2f} s, {share}" if "p50" in one else f"–, {share}"


def _histogram(figures: Figures) -> Chart:
    edges = np.arange(0.0, _LAST_S + _BIN_S / 2, _BIN_S)
    sides = [
        [min(s, _LAST_S - 1e-6) for sound, urgent, s in figures["took"] if s and urgent is side]
        for side in (True, False)
    ]
    heights = [np.histogram(side, edges)[0] for side in sides]
    most = float(max(1, *(int(one.max()) for one in heights)))
    y = Axis("sounds", 0.0, most, (0.0, float(round(most / 2)), most))
    x = Axis(f"seconds to the subscriber (last bar: {_LAST_S:g} and more)", 0.0, _LAST_S, _TICKS)
    chart = Chart("From sound to subscriber", x, y)
    names = (("urgent, critical", _RED), ("notice, info", _BLUE))
    for (name, colour), one in zip(names, heights, strict=True):
        chart.bars(list(edges), [float(count) for count in one], colour, name)
    return chart


_TICKS = (0.0, 1.0, 2.0, 3.0, 4.0)


def _within(figures: Figures) -> Chart:
    """Of all sounds but alarms, how many were told within a time."""
    x = Axis("seconds since the sound began", 0.0, _LAST_S, _TICKS)
    chart = Chart("Told within (all but alarms)", x, Axis("share of the sounds played"))
    kept = [sound not in PATTERNS for sound, _, _ in figures["took"]]
    ours = [seconds for sound, _, seconds in figures["took"] if sound not in PATTERNS]
    chart.line(_share(ours), _RED, name="detector (to the subscriber)")
    colours = (_GREY, _BROWN, "#c2a5cf", "#5e3c99", _GREEN)
    for peer, colour in zip(figures["peers"], colours, strict=False):
        took = [s for s, keep in zip(peer["took"], kept * peer["beginnings"], strict=True) if keep]
        chart.line(_share(took), colour, name=str(peer["name"]), dashed=True)
    return chart


def _share(took: Sequence[float | None]) -> list[tuple[float, float]]:
    times = np.arange(0.0, _LAST_S + 0.01, 0.05)
    there = np.array([one for one in took if one is not None])
    return [(float(t), float((there <= t).sum()) / max(1, len(took))) for t in times]
