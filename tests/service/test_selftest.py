"""Self-tests over a worker that hears what it is given."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import pytest

from detector.alerts.messages import SelfTestReport
from detector.audio.tone import LEAD_SECONDS, tone_samples
from detector.config import Config, SelfTestConfig
from detector.core.audio import SAMPLE_RATE_HZ, Block, MicState, Samples
from detector.core.errors import AudioError, ControlError
from detector.core.events import Event, EventKind, Urgency
from detector.core.level import rms_dbfs
from detector.core.recognition import SCORES, Observation
from detector.service.build import build_pipeline
from detector.service.eventmaker import EventMaker
from detector.service.pipeline import Pipeline
from detector.service.proofs import Limits
from detector.service.selftest import SelfTests
from tests.audio.tools import noise
from tests.clocks import HandClock
from tests.service.bench import LABELS, PATIENCE_S, Bench, NotedOutputs
from tests.service.bench import noise as room
from tests.service.conftest import MakeBench
from tests.service.fakes import ToldRecogniser

QUICK = Limits(settle_s=0.0, model_s=PATIENCE_S, broker_s=0.05, poll_s=0.01)
TONE_LABELS = (*LABELS, "Dial tone")


class ToneRecogniser(ToldRecogniser):
    """Knows the tone by its level; as sure of it as it is told to be, live and given directly."""

    def __init__(self, live: float, direct: float, labels: tuple[str, ...] = TONE_LABELS) -> None:
        super().__init__(labels)
        self._sure, self._direct = live, direct

    def fresh(self) -> "ToneRecogniser":
        """One that is given the tone directly."""
        return ToneRecogniser(self._direct, self._direct, self._labels)

    def _observation(self, block: Block, start: int) -> Observation:
        seen = super()._observation(block, start)
        heard = rms_dbfs(block.samples[start : start + 16_000]) > -30.0
        scores = np.zeros(len(self._labels), np.float32)
        scores[-1] = self._sure if heard else 0.0
        return Observation(seen.start_s, seen.end_s, {**seen.outputs, SCORES: scores})


@dataclass
class Loudspeaker:
    """Plays into the bench's microphone, in a room of this loudness."""

    bench: Bench
    played: Samples = field(default_factory=tone_samples)
    room_amplitude: float = 0.001
    outputs: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def __call__(
        self, output: str, *, playing: Callable[[], None], cancelled: Callable[[], bool]
    ) -> None:
        """Play; or fail."""
        self.outputs.append(output)
        assert not cancelled()
        if self.failure is not None:
            raise self.failure
        playing()
        begun_s = 1.0 + LEAD_SECONDS
        samples = noise(6.0, amplitude=self.room_amplitude)
        begin = round(begun_s * SAMPLE_RATE_HZ)
        samples[begin : begin + len(self.played)] += self.played
        first_s = self.bench.clock.now_s - 1.0
        for start in range(0, len(samples), 8_000):
            captured_s = first_s + (start + 8_000) / SAMPLE_RATE_HZ
            # After what was heard before this: on the one sample index.
            self.bench.hear(Block(160_000 + start, samples[start : start + 8_000], captured_s))


class ToldOutputs(NotedOutputs):
    """Outputs that acknowledge, or do not, and keep the reports."""

    def __init__(self, clock: HandClock, config: Config | None = None) -> None:
        super().__init__(clock, config)
        self.acknowledges = True
        self.reports: list[SelfTestReport] = []

    @property
    def last_error(self) -> str | None:
        """What is wrong with the broker."""
        return None if self.acknowledges else "the broker is away"

    def is_delivered(self, event_id: str) -> bool:
        """As told."""
        del event_id
        return self.acknowledges

    def set_self_test(self, report: SelfTestReport) -> None:
        """Keep it."""
        self.reports.append(report)


