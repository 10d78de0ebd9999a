"""Targets with one defect each, to see that the fuzzer finds it."""

import os
import random
import time

from tests.fuzz.target import Target, require

BAD_INDEX = 3


class _Counting(Target):
    """Takes its inputs as they come."""

    patience_s = 1.0
    most_growth_mb = 8.0

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._fed = -1

    def make(self, rng: random.Random) -> float:
        """Chance."""
        self._fed += 1
        return rng.random()

    def feed(self, made: float) -> bool:
        """Be bad once."""
        if self._fed == BAD_INDEX:
            self.misbehave()
        return made < 0.5

    def misbehave(self) -> None:
        """The defect."""


class Good(_Counting):
    """Has none."""

    name = "bad_targets.Good"


class Crashing(_Counting):
    """Takes its process with it."""

    name = "bad_targets.Crashing"

    def misbehave(self) -> None:
        """As a library may."""
        os.abort()


class Hanging(_Counting):
    """Never returns."""

    name = "bad_targets.Hanging"

    def misbehave(self) -> None:
        """Not in our lifetime."""
        time.sleep(1000)


class Raising(_Counting):
    """Raises what it must not."""

    name = "bad_targets.Raising"

    def misbehave(self) -> None:
        """A defect."""
        require(not self.name, "one is two")


class Greedy(_Counting):
    """Takes memory."""

    name = "bad_targets.Greedy"

    def misbehave(self) -> None:
        """For a moment is enough."""
        bytearray(64 << 20)
