"""What is fuzzed: something that takes generated inputs, and may refuse them but not fail."""

import random
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any


class DefectError(AssertionError):
    """The product took an input in a way that it must not."""


def require(condition: object, what: str) -> None:
    """Raise DefectError where something does not hold."""
    if not condition:
        raise DefectError(what)


class Target(ABC):
    """A part of the product, in a process of its own.

    ``make`` depends on nothing but ``rng``, so that a seed and an index tell an input.
    """

    name: str
    usual_count = 100_000
    """Inputs of a full run."""
    patience_s = 10.0
    """An input that takes longer hangs."""
    most_growth_mb = 96.0
    """The largest the memory may grow, at any moment, beyond what the first inputs took."""
    address_space_mb = 3072
    """More than this is refused to the process: a MemoryError is a failure, not a dead machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: Counter[str] = Counter()
        """What else is to be told, counted."""

    @abstractmethod
    def make(self, rng: random.Random) -> Any:
        """An input."""

    @abstractmethod
    def feed(self, made: Any) -> bool:
        """Give it to the product: True if it was accepted, False if refused as it should.

        Whatever this raises is a failure.
        """

    @property
    def growth_mb(self) -> float | None:
        """Memory that what is fuzzed took, where it is another process than this one."""
        return None

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Put away what it holds; raises DefectError where something is not as it was."""
