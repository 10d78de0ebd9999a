"""How far a share or a rate that was counted can be trusted. Pure."""

import math
from dataclasses import dataclass

Z95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its interval of 95 %."""

    value: float
    low: float
    high: float


def recall_interval(hits: float, events: float) -> Interval:
    """Share of events found, with Wilson's interval (E. B. Wilson, 1927).

    ``hits`` may be a mean over several runs.  Without events it is not a number, and the interval
    is everything.
    """
    if events <= 0:
        return Interval(math.nan, 0.0, 1.0)
    share = hits / events
    spread = Z95**2 / events
    middle = (share + spread / 2.0) / (1.0 + spread)
    reach = Z95 / (1.0 + spread) * math.sqrt(share * (1.0 - share) / events + spread / (4 * events))
    return Interval(
        share, max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
    )


def rate_interval(count: float, hours: float) -> Interval:
    """Events per hour with the exact interval of a Poisson rate (F. Garwood, 1936).

    A count of 0 has an upper bound of 3.7 events in all the time (two-sided); ``count`` may be a
    mean over several runs.
    """
    if hours <= 0:
        return Interval(math.nan, 0.0, math.inf)
    low = gamma_quantile(0.025, count) if count > 0 else 0.0
    return Interval(count / hours, low / hours, gamma_quantile(0.975, count + 1.0) / hours)


def zero_bound(hours: float) -> float:
    """The largest rate per hour that no event in so many hours leaves possible, at 95 %.

    One-sided: −ln 0.05, "the rule of three".
    """
    return math.inf if hours <= 0 else -math.log(0.05) / hours


def gamma_quantile(share: float, shape: float) -> float:
    """Where the gamma distribution of that shape and scale 1 has ``share`` of itself below."""
    low, high = 0.0, shape + 10.0 * math.sqrt(shape) + 20.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _gamma_below(shape, middle) < share else (low, middle)
    return 0.5 * (low + high)


def _gamma_below(shape: float, x: float) -> float:
    """The regularised lower incomplete gamma function P(shape, x)."""
    if x <= 0.0:
        return 0.0
    front = math.exp(-x + shape * math.log(x) - math.lgamma(shape))
    if x < shape + 1.0:
        return front * _series(shape, x)
    return 1.0 - front * _continued_fraction(shape, x)


def _series(shape: float, x: float) -> float:
    term = total = 1.0 / shape
    for n in range(1, 10_000):
        term *= x / (shape + n)
        total += term
        if term < total * 1e-15:
            break
    return total


def _continued_fraction(shape: float, x: float) -> float:
    """Lentz's method, as in Numerical Recipes §6.2."""
    b = x + 1.0 - shape
    c, d = 1e300, 1.0 / b
    value = d
    for n in range(1, 10_000):
        factor = -n * (n - shape)
        b += 2.0
        d = 1.0 / (factor * d + b)
        c = b + factor / c
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value
