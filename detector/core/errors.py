"""Every expected failure of the product.

DetectorError
├── ConfigError      a setting is wrong; carries all problems at once
├── AudioError       a device, file or stream cannot be heard
├── ModelError       the model is absent, damaged or not a classifier
├── MqttError        the broker refuses, denies or cannot be reached
├── ControlError     the running service cannot be asked
├── ServiceError     the machine does not let the service be installed or run
└── DataError        labelled recordings cannot be used to learn from or to measure with

Each is one line for a person and one exit code for a script; only the command line turns it
into either.  Anything else that reaches the command line is a defect and shows its traceback.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class DetectorError(Exception):
    """An expected failure; ``str(error)`` is the line a person reads."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration."""

    where: str
    """File and line, ``detector.yaml:12``, or the file alone."""
    key: str
    """Key path, ``sounds.baby_cry.threshold``; empty for the file as a whole."""
    message: str
    """The value that is wrong and what would be right."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class ConfigError(DetectorError):
    """A configuration that cannot be used: every problem it has."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AudioError(DetectorError):
    """A device, file or stream that cannot be heard."""

    exit_code = 4


class ModelError(DetectorError):
    """A model that is absent, damaged, unverified or not a classifier."""

    exit_code = 5


class MqttError(DetectorError):
    """A broker that refuses, denies or cannot be reached."""

    exit_code = 6


class ControlError(DetectorError):
    """No running service answers on the control socket, or it refused the command."""

    exit_code = 7


class ServiceError(DetectorError):
    """The machine does not let the service be installed or run."""

    exit_code = 8


class DataError(DetectorError):
    """Labelled recordings that cannot be used to learn from or to measure with."""

    exit_code = 9
