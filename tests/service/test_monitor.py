"""The monitor: what it makes of the worker's state, and when the watchdog may be fed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from detector.audio.profile import Profile
from detector.core.audio import Block, Gap, GapCause, MicState, SourceStatus
from detector.core.events import Event, EventKind, OffsetReason, Phase, Urgency
from detector.service.diary import Diary
from detector.service.eventmaker import EventMaker
from detector.service.monitor import ModelFacts, Monitor
from detector.service.pipeline import Pipeline
from tests.clocks import HandClock
from tests.service.bench import PATIENCE_S, Bench, HandSource, NotedOutputs, noise
from tests.service.conftest import MakeBench


@dataclass
class Watch:
    """A monitor over a bench."""

    bench: Bench
    told: list[Event] = field(default_factory=list)
    armed: bool = True
    given: Diary | None = None

    def __post_init__(self) -> None:
        """Begin to watch."""
        clock, spec = self.bench.clock, self.bench.recogniser.spec
        self.outputs = NotedOutputs(clock)
        # A file in the way: nothing is kept, which is no concern of these tests.
        self.diary = self.given or Diary(Path(os.devnull) / "state", "nursery", clock)
        if self.given is None:
            self.diary.open()
        self.monitor = Monitor(
            self.bench.worker,
            self.outputs,
            model=ModelFacts("yamnet", "told", spec),
            events=EventMaker(node="nursery", clock=clock),
            clock=clock,
            tell=self.told.extend,
            is_armed=lambda: self.armed,
            diary=self.diary,
        )

    def look(self, *, after_s: float = 0.0) -> None:
        """One look, when so much time has gone by; what it asks of the worker is done."""
        self.bench.clock.now_s += after_s
        self.monitor.look()
        self.bench.serve()

    def hear(self, index: int, *, score: float = 0.0) -> None:
        """Hear a second of the room as it passes, and look."""
        self.bench.clock.now_s = max(self.bench.clock.now_s, 101.0 + index)
        self.bench.hear(noise(index, score))
        self.look()

    def lose(self) -> None:
        """Unplug the microphone, and look."""
        self.bench.source.away()
        self.look()

    @property
    def kinds(self) -> list[EventKind]:
        """What was told, in short."""
        return [event.kind for event in self.told]


@pytest.fixture
def watch(bench: Bench) -> Watch:
    """A monitor over a worker that runs and has heard nothing yet."""
    return Watch(bench)


def test_a_microphone_that_opens_at_once_is_online_and_no_news(watch: Watch) -> None:
    """Nobody wants an event at every start."""
    watch.look()
    assert watch.outputs.microphone == []
    watch.hear(0)
    assert watch.outputs.microphone == [True]
    assert watch.told == []


def test_a_microphone_may_take_eight_seconds_to_open(watch: Watch) -> None:
    """Only then is it called missing."""
    watch.bench.source.away("no such device")
    for _ in range(8):
        watch.look(after_s=0.98)
    assert watch.outputs.microphone == []
    assert watch.told == []
    watch.look(after_s=0.3)
    assert watch.outputs.microphone == [False]
    assert watch.kinds == [EventKind.MICROPHONE_LOST]


def test_a_lost_microphone_is_told_once_and_its_return_once(watch: Watch) -> None:
    """With the reason; however often one looks."""
    watch.hear(0)
    watch.lose()
    watch.look(after_s=1.0)
    watch.look(after_s=60.0)
    (lost,) = watch.told
    assert (lost.kind, lost.urgency) == (EventKind.MICROPHONE_LOST, Urgency.URGENT)
    assert lost.reason == "missing: unplugged"
    watch.bench.source.back()
    watch.hear(1)
    watch.look(after_s=0.1)
    assert watch.kinds == [EventKind.MICROPHONE_LOST, EventKind.MICROPHONE_RESTORED]
    assert watch.told[1].urgency is Urgency.NOTICE
    assert watch.told[1].reason == "the old microphone"
    assert watch.outputs.microphone == [True, False, True]


def test_a_microphone_that_is_lost_in_another_way_is_no_second_loss(watch: Watch) -> None:
    """Missing, then back but silent: it could not be heard all along."""
    watch.hear(0)
    watch.lose()
    watch.bench.source.back()
    watch.bench.hear(None)
    watch.bench.wait_in_vain(10.0)
    watch.look()
    assert watch.monitor.mic_state is MicState.STALLED
    assert watch.kinds == [EventKind.MICROPHONE_LOST]
    assert watch.outputs.microphone == [True, False]


def test_an_open_sound_is_ended_when_the_microphone_is_lost(watch: Watch) -> None:
    """It must not stay ON for as long as nobody can hear that it has ended."""
    watch.hear(0, score=0.9)
    assert [event.phase for event in watch.bench.told] == [Phase.ONSET]
    watch.lose()
    ended = next(event for event in watch.told if event.kind is EventKind.SOUND)
    assert (ended.sound, ended.phase) == ("dog_bark", Phase.OFFSET)
    assert ended.reason == OffsetReason.SOURCE_LOST
    assert ended.id == watch.bench.told[0].id


def test_disarmed_is_muted_but_online(watch: Watch) -> None:
    """Disarming is somebody's wish, not a fault."""
    watch.hear(0)
    watch.armed = False
    watch.look()
    assert watch.monitor.mic_state is MicState.MUTED
    assert watch.outputs.microphone == [True]
    assert watch.told == []
    assert watch.monitor.health().mic_state is MicState.MUTED


