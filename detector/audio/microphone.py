"""The microphone: heard by a process of its own, and found again when it was away."""

import logging
import threading
from dataclasses import dataclass, replace

from detector.audio.capture import Captured
from detector.audio.feed import Feed
from detector.audio.process import Ear, Launch, start_capture
from detector.audio.ring import RingBuffer
from detector.audio.wire import Failure, Message, Opened, Trouble
from detector.config.schema import AudioConfig
from detector.core.audio import Block, End, Gap, SourceStatus
from detector.core.clock import Clock
from detector.core.errors import AudioError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the microphone waits for what."""

    stall_s: float = 5.0
    """Without audio the device is opened anew; some plugins call in bursts of seconds."""
    open_s: float = 20.0
    """PortAudio may hang while it looks for devices or opens one; a slow one takes seconds."""
    stop_s: float = 4.0
    """A stop waits no longer; a capture process is ended in 3 s at the worst."""
    poll_s: float = 0.5
    """How often the capture process is looked at while it says nothing."""
    retry_s: tuple[float, ...] = (2.0, 3.0, 5.0)
    """Between attempts to open the device; the last one from then on."""


PATIENCE = Patience()


class MicrophoneSource:
    """Hears a microphone into a ring buffer, in a thread of its own, for as long as it takes.

    Each attempt is a new capture process, which sees the devices that are there then; one that
    fails, hangs or dies is ended, and the next one is started after a while.  A device that is
    missing, taken or unplugged is a state, not an error: ``status`` says it, the log says it once
    per reason.  One that merely delivers nothing is opened anew, and stays available until it
    cannot be.

    ``start`` and ``stop`` belong to one thread, ``read`` to one; ``status`` from any.

    Args:
        config: The device, channel, block and latency.
        ring: Where the audio goes; this source is its only writer, and closes it.
        clock: Tells how long nothing came.
        launch: Starts a capture process.
        patience: How long to wait for what.
    """

    live = True

    def __init__(
        self,
        config: AudioConfig,
        *,
        ring: RingBuffer,
        clock: Clock,
        launch: Launch = start_capture,
        patience: Patience = PATIENCE,
    ) -> None:
        self._config = config
        self._ring = ring
        self._clock = clock
        self._launch = launch
        self._patience = patience
        self._feed = Feed(ring, config.channel)
        self._told = SourceStatus(available=False, description="not opened yet")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._hearing = False  # whether the device that is open has delivered
        self._last_s = 0.0  # when audio came last, or the device was opened, or is being opened
        self._trouble = ""  # what the capture process complains of, though it goes on

    @property
    def status(self) -> SourceStatus:
        """Which device is heard, or why none is."""
        return replace(self._told, overflows=self._feed.overflows)

    def start(self) -> None:
        """Begin to look for the device; never raises for one that is not there."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="detector-source", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Release the device; the reader gets what is left, then End."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(self._patience.stop_s)
            if self._thread.is_alive():
                _log.error("bug: thread %s does not end", self._thread.name)
        self._ring.close("stopped")

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """Hand over what comes next, or None when nothing came within ``timeout_s``."""
        return self._ring.read(timeout_s)

    def _run(self) -> None:
        try:
            self._keep_hearing()
        finally:  # whatever happened: the reader must not wait for a thread that is gone
            self._told = SourceStatus(available=False, description="stopped")
            self._ring.close("stopped")

    def _keep_hearing(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            heard = self._attempt()
            failures = 1 if heard else failures + 1
            steps = self._patience.retry_s
            self._stopping.wait(steps[min(failures, len(steps)) - 1])

    def _attempt(self) -> bool:
        """Open the device and hear it until that ends; whether anything was heard."""
        self._hearing = False
        try:
            self._hear()
        except _StalledError as error:
            self._complain(str(error), available=self.status.available)
        except AudioError as error:
            self._complain(str(error), available=False)
        except Exception as error:  # noqa: BLE001 - hearing must outlive a defect
            _log.exception("bug: hearing failed; it begins anew")
            self._complain(f"internal error: {error!r}", available=False)
        return self._hearing

    def _hear(self) -> None:
        """Hear the device until ``stop``. Raises AudioError where it ends before."""
        self._last_s = self._clock.monotonic()
        ear = self._launch(self._config)
        try:
            self._listen(ear)
        except EOFError:
            raise AudioError(f"the capture process {ear.end()}") from None
        finally:
            ear.end()

    def _listen(self, ear: Ear) -> None:
        opened = self._opened(ear)
        if opened is None:
            return
        self._last_s = opened.opened_s
        self._feed.begin(opened.format, opened.device)
        try:
            self._pump(ear, opened)
        finally:
            self._feed.end()

    def _opened(self, ear: Ear) -> Opened | None:
        """Wait until the device is open; None on ``stop``. Raises AudioError where it is not."""
        while not self._stopping.is_set():
            message = self._next(ear)
            if isinstance(message, Opened):
                return message
            if message is None and self._silent_for(self._patience.open_s):
                raise AudioError(
                    f"the sound system hangs: no answer within {self._patience.open_s:g} s"
                )
        return None

    def _pump(self, ear: Ear, opened: Opened) -> None:
        """Pass on audio until ``stop``. Raises AudioError where it ends before."""
        self._trouble = ""
        while not self._stopping.is_set():
            message = self._next(ear)
            if isinstance(message, Captured):
                self._take(message, opened)
            elif isinstance(message, Trouble):
                _log.warning("%s: %s", opened.device, message.text)
                self._trouble = f"; {message.text}"
            elif message is None and self._silent_for(self._patience.stall_s):
                why = f"no audio for {self._patience.stall_s:g} s{self._trouble}"
                raise _StalledError(f"{opened.device}: {why}")

    def _next(self, ear: Ear) -> Message | None:
        message = ear.next(self._patience.poll_s)
        if isinstance(message, Failure):
            if message.traceback:
                _log.error("bug: hearing failed; it begins anew\n%s", message.traceback)
            raise AudioError(message.text)
        return message

    def _silent_for(self, seconds: float) -> bool:
        """To be asked when nothing is waiting: time in which we did not run does not count."""
        return self._clock.monotonic() - self._last_s >= seconds

    def _take(self, captured: Captured, opened: Opened) -> None:
        self._last_s = self._clock.monotonic()
        self._feed.take(captured)
        if not self._hearing:
            self._hearing = True
            heard_as = f"{opened.device} at {opened.format}"
            _log.info("listening to %s", heard_as)
            self._told = SourceStatus(available=True, description=heard_as, device=opened.name)

    def _complain(self, reason: str, *, available: bool) -> None:
        device = self._told.device if available else ""
        now = SourceStatus(available=available, description=reason, device=device)
        if self._told != now:
            _log.warning("no microphone: %s", reason)
        self._told = now


class _StalledError(AudioError):
    """The device is there and open, but delivers nothing."""
