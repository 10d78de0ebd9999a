"""A capture process that is started before there is anybody to hear it."""

from dataclasses import replace

from detector.audio.ahead import KEEPS_S, started_ahead
from detector.audio.process import Ear
from detector.audio.wire import Message
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError

CONFIG = AudioConfig(device="usb")


class SilentEar:
    """Says nothing, and remembers that it was ended."""

    def __init__(self, config: AudioConfig) -> None:
        self.config = config
        self.ended = False

    def next(self, timeout_s: float) -> Message | None:
        """Nothing."""
        del timeout_s
        return None

    def end(self) -> str:
        """Remember it."""
        self.ended = True
        return "ended"


class Launcher:
    """Starts silent ears, or fails to."""

    def __init__(self) -> None:
        self.launched: list[SilentEar] = []
        self.now_s = 100.0
        self.fails = False

    def __call__(self, config: AudioConfig) -> Ear:
        """One more."""
        if self.fails:
            raise AudioError("no more processes")
        self.launched.append(SilentEar(config))
        return self.launched[-1]


def test_who_asks_first_is_given_the_one_that_runs() -> None:
    """The next one is started when it is asked for, as ever."""
    launcher = Launcher()
    with started_ahead(CONFIG, launch=launcher, now=lambda: launcher.now_s) as launch:
        (ahead,) = launcher.launched
        assert launch(CONFIG) is ahead
        assert launch(CONFIG) is launcher.launched[1]
    assert not ahead.ended, "it is its taker's"


def test_one_that_nobody_asked_for_is_ended() -> None:
    """As when the model is not there."""
    launcher = Launcher()
    with started_ahead(CONFIG, launch=launcher):
        pass
    assert [ear.ended for ear in launcher.launched] == [True]


def test_one_that_has_waited_for_too_long_is_replaced() -> None:
    """Some of what it heard would be lost, and nobody would know when."""
    launcher = Launcher()
    with started_ahead(CONFIG, launch=launcher, now=lambda: launcher.now_s) as launch:
        launcher.now_s += KEEPS_S + 0.1
        taken = launch(CONFIG)
    first, second = launcher.launched
    assert taken is second
    assert (first.ended, second.ended) == (True, False)


def test_one_of_another_device_is_replaced() -> None:
    """The configuration has changed meanwhile."""
    launcher = Launcher()
    other = replace(CONFIG, device="built in")
    with started_ahead(CONFIG, launch=launcher) as launch:
        launch(other)
    assert [ear.config for ear in launcher.launched] == [CONFIG, other]
    assert launcher.launched[0].ended


def test_a_failure_is_told_to_who_asks() -> None:
    """Not before: a start does not fail for want of a microphone."""
    launcher = Launcher()
    launcher.fails = True
    with started_ahead(CONFIG, launch=launcher) as launch:
        launcher.fails = False
        assert launch(CONFIG) is launcher.launched[0]


def test_for_a_file_nothing_is_started() -> None:
    """There is no microphone to open."""
    launcher = Launcher()
    with started_ahead(replace(CONFIG, source="file"), launch=launcher):
        assert launcher.launched == []