class Laboratory:
    """Self-tests, with all that they need."""

    def __init__(
        self,
        bench: Bench,
        *,
        live: float = 0.9,
        direct: float = 0.9,
        labels: tuple[str, ...] = TONE_LABELS,
    ) -> None:
        self.bench = bench
        self.recogniser = ToneRecogniser(live, direct, labels)
        pipeline = build_pipeline(bench.config, [self.recogniser], clock=bench.clock)
        bench.wait(bench.worker.replace_pipeline(pipeline))
        self.outputs = ToldOutputs(bench.clock)
        self.speaker = Loudspeaker(bench)
        self.told: list[Event] = []

    def self_tests(self, output: str | None = None, at: str | None = None) -> SelfTests:
        """Configured so."""
        return SelfTests(
            SelfTestConfig(at=at, output=output),
            worker=self.bench.worker,
            outputs=self.outputs,
            clock=self.bench.clock,
            events=EventMaker(node="nursery", clock=self.bench.clock),
            tell=self.told.extend,
            play=self.speaker,
            limits=QUICK,
        )

    def wait(self, future: "Future[SelfTestReport]") -> SelfTestReport:
        """The worker goes on meanwhile."""
        while not future.done():
            self.bench.serve()
        return future.result()

    def result(self, output: str | None = None) -> SelfTestReport:
        """What a self-test finds."""
        self_tests = self.self_tests(output)
        report = self.wait(self_tests.start("command"))
        self_tests.finish()
        return report


@pytest.fixture
def laboratory(bench: Bench) -> Laboratory:
    """One in which everything works."""
    bench.hear(room(0))
    return Laboratory(bench)


def verdicts(report: SelfTestReport) -> list[bool]:
    """Microphone, model, broker."""
    assert list(report.steps) == ["microphone", "model", "broker"]
    return [step.passed for step in report.steps.values()]


def test_without_a_loudspeaker_it_says_so_and_gives_the_tone_to_the_model(
    laboratory: Laboratory,
) -> None:
    """Nothing is played; the rest of the way is proven."""
    report = laboratory.result()
    assert verdicts(report) == [True, True, True]
    microphone, model, broker = (step.detail for step in report.steps.values())
    assert microphone == (
        "ok: the old microphone, level -40 dBFS; no loudspeaker is set (selftest.output), "
        "so no tone was played"
    )
    assert model == "Dial tone 0.90 for the tone, given to it directly"
    assert broker.startswith("acknowledged within 0.0 s")
    assert laboratory.speaker.outputs == []


def test_with_a_loudspeaker_the_tone_is_heard_and_recognised(laboratory: Laboratory) -> None:
    """Through the microphone, by the recogniser that listens anyway."""
    report = laboratory.result("kitchen speaker")
    assert verdicts(report) == [True, True, True]
    assert laboratory.speaker.outputs == ["kitchen speaker"]
    detail = report.steps["microphone"].detail
    assert detail.startswith("carried the tone played through kitchen speaker: -16 dBFS for 2.5 s")
    assert report.steps["model"].detail == "Dial tone 0.90 through the room"
    assert laboratory.bench.ask(lambda pipeline: pipeline.listener) is None


def test_what_passed_is_an_event_and_a_state(laboratory: Laboratory) -> None:
    """A quiet one."""
    report = laboratory.result()
    (event,) = laboratory.told
    assert (event.kind, event.urgency, event.reason) == (
        EventKind.SELF_TEST,
        Urgency.INFO,
        "passed",
    )
    assert laboratory.outputs.reports == [report]
    assert (report.passed, report.trigger) == (True, "command")


def test_a_tone_that_does_not_come_back_is_the_microphones_failure(
    laboratory: Laboratory, caplog: pytest.LogCaptureFixture
) -> None:
    """It is urgent, and in the log; the model is still tried, with the tone itself."""
    laboratory.speaker.played = np.zeros(100, np.float32)
    report = laboratory.result("speaker")
    assert verdicts(report) == [False, True, True]
    assert "did not come back" in report.steps["microphone"].detail
    assert "given to it directly" in report.steps["model"].detail
    (event,) = laboratory.told
    assert event.urgency is Urgency.URGENT
    assert event.reason == f"failed: microphone: {report.steps['microphone'].detail}"
    assert "self-test, microphone FAILED" in caplog.text


def test_a_loudspeaker_that_cannot_play_is_told(laboratory: Laboratory) -> None:
    """In its own words."""
    laboratory.speaker.failure = AudioError("selftest.output speaker is not there; there is none")
    report = laboratory.result("speaker")
    assert verdicts(report) == [False, True, True]
    assert report.steps["microphone"].detail.startswith("selftest.output speaker is not there")
    assert laboratory.bench.ask(lambda pipeline: pipeline.listener) is None


