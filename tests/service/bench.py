"""A workbench for the service's parts: a source fed by hand, outputs that remember, a worker."""

import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.messages import Health, MqttHealth
from detector.audio.ears import Memory
from detector.config import Config
from detector.config.loader import parse_config
from detector.core.audio import Block, End, Gap, MicState, SourceStatus
from detector.core.events import Event
from detector.service.build import build_pipeline
from detector.service.outputs import Outputs
from detector.service.pipeline import Pipeline
from detector.service.worker import Worker
from tests.clocks import HandClock
from tests.service.fakes import ToldRecogniser, second

_Result = TypeVar("_Result")

PATIENCE_S = 5.0
"""No test waits longer for anything."""
LABELS = ("Dog", "Bark", "Baby cry, infant cry", "Rain")
YAML = """
node: nursery
sounds:
  dog_bark:
    evidence: [{classes: [Bark, Dog]}]
    threshold: 0.5
    release_threshold: 0.3
    confirm_seconds: 0
    hold_seconds: 2
    refractory_seconds: 0
    urgency: notice
  baby_cry:
    evidence: [{classes: ["Baby cry, infant cry"]}]
    threshold: 0.5
    release_threshold: 0.3
    confirm_seconds: 0
    urgency: urgent
"""


def configured(text: str = YAML) -> Config:
    """A configuration from YAML."""
    return parse_config(text, "test.yaml")


def bark(index: int, score: float = 0.9, *, captured_s: float | None = None) -> Block:
    """The second number ``index`` with this score for Bark."""
    return second(index, 0.0, score, captured_s=captured_s)


def noise(index: int, score: float = 0.0) -> Block:
    """A second of a room that is really heard, with this score for Bark."""
    samples = np.random.default_rng(index).normal(0.0, 0.01, 16_000).astype(np.float32)
    samples[: len(LABELS)] = (0.0, score, 0.0, 0.0)
    return Block(index * 16_000, samples, 101.0 + index)


class HandSource:
    """Hands over what it is given, in order. What it raises or marks stands in the same queue."""

    def __init__(self, *, live: bool = True, available: bool = True) -> None:
        self.live = live
        self.status = SourceStatus(available=available, description="the old microphone")
        self.started = False
        self._items: SimpleQueue[object] = SimpleQueue()

    def start(self) -> None:
        """Note it."""
        self.started = True

    def stop(self) -> None:
        """Note it."""
        self.started = False

    def give(self, *items: Block | Gap | End | Exception | None) -> None:
        """Have these read next; None: nothing came in time; an exception: it is raised."""
        for item in items:
            self._items.put(item)

    def settle(self) -> None:
        """Wait until all that was given has been dealt with."""
        reached = threading.Event()
        self._items.put(reached)
        assert reached.wait(PATIENCE_S)

    def away(self, why: str = "unplugged") -> None:
        """Be unavailable, and have that noticed."""
        self.status = SourceStatus(available=False, description=why)
        self.give(None)
        self.settle()

    def back(self) -> None:
        """Be there again."""
        self.status = SourceStatus(available=True, description="the old microphone")

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """The next of what was given."""
        while True:
            try:
                item = self._items.get(timeout=timeout_s)
            except Empty:
                return None
            match item:
                case threading.Event():
                    item.set()
                case Exception():
                    raise item
                case Block() | Gap() | End():
                    return item
                case _:
                    return None


@dataclass
class Bench:
    """A worker with all that it needs, and the events that it told."""

    source: HandSource = field(default_factory=HandSource)
    clock: HandClock = field(default_factory=HandClock)
    config: Config = field(default_factory=configured)
    told: list[Event] = field(default_factory=list)
    memory: Memory | None = None
    block_seconds: float | None = None
    news: list[MicState] = field(default_factory=list)
    """The microphone's state, each time that somebody should look."""

    def __post_init__(self) -> None:
        """Put the worker together."""
        self.recogniser = ToldRecogniser(LABELS)
        self.worker = Worker(
            source=self.source,
            pipeline=self.pipeline(self.config),
            clock=self.clock,
            on_events=self.told.extend,
            memory=self.memory,
            on_news=lambda: self.news.append(self.worker.mic_state),
            block_seconds=self.block_seconds,
        )

    def pipeline(self, config: Config) -> Pipeline:
        """A pipeline for a configuration."""
        return build_pipeline(config, [self.recogniser], clock=self.clock)

    def hear(self, *items: Block | Gap | End | Exception | None) -> None:
        """Have these read, and wait until they are dealt with."""
        self.source.give(*items)
        self.source.settle()

    def wait_in_vain(self, seconds: float) -> None:
        """Have nothing arrive for so long; the worker looks every second."""
        for _ in range(round(seconds)):
            self.clock.now_s += 1.0
            self.hear(None)

    def ask(self, request: Callable[[Pipeline], _Result]) -> _Result:
        """Have something done to the pipeline; its result."""
        return self.wait(self.worker.submit(request))

    def wait(self, future: "Future[_Result]") -> _Result:
        """What the worker's thread makes of a request."""
        self.source.give(None)
        return future.result(PATIENCE_S)

    def serve(self) -> None:
        """Have all requests so far carried out."""
        self.ask(lambda _pipeline: None)


class NotedOutputs(Outputs):
    """Outputs without an outside: they remember what they are to show."""

    def __init__(self, clock: HandClock, config: Config | None = None) -> None:
        super().__init__(
            config or configured(),
            clock=clock,
            device=DeviceInfo(software="1.2.3"),
            on_command=lambda _command, _by: None,
            environ={},
            directory=Path(os.devnull),  # it is never started
            stream=io.StringIO(),
        )
        self._clock = clock
        self.turned_s: float | None = None
        """When the outbox came round; None: just now."""
        self.connected = False
        """Whether the broker is there."""
        self.microphone: list[bool] = []
        self.armed: list[bool] = []
        self.levels: list[tuple[float, float]] = []
        self.healths: list[Health] = []
        self.thresholds: dict[str, float] = {}

    @property
    def last_turn_s(self) -> float:
        """As set."""
        return self._clock.now_s if self.turned_s is None else self.turned_s

    def mqtt_health(self) -> MqttHealth:
        """As set."""
        return MqttHealth(connected=self.connected)

    def set_microphone(self, *, available: bool) -> None:
        """Remember it."""
        self.microphone.append(available)

    def set_armed(self, *, armed: bool) -> None:
        """Remember it."""
        self.armed.append(armed)

    def set_level(self, rms_dbfs: float, peak_dbfs: float) -> None:
        """Remember it."""
        self.levels.append((rms_dbfs, peak_dbfs))

    def set_health(self, health: Health) -> None:
        """Remember it."""
        self.healths.append(health)

    def set_threshold(self, sound: str, value: float) -> None:
        """Remember it."""
        self.thresholds[sound] = value
