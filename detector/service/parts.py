"""The parts of a running daemon for one configuration: put together, started, stopped."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from detector.alerts.homeassistant import DeviceInfo
from detector.alerts.left import Left
from detector.alerts.messages import class_scores, delivery_payload
from detector.alerts.sinks import Delivery
from detector.audio.blocks import fitted_to_hop
from detector.audio.open import open_source
from detector.audio.process import Launch, start_capture
from detector.config import Config
from detector.core.audio import Block, Gap
from detector.core.clock import Clock
from detector.core.errors import ControlError
from detector.core.events import Command, Event, OffsetReason, Phase
from detector.core.recognition import Recogniser
from detector.service.along import audio_document
from detector.service.aside import Aside
from detector.service.build import build_pipeline
from detector.service.control import AUDIO, ControlServer, runtime_directory
from detector.service.control_client import SOCKET_NAME
from detector.service.desk import Desk
from detector.service.diary import Diary
from detector.service.eventmaker import EventMaker
from detector.service.fitted import InForce, InUse, in_force
from detector.service.monitor import ModelFacts, Monitor
from detector.service.outputs import Outputs
from detector.service.overrides import Overrides, state_directory
from detector.service.pipeline import Pipeline, Snapshot
from detector.service.worker import Worker

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A recogniser that has classified once, and what is to be said of it."""

    recogniser: Recogniser
    facts: ModelFacts
    path: Path | None = None
    """Its file."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon takes from the process around it."""

    clock: Clock
    environ: Mapping[str, str]
    device: DeviceInfo
    load_config: Callable[[], Config]
    """The configuration as it stands now; raises ConfigError."""
    load_model: Callable[[Config], LoadedModel]
    """The model that a configuration names; raises ModelError."""
    launch: Launch = start_capture
    """Starts to capture a microphone."""


class Teller:
    """Hands on what was decided, to all outlets and to whoever is subscribed. Thread-safe."""

    def __init__(self, outputs: Outputs, control: ControlServer) -> None:
        self._outputs = outputs
        self._control = control

    def tell(self, events: list[Event]) -> None:
        """Hand on events, in order; returns at once."""
        for event in events:
            self._outputs.tell(event)
            body = delivery_payload(Delivery(event))
            self._control.broadcast({"event": body})
            ended = " ended" if event.test and event.phase is Phase.OFFSET else ""
            _log.info("%s%s (%s)", body["event_type"], ended, event.id)

    def hand_on(self, item: Block | Gap) -> None:
        """Give what is heard to whoever records; mostly nobody does."""
        if self._control.has_recorders:
            self._control.broadcast(audio_document(item), to=AUDIO)

    def show(self, snapshot: Snapshot) -> None:
        """Show a window to whoever is subscribed."""
        self._control.broadcast({"snapshot": snapshot_document(snapshot)})