def test_a_defect_is_a_failure_and_in_the_log(
    laboratory: Laboratory, caplog: pytest.LogCaptureFixture
) -> None:
    """As loud as any other."""
    laboratory.speaker.failure = ZeroDivisionError("oops")
    report = laboratory.result("speaker")
    assert "ZeroDivisionError" in report.steps["microphone"].detail
    assert "bug: a step of the self-test failed" in caplog.text


def test_a_clear_tone_that_is_not_recognised_is_the_models_failure(bench: Bench) -> None:
    """Although it knows the tone itself: something on the way spoils it."""
    report = Laboratory(bench, live=0.1).result("speaker")
    assert verdicts(report) == [True, False, True]
    assert report.steps["model"].detail == (
        "the tone was clear, but not recognised: Dial tone 0.10 through the room"
    )


def test_a_tone_that_others_drown_is_given_to_the_model_directly(bench: Bench) -> None:
    """A loud room at ten in the morning is no defect."""
    laboratory = Laboratory(bench, live=0.1)
    laboratory.speaker.room_amplitude = 0.02
    report = laboratory.result("speaker")
    assert verdicts(report) == [True, True, True]
    assert report.steps["model"].detail.endswith("other sounds drowned the tone")


@pytest.mark.parametrize("direct", [0.0, 0.29, float("nan")])
def test_a_model_that_does_not_know_the_tone_fails(bench: Bench, direct: float) -> None:
    """Also one that gives no numbers."""
    bench.hear(room(0))
    assert verdicts(Laboratory(bench, direct=direct).result()) == [True, False, True]


def test_a_model_without_such_classes_need_only_answer(bench: Bench) -> None:
    """One's own, of other sounds."""
    bench.hear(room(0))
    report = Laboratory(bench, labels=LABELS).result()
    assert verdicts(report) == [True, True, True]
    assert report.steps["model"].detail == "it answered; it has no class for the tone"


def test_without_such_classes_nothing_is_said_of_what_came_through_the_room(bench: Bench) -> None:
    """Nothing drowned what it could not have known."""
    bench.hear(room(0))
    report = Laboratory(bench, labels=LABELS).result("speaker")
    assert verdicts(report) == [True, True, True]
    assert report.steps["model"].detail == "it answered; it has no class for the tone"


def test_a_microphone_that_is_away_fails(laboratory: Laboratory) -> None:
    """Whether a loudspeaker is set or not."""
    laboratory.bench.source.away("unplugged")
    assert laboratory.bench.worker.mic_state is MicState.MISSING
    report = laboratory.result()
    assert verdicts(report) == [False, True, True]
    assert report.steps["microphone"].detail.startswith("missing: unplugged")


def test_a_microphone_that_brings_too_little_fails(laboratory: Laboratory) -> None:
    """Played, and nothing arrived."""

    def play(output: str, *, playing: Callable[[], None], cancelled: Callable[[], bool]) -> None:
        del output, cancelled
        playing()

    laboratory.speaker = play  # type: ignore[assignment]
    report = laboratory.result("speaker")
    assert report.steps["microphone"].detail.endswith("too little was heard to tell")


def test_a_broker_that_does_not_acknowledge_fails_and_hears_of_it_later(
    laboratory: Laboratory,
) -> None:
    """In bounded time; the last word that waits for it is that it failed."""
    laboratory.outputs.acknowledges = False
    report = laboratory.result()
    assert verdicts(report) == [True, True, False]
    assert report.steps["broker"].detail == "not acknowledged within 0.05 s: the broker is away"
    assert [event.reason for event in laboratory.told] == [
        "passed",
        "failed: broker: not acknowledged within 0.05 s: the broker is away",
    ]
    assert laboratory.told[0].id != laboratory.told[1].id


def test_sounds_are_decided_meanwhile(laboratory: Laboratory) -> None:
    """What is heard during a self-test is heard: the windows go through the same pipeline."""
    before = laboratory.bench.ask(lambda pipeline: pipeline.windows)
    laboratory.result("speaker")
    after = laboratory.bench.ask(lambda pipeline: pipeline.windows)
    assert after - before == 12  # six seconds in blocks of half a second


def test_a_second_self_test_is_refused_while_one_runs(laboratory: Laboratory) -> None:
    """And taken once it has ended."""
    laboratory.outputs.acknowledges = False
    self_tests = laboratory.self_tests()
    running = self_tests.start("button")
    with pytest.raises(ControlError, match="a self-test is running already"):
        self_tests.start("command")
    assert laboratory.wait(running).trigger == "button"
    self_tests.finish()
    assert not laboratory.wait(self_tests.start("command")).passed