def test_a_missing_microphone_is_missing_even_when_disarmed(watch: Watch) -> None:
    """The wish does not hide the fault."""
    watch.hear(0)
    watch.armed = False
    watch.lose()
    assert watch.monitor.mic_state is MicState.MISSING
    assert watch.kinds == [EventKind.MICROPHONE_LOST]


def test_the_level_is_told_every_five_seconds_while_it_hears(watch: Watch) -> None:
    """And not at all while it does not: an old level would be a lie."""
    watch.look()
    assert watch.outputs.levels == []
    for index in range(11):
        watch.hear(index)
    assert len(watch.outputs.levels) == 3
    assert watch.outputs.levels[0][0] == pytest.approx(-40.0, abs=1.0)
    watch.lose()
    watch.look(after_s=60.0)
    assert len(watch.outputs.levels) == 3


def test_health_is_told_at_once_each_minute_and_at_every_change(watch: Watch) -> None:
    """A lost microphone is not found out up to a minute later."""
    watch.look()
    for index in range(60):
        watch.hear(index)
    states = [health.mic_state for health in watch.outputs.healths]
    assert states == [MicState.MISSING, MicState.OK]
    watch.hear(60)
    assert len(watch.outputs.healths) == 3
    watch.lose()
    assert watch.outputs.healths[-1].mic_state is MicState.MISSING


def test_health_is_told_when_the_broker_comes_and_goes(watch: Watch) -> None:
    """Else it would say for up to a minute that there is none, over that very connection."""
    watch.look()
    watch.outputs.connected = True
    watch.look(after_s=0.1)
    watch.look(after_s=0.1)
    assert [health.mqtt.connected for health in watch.outputs.healths] == [False, True]


def test_health_figures_are_those_of_the_worker(watch: Watch) -> None:
    """Losses, ages, deafness, and what it runs on."""
    watch.bench.hear(Gap(0, 32_000, GapCause.BEHIND), Gap(32_000, 8_000, GapCause.OVERFLOW))
    watch.hear(3)
    watch.bench.source.away()
    watch.bench.clock.now_s += 10.0
    watch.bench.source.away()
    watch.bench.worker.statistics.feed_ms.clear()
    watch.bench.worker.statistics.feed_ms.extend(range(1, 101))
    health = watch.monitor.health()
    assert health.dropped_windows == 2
    assert (health.gaps, health.gap_seconds) == (2, 2.5)
    assert health.last_audio_age_s == pytest.approx(10.0)
    assert health.uptime_s == pytest.approx(14.0)
    assert health.deaf_seconds["missing"] == pytest.approx(10.0)
    assert health.deaf_seconds["total"] == pytest.approx(sum(health.deaf_seconds.values()) / 2)
    assert health.inference_ms_p50 == pytest.approx(50.5)
    assert health.inference_ms_p95 == pytest.approx(95.05)
    assert (health.model, health.runtime) == ("yamnet/00000000", "told")
    assert health.last_error == health.mic_detail == "unplugged"
    assert health.clock_synchronised is True


def test_health_counts_what_the_sound_system_lost(watch: Watch) -> None:
    """As the source tells it; a source that is there is no error."""
    watch.bench.source.status = SourceStatus(
        available=True, description="the old microphone", overflows=7
    )
    health = watch.monitor.health()
    assert health.overflows == 7
    assert health.last_error is None
    assert health.last_audio_age_s is None


