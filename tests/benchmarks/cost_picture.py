"""What a window costs, as a picture: one bar for each loop."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Protocol

_WIDTH, _LEFT, _RIGHT = 760, 250, 230
_TOP, _ROW, _BAR = 54, 24, 15
_OURS, _OTHERS = "#1f6f8b", "#b9b9b9"
_STYLE = "text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold; font-size: 14px }"


class Cost(Protocol):
    """What is drawn of one loop."""

    @property
    def title(self) -> str:
        """Whose loop it is."""

    @property
    def runtime(self) -> str:
        """What runs the model."""

    @property
    def hop_s(self) -> str:
        """Seconds from window to window."""

    @property
    def cpu_s_per_hour(self) -> float:
        """Seconds of one core."""


def picture(costs: Sequence[Cost]) -> str:
    """An SVG file: processor time for an hour of audio, ours in colour."""
    height = _TOP + _ROW * len(costs) + 16
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    title = "Processor time for an hour of audio: seconds of one core"
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="16" y="26" class="title">{title}</text>',
        *_bars(costs),
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def _bars(costs: Sequence[Cost]) -> Iterator[str]:
    longest = max(one.cpu_s_per_hour for one in costs)
    for number, one in enumerate(costs):
        y = _TOP + _ROW * number
        width = (_WIDTH - _LEFT - _RIGHT) * one.cpu_s_per_hour / longest
        colour = _OURS if one.title.startswith("detector") else _OTHERS
        yield f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(one.title)}</text>'
        yield f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
        told = f"{one.cpu_s_per_hour:.1f} s, every {one.hop_s} s"
        runtime = "" if one.runtime == "ai-edge-litert" else f", {one.runtime}"
        yield f'<text x="{_LEFT + width + 6:.1f}" y="{y + 12}">{told}{escape(runtime)}</text>'
