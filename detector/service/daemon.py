"""The daemon's life: start, watch, reload, stop."""

import faulthandler
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, Full, Queue
from types import FrameType

from detector import DISCLAIMER
from detector.audio.blocks import fitted_to_hop
from detector.config import Config
from detector.core.errors import ControlError, DetectorError
from detector.core.events import Command
from detector.service.answers import Answers
from detector.service.diary import Diary
from detector.service.overrides import state_directory
from detector.service.parts import LoadedModel, Parts, Surroundings
from detector.service.systemd import Notifier
from detector.service.waking import Waker

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
STATUS_EVERY_S = 5.0
REQUESTS_AT_ONCE = 16
MOST_REQUESTS = 100


class Daemon:
    """Everything, running. ``run`` belongs to the main thread."""

    def __init__(self, config: Config, model: LoadedModel, around: Surroundings) -> None:
        self._config = config
        self._model = model
        self._around = around
        self._notifier = Notifier(around.environ)
        self._requests: Queue[Callable[[], None]] = Queue(MOST_REQUESTS)
        self._waker = Waker()
        self._stopping = False
        self._reloading = False
        self._status_due_s = 0.0
        self._diary = Diary(
            state_directory(config, around.environ), config.node, clock=around.clock
        )
        self._parts = self._new_parts(config, model)

    def run(self) -> int:
        """Live until told to stop, or until the source ends; returns the exit code.

        Raises DetectorError where the source is a file that cannot be read, or breaks off.
        """
        faulthandler.enable()  # the watchdog aborts: the stacks belong in the journal
        _log.info("%s", DISCLAIMER)
        with self._signals():
            try:
                self._diary.open()
                self._parts.start()
                _log.info("listening as %s for %s", self._config.node, self._sounds())
                self._notifier.ready()
                self._live()
            finally:
                self._notifier.stopping()
                self._parts.stop()
                self._diary.save()
        failure = self._parts.worker.failure
        if failure is not None:
            raise failure
        return 0

    def ask(self, request: Callable[[], None]) -> None:
        """Have something done on the main thread, soon. Safe from any thread.

        Raises ControlError where more is asked than can be done.
        """
        try:
            self._requests.put_nowait(request)
        except Full:
            raise ControlError("too many commands at once; this one is not obeyed") from None
        self._waker.wake()

    def _new_parts(self, config: Config, model: LoadedModel) -> Parts:
        parts = Parts(
            config,
            model,
            self._around,
            on_command=self._on_command,
            diary=self._diary,
            on_news=self._waker.wake,
        )
        self._diary.move_to(state_directory(config, self._around.environ), config.node)
        answers = Answers(
            node=config.node, ask=self.ask, parts=lambda: self._parts, reload=self._reload_soon
        )
        parts.control.handlers = answers.handlers()
        return parts

    def _live(self) -> None:
        while not self._stopping and not self._parts.worker.ended.is_set():
            self._waker.wait(LOOK_EVERY_S)
            self._serve_requests()
            if not self._requests.empty():
                self._waker.wake()
            if self._reloading:
                self._reloading = False
                self._reload()
            self._parts.desk.look()
            self._parts.monitor.look()
            self._tell_systemd()

    def _tell_systemd(self) -> None:
        if self._notifier.watchdog_s is not None and self._parts.monitor.is_alive():
            self._notifier.watchdog()
        now_s = self._around.clock.monotonic()
        if self._notifier.is_heard and now_s >= self._status_due_s:
            self._status_due_s = now_s + STATUS_EVERY_S
            self._notifier.status(self._parts.monitor.status_line())

    def _serve_requests(self) -> None:
        """A few at a time: a flood of commands must not keep the watchdog waiting."""
        for _ in range(REQUESTS_AT_ONCE):
            try:
                request = self._requests.get_nowait()
            except Empty:
                return
            request()

    def _reload(self) -> None:
        """Go over to the configuration as it stands now; one that is wrong changes nothing."""
        self._notifier.reloading(self._around.clock.monotonic())
        before = self._parts
        try:
            config = self._around.load_config()
            same_model = config.model == self._config.model
            self._go_over_to(config, self._model if same_model else self._around.load_model(config))
            _log.info("configuration read anew: listening for %s", self._sounds())
        except DetectorError as error:
            for line in str(error).splitlines():
                _log.error("%s", line)
            _log.error("the new configuration is refused; going on with the old one")
            if self._parts is not before:
                self._go_back()
        self._notifier.ready()

    def _go_over_to(self, config: Config, model: LoadedModel) -> None:
        """What can be found wrong is found before anything is changed, but for what starts."""
        if _needs_new_parts(self._config, config):
            self._replace_parts(self._new_parts(config, model))
        else:
            pipeline = self._parts.pipeline(config, model)
            self._parts.take_sounds(config, model, pipeline)
        self._config, self._model = config, model

    def _go_back(self) -> None:
        """The new parts did not start, and the old ones have ceased: begin anew as before.

        Raises DetectorError where that fails too: then nothing is left to go on with.
        """
        self._replace_parts(self._new_parts(self._config, self._model))

    def _replace_parts(self, parts: Parts) -> None:
        before, self._parts = self._parts, parts
        before.stop()
        parts.outputs.take_over(before.outputs)
        parts.start()

    def _sounds(self) -> str:
        return ", ".join(self._parts.desk.sounds)

    def _on_command(self, command: Command, by: str) -> None:
        """A command over MQTT. Called on the network's thread."""

        def carry_out() -> None:
            try:
                self._parts.desk.carry_out(command, by)
            except DetectorError as error:
                _log.warning("%s", error)

        try:
            self.ask(carry_out)
        except ControlError as error:
            _log.warning("%s: %s", by, error)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        handlers = {
            signal.SIGTERM: self._on_stop,
            signal.SIGINT: self._on_stop,
            signal.SIGHUP: self._on_hangup,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            with self._waker.opened():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # The handlers run on the main thread, perhaps in the middle of anything: they touch nothing but
    # a flag, which the loop sees at once, since the signal wakes it.

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _reload_soon(self) -> None:
        """On command: after its answer is on its way, for a reload may end the socket."""
        self._reloading = True
        self._waker.wake()

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._reloading = True


def _needs_new_parts(old: Config, new: Config) -> bool:
    """Whether more than sounds, model and log has changed: then outlets and source begin anew."""
    kept = replace(old, sounds=new.sounds, calibration=new.calibration)
    blocks = [fitted_to_hop(one.audio, one.model.hop_seconds) for one in (old, new)]
    return replace(kept, model=new.model, log=new.log) != new or blocks[0] != blocks[1]