def test_the_status_line_is_for_people(watch: Watch) -> None:
    """State, source, outlet, and what a window costs."""
    assert watch.monitor.status_line() == (
        "microphone missing: the old microphone | json lines | no window yet"
    )
    watch.hear(0)
    assert watch.monitor.status_line() == (
        "microphone ok: the old microphone | json lines | 0 ms a window"
    )


def test_it_is_alive_while_audio_is_disposed_of(watch: Watch) -> None:
    """And not a moment longer than five seconds."""
    watch.hear(0)
    watch.bench.clock.now_s += 4.9
    assert watch.monitor.is_alive()


def test_it_is_alive_while_it_falls_behind_and_skips(watch: Watch) -> None:
    """Restarting would not make the machine faster."""
    watch.hear(0)
    watch.bench.clock.now_s += 60.0
    watch.bench.hear(Gap(16_000, 58 * 16_000, GapCause.BEHIND))
    assert watch.monitor.is_alive()


def test_it_is_not_alive_when_the_audio_it_classifies_is_old(watch: Watch) -> None:
    """It turns, but what it turns over is no news."""
    watch.hear(0)
    watch.bench.clock.now_s += 60.0
    watch.bench.hear(noise(1))
    assert not watch.monitor.is_alive()


@contextmanager
def hanging(bench: Bench) -> Iterator[None]:
    """A worker that does not come round."""
    release, busy = threading.Event(), threading.Event()

    def hang(_pipeline: Pipeline) -> None:
        busy.set()
        release.wait(PATIENCE_S)

    stuck = bench.worker.submit(hang)
    bench.source.give(None)
    assert busy.wait(PATIENCE_S)
    yield
    release.set()
    bench.wait(stuck)
    bench.source.settle()


def test_it_is_not_alive_when_the_worker_is_stuck(watch: Watch) -> None:
    """Whatever the state of the microphone was before."""
    watch.bench.source.away()
    assert watch.monitor.is_alive()
    with hanging(watch.bench):
        watch.bench.clock.now_s += 5.1
        assert not watch.monitor.is_alive()
    assert watch.monitor.is_alive()


def test_a_worker_that_is_stuck_is_told_as_a_lost_microphone(watch: Watch) -> None:
    """Nothing is heard, whatever the microphone hears; where no watchdog is, that goes on."""
    watch.hear(0)
    with hanging(watch.bench):
        for _ in range(9):
            watch.bench.clock.now_s += 1.0
            watch.monitor.look()
        assert watch.outputs.microphone == [True, False]
        assert [event.reason for event in watch.told] == ["stalled: the old microphone"]
    watch.hear(1)
    assert watch.kinds == [EventKind.MICROPHONE_LOST, EventKind.MICROPHONE_RESTORED]


def test_it_is_not_alive_when_the_outbox_does_not_turn(watch: Watch) -> None:
    """What is heard and cannot be told is of no use."""
    watch.hear(0)
    watch.outputs.turned_s = watch.bench.clock.now_s - 10.1
    assert not watch.monitor.is_alive()
    watch.outputs.turned_s = watch.bench.clock.now_s - 9.9
    assert watch.monitor.is_alive()


def test_it_is_alive_without_a_microphone(watch: Watch) -> None:
    """A night without one is no reason to restart every half minute."""
    watch.bench.source.away()
    watch.bench.clock.now_s += 3600.0
    watch.bench.source.away()
    assert watch.monitor.is_alive()


def test_it_is_alive_while_the_microphone_has_stalled(watch: Watch) -> None:
    """Its silence has been declared."""
    watch.hear(0)
    watch.bench.wait_in_vain(10.0)
    assert watch.bench.worker.mic_state is MicState.STALLED
    assert watch.monitor.is_alive()


def test_before_the_first_turn_it_is_not_alive() -> None:
    """A worker that never comes round is no worker."""
    bench = Bench()
    watch = Watch(bench)
    bench.clock.now_s += 5.1
    assert not watch.monitor.is_alive()
    assert watch.monitor.mic_state is MicState.MISSING


def test_a_file_is_online_and_alive_from_its_first_block(make_bench: MakeBench) -> None:
    """No microphone is told as lost where none was asked for."""
    watch = Watch(make_bench(source=HandSource(live=False)))
    for index in range(10):
        watch.hear(index)
        assert watch.monitor.is_alive()
    assert watch.outputs.microphone == [True]
    assert watch.told == []