def test_a_self_test_is_broken_off_when_the_daemon_stops(laboratory: Laboratory) -> None:
    """Whoever waits is told; nothing is told as failed that was not tried."""
    begun = threading.Event()

    def play(output: str, *, playing: Callable[[], None], cancelled: Callable[[], bool]) -> None:
        del output, playing
        begun.set()
        while not cancelled():
            laboratory.bench.serve()
        raise AudioError("playing was broken off")

    laboratory.speaker = play  # type: ignore[assignment]
    self_tests = laboratory.self_tests("speaker")
    future = self_tests.start("command")
    while not begun.is_set():
        laboratory.bench.serve()
    self_tests.finish()
    with pytest.raises(ControlError, match="was broken off"):
        laboratory.wait(future)
    assert (laboratory.told, laboratory.outputs.reports) == ([], [])
    assert not [one for one in threading.enumerate() if one.name == "detector-selftest"]


def test_a_worker_that_does_not_answer_fails_in_bounded_time(make_bench: MakeBench) -> None:
    """Nothing is being heard."""
    bench = make_bench()
    laboratory = Laboratory(bench)
    release = threading.Event()
    bench.worker.submit(lambda _pipeline: release.wait(PATIENCE_S))
    bench.source.give(None)
    self_tests = SelfTests(
        SelfTestConfig(at=None),
        worker=bench.worker,
        outputs=laboratory.outputs,
        clock=bench.clock,
        events=EventMaker(node="nursery", clock=bench.clock),
        tell=laboratory.told.extend,
        limits=Limits(model_s=0.05, broker_s=0.05),
    )
    report = self_tests.start("command").result(PATIENCE_S)
    release.set()
    assert report.steps["model"].detail == "the worker does not answer: nothing is being heard"


def test_broken_off_before_the_worker_answers_nobody_hears_along(make_bench: MakeBench) -> None:
    """The request still waits in the worker's queue: all that is heard would be kept for ever."""
    bench = make_bench()
    laboratory = Laboratory(bench)
    asked, release = threading.Event(), threading.Event()

    def be_busy(_pipeline: Pipeline) -> None:
        asked.set()
        release.wait(PATIENCE_S)

    bench.worker.submit(be_busy)
    bench.source.give(None)
    assert asked.wait(PATIENCE_S)
    self_tests = laboratory.self_tests("speaker")
    future = self_tests.start("command")
    self_tests.finish()
    release.set()
    with pytest.raises(ControlError, match="was broken off"):
        future.result(PATIENCE_S)
    assert bench.ask(lambda pipeline: pipeline.listener) is None


def test_one_who_waits_no_longer_does_not_spoil_it(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's patience ends after 16 s; the result is told all the same."""
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    self_tests = laboratory.self_tests()
    future = self_tests.start("command")
    assert not future.cancel()
    assert laboratory.wait(future).passed
    self_tests.finish()
    assert failures == []


def test_a_machine_without_room_for_a_thread_refuses_it(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an answer: the daemon goes on, and tries the next time."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    self_tests = laboratory.self_tests()
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        with pytest.raises(ControlError, match="can't start new thread"):
            self_tests.start("button")
    assert laboratory.wait(self_tests.start("button")).passed
    self_tests.finish()


def test_it_runs_by_itself_at_its_time_of_day(laboratory: Laboratory) -> None:
    """And is marked as that."""
    clock = laboratory.bench.clock
    at = (clock.wall().astimezone()).strftime("%H:%M")
    clock.now_s -= 60.0
    self_tests = laboratory.self_tests(at=at)
    self_tests.look()
    assert laboratory.told == []
    clock.now_s += 60.0
    self_tests.look()
    while not laboratory.outputs.reports:
        laboratory.bench.serve()
    self_tests.look()
    self_tests.finish()
    assert [report.trigger for report in laboratory.outputs.reports] == ["schedule"]


def test_without_a_time_it_never_runs_by_itself(laboratory: Laboratory) -> None:
    """Null is never."""
    self_tests = laboratory.self_tests(at=None)
    for _ in range(48):
        laboratory.bench.clock.now_s += 3600.0
        self_tests.look()
    assert laboratory.told == []
