"""The one thread that owns the interpreter: it feeds the pipeline from a source."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from detector.audio.blocks import surplus
from detector.audio.ears import Ears, Memory
from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, GapCause, MicState, Source
from detector.core.clock import Clock
from detector.core.errors import AudioError, DetectorError
from detector.core.events import Event
from detector.core.level import peak_dbfs, rms_dbfs
from detector.service.pipeline import Pipeline
from detector.service.promises import promise

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

READ_TIMEOUT_S = 0.5
"""How long the worker waits for audio before it looks at its other duties."""


class WorkerStatistics:
    """What the worker has seen and done. Written by the worker, read from any thread."""

    def __init__(self) -> None:
        self.windows = 0
        # All keys from the first: others sum them up while the worker counts.
        self.gaps: Counter[GapCause] = Counter(dict.fromkeys(GapCause, 0))
        self.samples_lost: Counter[GapCause] = Counter(dict.fromkeys(GapCause, 0))
        self.feed_ms: deque[float] = deque(maxlen=500)
        self.level = (rms_dbfs(np.zeros(0, np.float32)),) * 2
        """RMS and peak of the newest block, in dBFS."""
        self.disposed_s: float | None = None
        """Capture time of the newest audio that made a window or was deliberately skipped."""
        self.turned_s = 0.0
        """When the loop last came round."""

    def dropped_windows(self, hop_samples: int) -> int:
        """Windows that were skipped because the worker fell behind."""
        return self.samples_lost[GapCause.BEHIND] // hop_samples

    def feed_ms_percentile(self, percent: float) -> float | None:
        """Milliseconds that a window costs, or None before the first."""
        recent = list(self.feed_ms)
        return float(np.percentile(recent, percent)) if recent else None


class Worker:
    """Reads a source, feeds the pipeline, hands on what was decided.

    ``start`` and ``stop`` belong to one thread; ``submit`` may be called from any.
    """

    def __init__(
        self,
        *,
        source: Source,
        pipeline: Pipeline,
        clock: Clock,
        on_events: Callable[[list[Event]], None],
        memory: Memory | None = None,
        on_audio: Callable[[Block | Gap], None] = lambda _item: None,
        on_news: Callable[[], None] = lambda: None,
        block_seconds: float | None = None,
    ) -> None:
        """Only assigns; ``memory`` keeps what is learnt of microphones.

        ``on_audio`` hears along, on the worker's thread: it must be quick.  ``on_news`` is called
        there when the microphone's state has changed, and at the end.  ``block_seconds`` is
        the length of a live source's blocks: windows then end with them, if the hop does.
        """
        self._source = source
        self._pipeline = pipeline
        self._clock = clock
        self._on_events = on_events
        self._on_audio = on_audio
        self._on_news = on_news
        self._block_seconds = block_seconds
        self._begins = True  # whether the next block is the first of a stream
        self._passed_over = 0  # samples at the head of it that are still to be left out
        self._ears = Ears(memory)
        self._requests: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.statistics = WorkerStatistics()
        self.ended = threading.Event()
        """Set when the source has ended or the worker failed."""
        self.failure: BaseException | None = None
        """Why the worker ended before it was told to, if it did."""

    @property
    def pipeline(self) -> Pipeline:
        """What it feeds; to be used on the worker's own thread only, see ``submit``."""
        return self._pipeline

    @property
    def source(self) -> Source:
        """What it reads."""
        return self._source

    @property
    def mic_state(self) -> MicState:
        """The state of the source, as far as sound goes."""
        return self._ears.state

    @property
    def mic_warning(self) -> str | None:
        """Why the microphone sounds unlike itself, if it does."""
        return self._ears.warning

    @property
    def deaf_seconds(self) -> dict[str, float]:
        """Seconds of which nothing was heard, by cause."""
        return self._ears.deaf_seconds

    def start(self) -> None:
        """Begin; does nothing if it has begun. A worker runs once."""
        if self._thread is None and not self._stopping.is_set():
            self._thread = threading.Thread(target=self._run, name="detector-worker", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Cease; True once the thread has ended, and what it owned is anybody's.

        A thread that does not end in time is named and left with what it owns.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _log.error("bug: thread %s did not end within %s s", self._thread.name, timeout_s)
                return False
            self._thread = None
        self._serve_requests()
        return True

    def submit(self, request: Callable[[Pipeline], _Result]) -> Future[_Result]:
        """Have something done to the pipeline on the worker's thread, between two blocks."""
        future, fulfil = promise(lambda: request(self._pipeline))
        future.add_done_callback(_log_failure)  # often nobody waits for it
        self._requests.put(fulfil)
        return future

    def replace_pipeline(self, pipeline: Pipeline) -> Future[None]:
        """Go on with another pipeline."""

        def go_over(old: Pipeline) -> None:
            if old is not pipeline:
                pipeline.stages.follow(old.stages)
            self._pipeline = pipeline
            if pipeline.recogniser is not old.recogniser:
                self._begins = True

        return self.submit(go_over)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and self._turn():
                pass
        except AudioError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - told to the main thread, which ends the daemon
            _log.exception("bug: the worker failed")
            self.failure = error
        self.ended.set()
        self._on_news()

    def _turn(self) -> bool:
        """One round; False at the end of the source."""
        self._serve_requests()
        state_before = self._ears.state
        item = self._source.read(READ_TIMEOUT_S)
        now_s = self._clock.monotonic()
        self.statistics.turned_s = now_s
        match item:
            case End(reason):
                return self._end(reason)
            case None:
                self._nothing_arrived(now_s)
            case Block():
                self._take_block(item, now_s)
            case Gap():
                self._take_gap(item)
        if self._ears.state is not state_before:
            self._on_news()
        return True

    def _end(self, reason: str) -> bool:
        if self._source.live:
            raise AudioError(f"the microphone cannot be heard any more: {reason}")
        _log.info("%s", reason)
        return False

    def _serve_requests(self) -> None:
        while True:
            try:
                request = self._requests.get_nowait()
            except Empty:
                return
            request()

    def _nothing_arrived(self, now_s: float) -> None:
        self._ears.hear_nothing(now_s, available=self._source.status.available)

    def _take_block(self, block: Block, now_s: float) -> None:
        self._on_audio(block)
        if self._source.live:
            self._ears.hear(block.samples, self._source.status, now_s)
        else:
            self._ears.hear_unjudged(now_s)
        self.statistics.level = (rms_dbfs(block.samples), peak_dbfs(block.samples))
        aligned = self._aligned(block)
        if len(aligned.samples) and self._feed(aligned):
            self.statistics.disposed_s = block.captured_monotonic_s

    def _aligned(self, block: Block) -> Block:
        """Without what must go at the head of a stream so that windows end with blocks."""
        begins, self._begins = self._begins, False
        if begins and self._source.live and self._block_seconds:
            block_samples = round(self._block_seconds * SAMPLE_RATE_HZ)
            context = self._pipeline.context_samples
            self._passed_over = surplus(len(block.samples), context, block_samples)
        elif begins:
            self._passed_over = 0
        begin = min(self._passed_over, len(block.samples))
        if begin == 0:
            return block
        self._passed_over -= begin
        return replace(
            block, start_sample=block.start_sample + begin, samples=block.samples[begin:]
        )

    def _take_gap(self, gap: Gap) -> None:
        self.statistics.gaps[gap.cause] += 1
        self.statistics.samples_lost[gap.cause] += gap.samples_lost
        lost_s = gap.samples_lost / SAMPLE_RATE_HZ
        count = self.statistics.gaps[gap.cause]
        # Each loss is counted; the log names the first ones and then ever fewer.
        if count & (count - 1) == 0:
            _log.warning("%.2f s of audio lost (%s), %d times so far", lost_s, gap.cause, count)
        self._ears.miss(lost_s, gap.cause)
        self._begins = True
        self._on_audio(gap)
        self._feed(gap)
        if gap.cause is GapCause.BEHIND:
            self.statistics.disposed_s = self._clock.monotonic()

    def _feed(self, item: Block | Gap) -> int:
        """How many windows it made."""
        before, began_s = self._pipeline.windows, self._clock.monotonic()
        events = self._pipeline.feed(item)
        windows = self._pipeline.windows - before
        if windows:
            elapsed_ms = 1000.0 * (self._clock.monotonic() - began_s)
            self.statistics.feed_ms.append(elapsed_ms / windows)
            self.statistics.windows += windows
        if events:
            self._on_events(events)
        return windows


def _log_failure(future: Future[_Result]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, DetectorError):
        _log.debug("a request is refused: %s", error)  # told to whoever waits
    elif error is not None:
        _log.error("bug: a request to the worker failed", exc_info=error)
