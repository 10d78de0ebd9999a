"""A desk over a bench, to say things to."""

from dataclasses import dataclass, field
from pathlib import Path

from detector.core.events import Event
from detector.service.desk import Desk
from detector.service.overrides import Overrides
from detector.service.secondstage import Ask, at_once
from tests.service.bench import Bench, NotedOutputs


@dataclass
class OpenDesk:
    """A desk over a bench, with its overrides in a folder."""

    bench: Bench
    folder: Path
    told: list[Event] = field(default_factory=list)
    ask: Ask = at_once

    def __post_init__(self) -> None:
        """Open it."""
        self.outputs = NotedOutputs(self.bench.clock)
        self.overrides = Overrides(self.folder, "nursery")
        self.overrides.load()
        self.desk = Desk(
            self.bench.config,
            overrides=self.overrides,
            worker=self.bench.worker,
            outputs=self.outputs,
            clock=self.bench.clock,
            tell=self.told.extend,
            ask=self.ask,
        )
        line = self.bench.pipeline(self.bench.config)
        self.desk.apply_overrides(line)
        self.bench.wait(self.bench.worker.replace_pipeline(line))