class Parts:
    """Everything that runs. To be used from the main thread, but for ``teller``."""

    def __init__(
        self,
        config: Config,
        model: LoadedModel,
        around: Surroundings,
        *,
        on_command: Callable[[Command, str], None],
        diary: Diary,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the parts together; nothing is opened yet. ``on_news``: see Worker.

        Raises ConfigError where the sounds do not fit the model, and AudioError where the source
        cannot be what it should.
        """
        self._around = around
        raw, force = config, _usable(config, model)
        config = force.config
        directory = state_directory(config, around.environ)
        self.overrides = Overrides(directory, config.node)
        self.outputs = Outputs(
            config,
            clock=around.clock,
            device=replace(around.device, model_id=model.facts.name),
            on_command=on_command,
            environ=around.environ,
            directory=directory,
            unheard=force.unheard,
            on_left=self._end_what_was_left_on,
        )
        self.control = ControlServer(runtime_directory(around.environ) / SOCKET_NAME)
        self.teller = Teller(self.outputs, self.control)
        self._events = EventMaker(node=config.node, clock=around.clock)
        self._aside = Aside()
        self._first_pipeline = self.pipeline(raw, model)
        self.worker = self._worker(config, diary, on_news)
        self.monitor = Monitor(
            self.worker,
            self.outputs,
            model=model.facts,
            events=self._events,
            clock=around.clock,
            tell=self.teller.tell,
            is_armed=lambda: self.overrides.armed,
            diary=diary,
            unheard=(*force.unheard, *config.left_out),
        )
        self.desk = self._desk(config)

    @property
    def clock(self) -> Clock:
        """What all of it goes by."""
        return self._around.clock

    def _worker(self, config: Config, diary: Diary, on_news: Callable[[], None]) -> Worker:
        """With its source; raises AudioError as ``open_source`` does."""
        audio = fitted_to_hop(config.audio, config.model.hop_seconds)
        source = open_source(
            audio,
            clock=self._around.clock,
            keep_samples=self._first_pipeline.context_samples,
            launch=self._around.launch,
        )
        return Worker(
            source=source,
            pipeline=self._first_pipeline,
            clock=self._around.clock,
            on_events=self.teller.tell,
            memory=diary,
            on_audio=self.teller.hand_on,
            on_news=on_news,
            block_seconds=audio.block_seconds,
        )

    def start(self) -> None:
        """The device first, for it takes longest; then the outlets, then who listens.

        Nothing heard is untold: what comes meanwhile waits in the source.  Raises AudioError for a
        file that cannot be read.
        """
        self.worker.source.start()
        try:
            self._start_the_rest()
        except BaseException:
            self.worker.source.stop()  # others may need the device
            raise

    def _start_the_rest(self) -> None:
        self.overrides.load()
        self.desk.apply_overrides(self._first_pipeline)  # before anything else could be shown
        self.outputs.start()
        try:
            self.control.start()
        except ControlError as error:
            _log.warning("%s; going on without", error)
        self.worker.start()

    def stop(self) -> None:
        """In reverse: the ears first, then what they still had to tell, then the outlets."""
        self.desk.finish()
        ended = self.worker.stop()
        if ended:
            self.teller.tell(self.worker.pipeline.close(OffsetReason.STOPPED))
        self._aside.stop()  # which answers first what the last sounds asked
        if ended:
            self.teller.tell(self.worker.pipeline.stages.answers())
        self.monitor.finish()
        self.outputs.set_microphone(available=False)
        self.worker.source.stop()
        self.control.stop()
        self.outputs.stop()

    def take_sounds(self, config: Config, model: LoadedModel, pipeline: Pipeline) -> None:
        """Go over to other sounds, or another model, without ceasing to listen."""
        force = _usable(config, model)
        config = force.config
        self.desk.finish()
        self.worker.submit(lambda old: self.teller.tell(old.close(OffsetReason.RELOADED)))
        self.outputs.update_sounds(config, force.unheard)
        self.desk = self._desk(config)
        self.desk.apply_overrides(pipeline)
        self.worker.replace_pipeline(pipeline)
        self.monitor.model = model.facts
        self.monitor.unheard = (*force.unheard, *config.left_out)

    def pipeline(self, config: Config, model: LoadedModel) -> Pipeline:
        """A pipeline that tells these parts; raises ConfigError if sounds and model disagree."""
        return build_pipeline(
            config,
            [model.recogniser],
            clock=self._around.clock,
            on_snapshot=self.teller.show,
            is_watched=lambda: self.control.has_subscribers,
            ask=self._aside.ask,
        )

    def _end_what_was_left_on(self, left: Left) -> None:
        """A sound that was on when an earlier run was cut off must not stay so.

        It ended no later than now, even if the clock was ahead then.
        """
        unix_s, now = left.last_sign_of_life_unix_s, self._around.clock.wall()
        last = None if unix_s is None else datetime.fromtimestamp(min(unix_s, now.timestamp()), UTC)
        self.teller.tell([self._events.interrupted(event, last) for event in left.on])

    def _desk(self, config: Config) -> Desk:
        return Desk(
            config,
            overrides=self.overrides,
            worker=self.worker,
            outputs=self.outputs,
            clock=self._around.clock,
            tell=self.teller.tell,
            ask=self._aside.ask,
        )


def _usable(config: Config, model: LoadedModel) -> InForce:
    """What of the configuration can be used with a model and its hop."""
    return in_force(config, InUse.of(model.recogniser.spec))


def window_document(snapshot: Snapshot) -> dict[str, object]:
    """A window, as JSON has it."""
    return {
        "start_s": round(snapshot.start_s, 3),
        "end_s": round(snapshot.end_s, 3),
        "level_dbfs": round(snapshot.level_dbfs, 1),
        "classes": class_scores(snapshot.classes),
    }


def snapshot_document(snapshot: Snapshot) -> dict[str, object]:
    """A window and what the sounds make of it, for the control socket."""
    sounds = [
        {
            "sound": reading.sound,
            "probability": round(reading.probability, 4),
            "threshold": reading.threshold,
            "state": str(reading.state),
            "why": reading.why,
        }
        for reading in snapshot.sounds
    ]
    return window_document(snapshot) | {"sounds": sounds}
