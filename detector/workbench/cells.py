"""How figures stand in tables of Markdown."""

import math
from collections.abc import Sequence

from detector.workbench.evaluation import OURS, Evaluation
from detector.workbench.metrics import Interval
from detector.workbench.tally import Count

FEW_GROUPS = 10
"""With fewer, a recall says little of recordings that nobody has heard."""
NOTHING = "–"


def head(*names: str) -> Sequence[str]:
    """A table's first two lines."""
    return row(*names), "|" + "---|" * len(names)


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def bold(system: str) -> str:
    """A system's name, ours to be seen at once."""
    return f"**{system}**" if system == OURS else system


def interval(of: Interval) -> str:
    """``0.61 [0.53, 0.69]``."""
    if math.isnan(of.value):
        return NOTHING
    return f"{of.value:.2f} [{of.low:.2f}, {of.high:.2f}]"


def signed(of: Interval) -> str:
    """``+0.12 [-0.02, +0.25]``."""
    if math.isnan(of.value):
        return NOTHING
    return f"{_signed(of.value)} [{_signed(of.low)}, {_signed(of.high)}]"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-0.00", "+0.00")


def latency(count: Count) -> str:
    """Median and 95th percentile."""
    p50, p95 = count.latency_s
    return NOTHING if math.isnan(p50) else f"{p50:.1f} / {p95:.1f} s"


def number(value: float, digits: int = 2) -> str:
    """With so many digits."""
    return NOTHING if math.isnan(value) else f"{value:.{digits}f}"


def counted(value: float) -> str:
    """A count that may be a mean over several runs."""
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def groups(result: Evaluation, sound: str) -> str:
    """How many there are, and how they are to be taken."""
    count = result.groups[sound]
    marks = "s" if sound in result.synthetic else "*" if 0 < count < FEW_GROUPS else ""
    return f"{count}{marks}{'†' if result.seen.get(sound) else ''}"