def test_deaf_seconds_and_losses_outlive_a_reload(watch: Watch, make_bench: MakeBench) -> None:
    """New parts begin at zero, the figures since the start do not; in between it did not run."""
    watch.look()
    watch.bench.hear(Gap(0, 32_000, GapCause.BEHIND))
    watch.bench.source.status = SourceStatus(available=True, description="", overflows=3)
    watch.hear(3)
    watch.lose()
    watch.bench.wait_in_vain(10.0)
    watch.monitor.finish()
    clock = watch.bench.clock
    clock.now_s += 2.0
    after = Watch(make_bench(clock=clock), given=watch.diary)
    after.bench.hear(Gap(0, 16_000, GapCause.BEHIND))
    after.look()
    health = after.monitor.health()
    assert (health.gaps, health.gap_seconds, health.dropped_windows) == (2, 3.0, 3)
    assert health.overflows == 3
    assert health.deaf_seconds["missing"] == pytest.approx(10.0)
    assert health.deaf_seconds["not_running"] == pytest.approx(2.0)
    assert health.deaf_seconds_today == pytest.approx(health.deaf_seconds)
    assert health.uptime_s == pytest.approx(clock.now_s - 100.0)


def test_a_microphone_that_is_missing_while_disarmed_misses_nothing(watch: Watch) -> None:
    """Nobody wanted to hear."""
    watch.look()
    watch.hear(0)
    watch.armed = False
    watch.lose()
    watch.bench.wait_in_vain(10.0)
    watch.look()
    assert watch.monitor.health().deaf_seconds["total"] == 0.0


def test_a_process_that_was_stopped_has_lost_no_microphone(watch: Watch) -> None:
    """SIGSTOP for ten seconds: the main thread looks before the worker has come round."""
    watch.hear(0)
    with hanging(watch.bench):
        watch.bench.clock.now_s += 10.0
        watch.monitor.look()
        assert watch.monitor.mic_state is MicState.OK
    watch.hear(11)
    assert watch.outputs.microphone == [True]
    assert watch.told == []


def test_a_worker_that_hangs_for_good_does_not_count_as_living(watch: Watch) -> None:
    """Killed by the watchdog then, and the whole time counts as not running at the next start."""
    watch.hear(0)
    with hanging(watch.bench):
        for _ in range(20):
            watch.bench.clock.now_s += 1.0
            watch.monitor.look()
        assert watch.bench.clock.now_s - watch.diary.lived_s > 10.0
    watch.look()
    assert watch.diary.lived_s == watch.bench.clock.now_s


def test_a_microphone_unlike_itself_is_a_warning_and_no_fault(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once, in the log and at once in health; it stays available."""
    caplog.set_level("INFO")
    clock = HandClock()
    diary = Diary(Path(os.devnull) / "state", "nursery", clock)
    watch = Watch(make_bench(clock=clock, memory=diary), given=diary)
    watch.bench.source.status = SourceStatus(available=True, description="", device="USB Audio")
    document = Profile().to_document() | {"how": "quieter", "warning": "quieter: covered?"}
    learnt = {"gated_times": 0, "heard_since_gate_s": 0.0, "profile": document}
    diary.remember("USB Audio", learnt)
    watch.hear(0)
    watch.look(after_s=0.1)
    watch.look(after_s=0.1)
    assert watch.outputs.healths[-1].mic_warning == "quieter: covered?"
    assert caplog.text.count("sounds unlike itself: quieter: covered?") == 1
    assert watch.outputs.microphone == [True]
    assert watch.told == []


def test_it_is_not_alive_when_audio_arrives_that_makes_no_window(watch: Watch) -> None:
    """Blocks are taken, but nothing is classified: these are empty."""
    watch.hear(0)
    for index in range(1, 11):
        watch.bench.clock.now_s += 1.0
        whole = noise(index)
        watch.bench.hear(Block(whole.start_sample, whole.samples[:0], 101.0 + index))
    assert watch.bench.worker.mic_state is MicState.OK
    assert not watch.monitor.is_alive()


def test_health_and_status_say_what_is_not_listened_for(watch: Watch) -> None:
    """And why a model stands in, in one text that a person sees."""
    assert watch.monitor.health().model_warning is None
    assert "not listened for" not in watch.monitor.status_line()
    watch.monitor.unheard = ("cough", "siren")
    assert watch.monitor.health().model_warning == "not listened for: cough, siren"
    watch.monitor.model = replace(watch.monitor.model, stands_in="it stands in")
    warning = "it stands in; not listened for: cough, siren"
    assert watch.monitor.health().model_warning == warning
    assert watch.monitor.status_line().endswith(f" | {warning}")
