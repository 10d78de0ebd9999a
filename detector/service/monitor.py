"""Watches the worker: microphone state, level, health, and what the watchdog may know."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from detector import __version__
from detector.alerts.messages import Health
from detector.core.audio import SAMPLE_RATE_HZ, GapCause, MicState
from detector.core.clock import Clock
from detector.core.events import Event, EventKind, OffsetReason, Urgency
from detector.core.recognition import RecogniserSpec
from detector.service.diary import Diary
from detector.service.eventmaker import EventMaker
from detector.service.outputs import Outputs
from detector.service.worker import Worker

_log = logging.getLogger(__name__)

HEALTH_EVERY_S = 60.0
LEVEL_EVERY_S = 5.0
OPENING_S = 8.0
"""A microphone that is not heard for this long after the start is told as missing."""
FRESH_S = 5.0
"""Audio disposed of must be no older than this for the watchdog to be fed."""
STUCK_S = 8.0
"""A worker that does not come round for this long hears nothing."""
PAUSE_S = 4.0
"""More time between two looks says that the whole process was stopped, not that one part hangs."""
OUTBOX_TURN_S = 10.0
"""The outbox's loop must have come round within this time for the watchdog to be fed."""

HEARING = (MicState.OK, MicState.CLIPPING, MicState.MUTED)
"""States in which the microphone counts as online."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What health says of the model."""

    name: str
    runtime: str
    spec: RecogniserSpec
    stands_in: str = ""
    """Why it is in use instead of the one that is wanted, if it is."""


