"""Small charts as SVG text, with nothing but the standard library. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 340, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 26, 44


@dataclass(frozen=True, slots=True)
class Axis:
    """What one axis shows, from where to where."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)

    def share(self, value: float) -> float:
        """How far along the axis a value lies, kept within it: 0 … 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low or 1.0)))


@dataclass(slots=True)
class Chart:
    """One chart, to which marks are added."""

    title: str
    x: Axis
    y: Axis
    _marks: list[str] = field(default_factory=list)
    _legend: list[tuple[str, str]] = field(default_factory=list)

    def line(self, points: Points, colour: str, *, name: str = "", dashed: bool = False) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, points))
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        self._marks.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        self._name(name, colour)

    def dots(
        self, points: Points, colour: str, *, name: str = "", sizes: Sequence[float] = ()
    ) -> None:
        """A dot at each point, of a radius."""
        for number, point in enumerate(points):
            x, y = self._at(point)
            size = sizes[number] if sizes else 4.0
            self._marks.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{colour}" '
                'fill-opacity="0.75"/>'
            )
        self._name(name, colour)

    def bars(
        self, edges: Sequence[float], heights: Sequence[float], colour: str, name: str
    ) -> None:
        """A bar between each two edges."""
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            x0, y0 = self._at((left, height))
            x1, y1 = self._at((right, self.y.low))
            self._marks.append(
                f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{max(0.0, x1 - x0 - 1):.1f}" '
                f'height="{max(0.0, y1 - y0):.1f}" fill="{colour}" fill-opacity="0.55"/>'
            )
        self._name(name, colour)

    def __str__(self) -> str:
        """The chart as an ``svg`` element."""
        return "\n".join(
            [
                f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
                f"<title>{escape(self.title)}</title>",
                f'<text x="{_LEFT}" y="15" class="title">{escape(self.title)}</text>',
                *self._ticks(),
                *self._marks,
                *self._names(),
                "</svg>",
            ]
        )

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        x, y = self.x.share(point[0]), self.y.share(point[1])
        width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        return _LEFT + x * width, _TOP + (1.0 - y) * height

    def _ticks(self) -> list[str]:
        x0, y0 = self._at((self.x.low, self.y.low))
        x1, y1 = self._at((self.x.high, self.y.high))
        rows = [f'<rect x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}" class="edge"/>']
        for value in self.x.ticks:
            x, _ = self._at((value, self.y.low))
            rows.append(f'<text x="{x:.1f}" y="{y0 + 14}" class="tick mid">{value:g}</text>')
        for value in self.y.ticks:
            _, y = self._at((self.x.low, value))
            rows.append(f'<text x="{x0 - 5}" y="{y + 4:.1f}" class="tick end">{value:g}</text>')
        middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
        turned = f'transform="rotate(-90 12 {middle_y})"'
        label_x, label_y = escape(self.x.label), escape(self.y.label)
        rows.append(f'<text x="{middle_x}" y="{HEIGHT - 12}" class="tick mid">{label_x}</text>')
        rows.append(f'<text x="12" y="{middle_y}" class="tick mid" {turned}>{label_y}</text>')
        return rows

    def _name(self, name: str, colour: str) -> None:
        if name:
            self._legend.append((name, colour))

    def _names(self) -> list[str]:
        rows = []
        for number, (name, colour) in enumerate(self._legend):
            y = _TOP + 14 + 14 * number
            rows.append(
                f'<text x="{WIDTH - _RIGHT - 6}" y="{y}" class="tick end" fill="{colour}">'
                f"{escape(name)}</text>"
            )
        return rows