class Monitor:
    """Looks at a worker again and again. Used from the main thread only."""

    def __init__(
        self,
        worker: Worker,
        outputs: Outputs,
        *,
        model: ModelFacts,
        events: EventMaker,
        clock: Clock,
        tell: Callable[[list[Event]], None],
        is_armed: Callable[[], bool],
        diary: Diary,
        unheard: Iterable[str] = (),
    ) -> None:
        """``unheard``: sounds that are configured, but not listened for."""
        self._is_armed = is_armed
        self.worker = worker
        self.outputs = outputs
        self.model, self.unheard = model, tuple(unheard)
        self._events = events
        self._clock = clock
        self._tell = tell
        self._diary = diary
        self._counted: dict[str, float] = {}  # of the worker's counters, what the diary has
        self._started_s = self._looked_s = self._awake_s = clock.monotonic()
        self._hearing = self._connected = False
        self._state: MicState | None = None
        self._warning: str | None = None
        self._health_due_s = self._level_due_s = 0.0

    @property
    def mic_state(self) -> MicState:
        """State of the microphone; muted while it is sound but disarmed."""
        state = self.worker.mic_state
        if self._is_stuck:
            return MicState.STALLED  # whatever the source has, nobody takes it
        if state in HEARING and not self._is_armed():
            return MicState.MUTED
        return state

    @property
    def _is_stuck(self) -> bool:
        turned_s = max(self._awake_s, self.worker.statistics.turned_s)
        return self._clock.monotonic() - turned_s > STUCK_S

    def look(self) -> None:
        """One look, about once a second."""
        now_s = self._clock.monotonic()
        if now_s - self._looked_s > PAUSE_S:
            self._awake_s = now_s
        self._looked_s = now_s
        if not self._is_stuck:  # else it does not listen: let that count as not running
            self._diary.live(armed=self._is_armed())
        self._count()
        self._follow_microphone(now_s)
        self._follow_warning(now_s)
        connected = self.outputs.mqtt_health().connected
        if connected is not self._connected:
            self._connected, self._health_due_s = connected, now_s
        if now_s >= self._level_due_s and self._hearing:
            self._level_due_s = now_s + LEVEL_EVERY_S
            self.outputs.set_level(*self.worker.statistics.level)
        if now_s >= self._health_due_s:
            self._health_due_s = now_s + HEALTH_EVERY_S
            self.outputs.set_health(self.health())

    def finish(self) -> None:
        """The worker has stopped: the last of its figures, and nobody listens from now on."""
        self._count()
        self._diary.cease()

    def is_alive(self) -> bool:
        """Whether audio is being disposed of, or its absence is declared, and alerts move."""
        now_s = self._clock.monotonic()
        if now_s - self.outputs.last_turn_s > OUTBOX_TURN_S:
            return False
        statistics = self.worker.statistics
        if now_s - statistics.turned_s > FRESH_S:
            return False
        if not self.worker.source.live:
            return True  # audio of any age is right, as long as it is taken
        if self.worker.mic_state in (MicState.MISSING, MicState.STALLED):
            return True
        disposed_s = statistics.disposed_s
        return disposed_s is not None and now_s - disposed_s <= FRESH_S

    def status_line(self) -> str:
        """One line for ``systemctl status``."""
        cost_ms = self.worker.statistics.feed_ms_percentile(50)
        cost = "no window yet" if cost_ms is None else f"{cost_ms:.0f} ms a window"
        state, source = self.mic_state, self.worker.source.status.description
        line = f"microphone {state}: {source} | {self.outputs.description} | {cost}"
        return " | ".join(one for one in (line, self._model_warning) if one)

    @property
    def _model_warning(self) -> str:
        """What is not as it should be with the model; nothing where all is."""
        unheard = f"not listened for: {', '.join(self.unheard)}" if self.unheard else ""
        return "; ".join(one for one in (self.model.stands_in, unheard) if one)

    def health(self) -> Health:
        """How everything fares."""
        statistics, status = self.worker.statistics, self.worker.source.status
        spec, now_s = self.model.spec, self._clock.monotonic()
        self._count()
        counts, deaf = self._diary.counts, self._diary.deaf_seconds
        disposed_s = statistics.disposed_s
        return Health(
            mic_state=self.mic_state,
            mic_detail=status.description,
            deaf_seconds=deaf,
            deaf_seconds_today=self._diary.deaf_seconds_today,
            mic_warning=self.worker.mic_warning,
            inference_ms_p50=statistics.feed_ms_percentile(50),
            inference_ms_p95=statistics.feed_ms_percentile(95),
            dropped_windows=counts["samples_behind"] // spec.hop_samples,
            gaps=counts["gaps"],
            gap_seconds=counts["samples_lost"] / SAMPLE_RATE_HZ,
            overflows=counts["overflows"],
            mqtt=self.outputs.mqtt_health(),
            model=f"{self.model.name}/{spec.content_hash[:8]}",
            runtime=self.model.runtime,
            model_warning=self._model_warning or None,
            uptime_s=now_s - self._diary.started_s,
            version=__version__,
            last_audio_age_s=None if disposed_s is None else max(0.0, now_s - disposed_s),
            storage_error=self.outputs.storage_error,
            last_error=self.outputs.last_error
            or (None if status.available else status.description),
            clock_synchronised=self._clock.synchronised(),
        )

    def _count(self) -> None:
        """Hand the diary what has been added since: its figures outlive this worker's."""
        for cause, seconds in self.worker.deaf_seconds.items():
            self._diary.count_deaf(cause, self._added(f"deaf {cause}", seconds))
        statistics = self.worker.statistics
        figures = {
            "gaps": statistics.gaps.total(),
            "samples_lost": statistics.samples_lost.total(),
            "samples_behind": statistics.samples_lost[GapCause.BEHIND],
            "overflows": self.worker.source.status.overflows,
        }
        for name, figure in figures.items():
            self._diary.counts[name] += round(self._added(name, figure))

    def _added(self, name: str, figure: float) -> float:
        before, self._counted[name] = self._counted.get(name, 0.0), figure
        return max(0.0, figure - before)

    def _follow_warning(self, now_s: float) -> None:
        warning = self.worker.mic_warning
        if warning == self._warning:
            return
        if warning is None:
            _log.info("the microphone sounds like itself again")
        else:
            _log.warning("the microphone sounds unlike itself: %s", warning)
        self._warning = warning
        self._health_due_s = now_s

    def _follow_microphone(self, now_s: float) -> None:
        state = self.mic_state
        if state is self._state:
            return
        # A microphone takes a moment to open: until then its absence is no news.
        opening = now_s - self._started_s < OPENING_S
        if self._state is None and state is MicState.MISSING and opening:
            return
        first, self._state = self._state is None, state
        detail = self.worker.source.status.description
        level = logging.INFO if state in HEARING else logging.WARNING
        _log.log(level, "microphone %s: %s", state, detail)
        hearing = state in HEARING
        if hearing is not self._hearing or first:
            self._hearing = hearing
            self.outputs.set_microphone(available=hearing)
            self._announce(state, detail, first=first)
        self._health_due_s = now_s

    def _announce(self, state: MicState, detail: str, *, first: bool) -> None:
        if not self._hearing:
            self.worker.submit(
                lambda pipeline: self._tell(pipeline.close(OffsetReason.SOURCE_LOST))
            )
            kind = EventKind.MICROPHONE_LOST
            reason = f"{state}: {detail}"
            self._tell([self._events.notice(kind, urgency=Urgency.URGENT, reason=reason)])
        elif not first:
            kind = EventKind.MICROPHONE_RESTORED
            self._tell([self._events.notice(kind, urgency=Urgency.NOTICE, reason=detail)])
