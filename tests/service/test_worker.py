"""The worker: it reads a source, feeds the pipeline, and does what it is asked in between."""

import logging
import threading
from collections.abc import Callable

import numpy as np
import pytest

from detector.audio.ring import RingBuffer
from detector.core.audio import Block, End, Gap, GapCause, MicState
from detector.core.errors import AudioError, ControlError
from detector.core.events import OffsetReason, Phase
from detector.service.pipeline import Pipeline
from tests.clocks import HandClock
from tests.service.bench import LABELS, PATIENCE_S, YAML, Bench, HandSource, bark, configured
from tests.service.conftest import MakeBench
from tests.service.fakes import ToldRecogniser


def phases(bench: Bench) -> list[tuple[str | None, Phase]]:
    """What was told, in short."""
    return [(event.sound, event.phase) for event in bench.told]


def test_what_is_heard_is_told(bench: Bench) -> None:
    """An onset and, when it has been quiet for long enough, the offset."""
    bench.hear(bark(0), bark(1, 0.0), bark(2, 0.0), bark(3, 0.0))
    assert phases(bench) == [("dog_bark", Phase.ONSET), ("dog_bark", Phase.OFFSET)]
    assert bench.worker.statistics.windows == 4


def test_before_anything_is_heard_there_are_no_figures(bench: Bench) -> None:
    """No invented zero for what a window costs."""
    assert bench.worker.statistics.feed_ms_percentile(50) is None
    assert bench.worker.statistics.disposed_s is None
    assert bench.worker.statistics.level == (-120.0, -120.0)


def test_the_cost_of_a_window_is_measured_by_the_clock(make_bench: MakeBench) -> None:
    """Milliseconds for each window, of which a block can bring several or none."""

    class SlowClock(HandClock):
        """Every look at it takes 5 ms."""

        def monotonic(self) -> float:
            self.now_s += 0.005
            return self.now_s

    bench = make_bench(clock=SlowClock())
    bench.hear(Block(0, np.zeros(32_000, np.float32), 102.0))
    assert bench.worker.statistics.windows == 2
    assert bench.worker.statistics.feed_ms_percentile(50) == pytest.approx(2.5)


def test_the_level_is_that_of_the_newest_block(bench: Bench) -> None:
    """RMS and peak."""
    bench.hear(bark(0, 1.0), bark(1, 0.5))
    rms_dbfs, peak_dbfs = bench.worker.statistics.level
    assert peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert rms_dbfs == pytest.approx(-48.06, abs=0.01)


def test_falling_behind_counts_as_dropped_windows(bench: Bench) -> None:
    """In hops; other losses are gaps too, but nobody's slowness."""
    bench.hear(Gap(0, 3 * 16_000, GapCause.BEHIND), Gap(48_000, 8_000, GapCause.OVERFLOW))
    statistics = bench.worker.statistics
    assert statistics.dropped_windows(16_000) == 3
    assert statistics.dropped_windows(8_000) == 6
    assert statistics.gaps.total() == 2
    assert statistics.samples_lost.total() == 56_000


def test_what_was_skipped_on_purpose_is_disposed_of(bench: Bench) -> None:
    """A worker that is behind and skips is alive; one that lost audio has disposed of none."""
    bench.clock.now_s = 110.0
    bench.hear(Gap(0, 16_000, GapCause.OVERFLOW), Gap(16_000, 16_000, GapCause.SOURCE_LOST))
    assert bench.worker.statistics.disposed_s is None
    bench.hear(Gap(32_000, 16_000, GapCause.BEHIND))
    assert bench.worker.statistics.disposed_s == 110.0


def test_the_recogniser_hears_of_a_gap(bench: Bench) -> None:
    """So that no window spans it."""
    gap = Gap(16_000, 100, GapCause.BEHIND)
    bench.hear(bark(0), gap)
    assert bench.recogniser.fed[-1] is gap


def test_losses_are_logged_ever_more_rarely(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The 1st, 2nd, 4th, 8th …: a bad cable does not fill the journal."""
    bench.hear(*[Gap(index, 1, GapCause.OVERFLOW) for index in range(9)])
    times = [record.getMessage().split(", ")[1] for record in caplog.records]
    assert times == [f"{count} times so far" for count in (1, 2, 4, 8)]


def test_a_request_is_carried_out_on_the_workers_thread(bench: Bench) -> None:
    """The interpreter has one owner."""

    def name(_pipeline: Pipeline) -> str:
        return threading.current_thread().name

    assert bench.ask(name) == "detector-worker"


def test_a_request_that_fails_is_told_and_ends_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """To whoever waits, and to the log, since often nobody does."""
    with pytest.raises(KeyError, match="nonsense"):
        bench.ask(lambda pipeline: pipeline.detectors["nonsense"])
    bench.serve()  # the log line comes just after the answer
    assert "a request to the worker failed" in caplog.text
    bench.hear(bark(0))
    assert phases(bench) == [("dog_bark", Phase.ONSET)]


def test_a_request_that_is_refused_is_no_defect(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """What is forgotten, say: whoever waits is told so, and the log does not cry."""

    def refuse(_pipeline: Pipeline) -> None:
        raise ControlError("that is forgotten")

    with caplog.at_level("DEBUG"), pytest.raises(ControlError, match="that is forgotten"):
        bench.ask(refuse)
    bench.serve()
    told = [(one.levelname, one.getMessage()) for one in caplog.records if "request" in one.msg]
    assert told == [("DEBUG", "a request is refused: that is forgotten")]


def test_requests_are_carried_out_in_order(bench: Bench) -> None:
    """The last word counts."""
    done: list[int] = []

    def note(number: int) -> Callable[[Pipeline], None]:
        return lambda _pipeline: done.append(number)

    for number in range(5):
        bench.worker.submit(note(number))
    bench.serve()
    assert done == [0, 1, 2, 3, 4]


def test_the_pipeline_can_be_replaced_while_it_runs(bench: Bench) -> None:
    """What was on is ended by whoever replaces it; what comes next meets other sounds."""
    bench.hear(bark(0))
    closing = bench.worker.submit(
        lambda pipeline: bench.told.extend(pipeline.close(OffsetReason.RELOADED))
    )
    other = configured(YAML.replace("dog_bark:", "hound:"))
    bench.wait(bench.worker.replace_pipeline(bench.pipeline(other)))
    assert closing.done()
    bench.hear(bark(1))
    assert phases(bench) == [
        ("dog_bark", Phase.ONSET),
        ("dog_bark", Phase.OFFSET),
        ("hound", Phase.ONSET),
    ]


def test_the_end_of_a_file_is_no_failure(make_bench: MakeBench) -> None:
    """It ends the worker."""
    bench = make_bench(source=HandSource(live=False))
    bench.source.give(bark(0), End())
    assert bench.worker.ended.wait(PATIENCE_S)
    assert bench.worker.failure is None


def test_a_microphone_that_ends_is_an_audio_error(bench: Bench) -> None:
    """A live source is to go on for ever."""
    bench.source.give(End("the capture process died"))
    assert bench.worker.ended.wait(PATIENCE_S)
    assert isinstance(bench.worker.failure, AudioError)
    assert "the capture process died" in str(bench.worker.failure)


def test_a_file_that_breaks_off_is_a_failure_without_a_traceback(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """It is expected: one line, told by the command line."""
    bench = make_bench(source=HandSource(live=False))
    bench.source.give(AudioError("damaged"))
    assert bench.worker.ended.wait(PATIENCE_S)
    assert str(bench.worker.failure) == "damaged"
    assert caplog.records == []


def test_a_defect_in_the_pipeline_ends_the_worker_with_a_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Deaf and silent about it is the one thing it must not be."""
    broken = Block(0, bark(0).samples[:1], 101.0)  # fewer scores than there are classes
    bench.source.give(broken)
    assert bench.worker.ended.wait(PATIENCE_S)
    assert isinstance(bench.worker.failure, IndexError | ValueError)
    assert caplog.records[-1].exc_info is not None


def test_starting_and_stopping_twice_is_once(caplog: pytest.LogCaptureFixture) -> None:
    """And there is one thread, that has ended then."""
    bench = Bench()
    bench.worker.start()
    bench.worker.start()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("detector-worker") == 1
    bench.source.give(None)
    assert bench.worker.stop()
    assert bench.worker.stop()
    assert "detector-worker" not in [thread.name for thread in threading.enumerate()]
    assert caplog.records == []


def test_a_worker_that_was_stopped_does_not_begin_again() -> None:
    """Also where it had not begun; what it was asked is done nevertheless."""
    bench = Bench()
    asked = bench.worker.submit(lambda _pipeline: "done")
    assert bench.worker.stop()
    bench.worker.start()
    assert asked.result(0) == "done"
    assert "detector-worker" not in [thread.name for thread in threading.enumerate()]


def test_a_request_that_was_given_up_is_not_carried_out(bench: Bench) -> None:
    """And is no failure: who asked over the control socket waits 4 s, not for ever."""
    done: list[str] = []
    release, busy = threading.Event(), threading.Event()

    def hang(_pipeline: Pipeline) -> None:
        busy.set()
        release.wait(PATIENCE_S)

    bench.worker.submit(hang)
    bench.source.give(None)
    assert busy.wait(PATIENCE_S)
    assert bench.worker.submit(lambda _pipeline: done.append("late")).cancel()
    release.set()
    bench.serve()
    assert done == []
    assert bench.worker.failure is None


def test_requests_that_came_too_late_are_carried_out_at_the_stop() -> None:
    """Nobody waits for ever."""
    bench = Bench()
    bench.worker.start()
    bench.source.settle()
    bench.source.give(End())
    assert bench.worker.ended.wait(PATIENCE_S)
    late = bench.worker.submit(lambda _pipeline: "done")
    bench.worker.stop()
    assert late.result(0) == "done"


def test_a_thread_that_does_not_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """And left with what it owns: the daemon has other things to put away."""
    bench, release, busy = Bench(), threading.Event(), threading.Event()

    def wait(_pipeline: Pipeline) -> None:
        busy.set()
        release.wait(PATIENCE_S)

    bench.worker.start()
    bench.worker.submit(wait)
    bench.source.give(None)
    assert busy.wait(PATIENCE_S)
    assert not bench.worker.stop(timeout_s=0.0)
    release.set()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "detector-worker did not end" in caplog.text
    assert bench.worker.ended.wait(PATIENCE_S)


def test_a_microphone_is_missing_until_it_is_heard(bench: Bench) -> None:
    """And missing again as soon as it says so itself."""
    bench.source.away()
    assert bench.worker.mic_state is MicState.MISSING
    bench.clock.now_s += 7.0
    bench.source.away()
    assert bench.worker.deaf_seconds["missing"] == pytest.approx(7.0)


def test_a_microphone_that_falls_silent_has_stalled(bench: Bench) -> None:
    """It is there, but hands over nothing for 8 s."""
    bench.hear(None)
    bench.wait_in_vain(8.0)
    assert bench.worker.mic_state is MicState.STALLED


def test_a_file_that_is_heard_is_no_missing_microphone(make_bench: MakeBench) -> None:
    """Whatever is in it: it is not judged by its silence, as a microphone would be."""
    bench = make_bench(source=HandSource(live=False))
    bench.hear(*[bark(index, 0.0) for index in range(3)])
    assert bench.worker.mic_state is MicState.OK
    for index in range(60):
        bench.clock.now_s += 1.0
        bench.hear(bark(3 + index, 0.0))
    assert bench.worker.mic_state is MicState.OK
    assert set(bench.worker.deaf_seconds.values()) == {0.0}


def test_a_pipe_that_dries_up_has_stalled_and_recovers(make_bench: MakeBench) -> None:
    """It is judged by whether anything comes."""
    bench = make_bench(source=HandSource(live=False))
    bench.hear(bark(0))
    bench.wait_in_vain(11.0)
    stalled = bench.worker.mic_state
    bench.clock.now_s += 1.0
    bench.hear(bark(1))
    assert (stalled, bench.worker.mic_state) == (MicState.STALLED, MicState.OK)
    assert bench.worker.deaf_seconds["stalled"] == pytest.approx(12.0)


def test_the_worker_says_what_it_works_with(bench: Bench) -> None:
    """For those who watch it."""
    assert bench.worker.source is bench.source
    assert list(bench.worker.pipeline.detectors) == ["dog_bark", "baby_cry"]


class RingSource(HandSource):
    """A live source over a real ring buffer: 3 s of lag, 13 s of room."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = RingBuffer(13.0, 16_000, 3.0)

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """What is in the ring."""
        return self.ring.read(timeout_s)


@pytest.mark.parametrize("stopped_s", [5, 60, 3600])
def test_a_worker_that_was_held_up_goes_on_with_the_newest_window(
    stopped_s: int, make_bench: MakeBench
) -> None:
    """One gap, one window, and no more memory than before, however long it took."""
    source = RingSource()
    bench = make_bench(source=source)
    release, busy, heard = threading.Event(), threading.Event(), threading.Event()

    def hang(_pipeline: Pipeline) -> None:
        busy.set()
        release.wait(PATIENCE_S)

    bench.worker.submit(hang)
    assert busy.wait(PATIENCE_S)
    for index in range(stopped_s):
        bench.clock.now_s += 1.0
        source.ring.write(bark(index, 0.9 if index == stopped_s - 1 else 0.0).samples, 0.0)
    release.set()
    for _ in range(round(PATIENCE_S / 0.02)):
        if bench.told:
            break
        heard.wait(0.02)
    assert phases(bench) == [("dog_bark", Phase.ONSET)]
    assert bench.worker.statistics.windows == 1
    assert bench.worker.statistics.dropped_windows(16_000) == stopped_s - 1
    assert bench.worker.deaf_seconds["behind"] in (0.0, stopped_s - 1.0)
    assert bench.recogniser.fed[0] == Gap(0, (stopped_s - 1) * 16_000, GapCause.BEHIND)


def samples(start: int, count: int) -> Block:
    """Of a room that is really heard."""
    heard = np.random.default_rng(start).normal(0.0, 0.01, count).astype(np.float32)
    return Block(start, heard, 101.0)


def fed(bench: Bench) -> list[tuple[int, int]]:
    """Beginning and end of the blocks that reached the recogniser."""
    return [
        (item.start_sample, item.end_sample)
        for item in bench.recogniser.fed
        if isinstance(item, Block)
    ]


def test_windows_end_with_the_blocks_of_a_microphone(make_bench: MakeBench) -> None:
    """After a gap as well: the head of each stream is left out."""
    bench = make_bench(block_seconds=0.24)  # its windows are of 16,000 samples
    gap = Gap(7680, 100, GapCause.OVERFLOW)
    bench.hear(samples(0, 3840), samples(3840, 3840), gap, samples(7780, 3840))
    assert fed(bench) == [(3200, 3840), (3840, 7680), (7780 + 3200, 7780 + 3840)]


def test_what_is_left_out_may_be_more_than_the_first_block(make_bench: MakeBench) -> None:
    """A resampler may begin with a short one; nothing reaches the recogniser until then."""
    bench = make_bench(block_seconds=0.24)
    bench.hear(samples(0, 400), samples(400, 3800))
    [(begin, end)] = fed(bench)
    assert begin == (400 - 512 - 16_000) % 3840 > 400
    assert end == 4200


def test_another_recogniser_begins_where_its_windows_end_with_blocks(make_bench: MakeBench) -> None:
    """As after a reload that names another model."""
    bench = make_bench(block_seconds=0.24)
    bench.hear(samples(0, 3840))
    bench.wait(bench.worker.replace_pipeline(bench.pipeline(bench.config)))
    bench.hear(samples(3840, 3840))
    assert fed(bench)[-1] == (3840, 7680)  # the same one goes on
    bench.recogniser = ToldRecogniser(LABELS)
    bench.wait(bench.worker.replace_pipeline(bench.pipeline(bench.config)))
    bench.hear(samples(7680, 3840))
    assert fed(bench) == [(7680 + 3200, 11_520)]


def test_of_a_file_nothing_is_left_out(make_bench: MakeBench) -> None:
    """It has no blocks that anybody waits for."""
    bench = make_bench(source=HandSource(live=False), block_seconds=0.24)
    bench.hear(samples(0, 3840))
    assert fed(bench) == [(0, 3840)]


def test_who_should_look_is_told(make_bench: MakeBench) -> None:
    """When the microphone's state has changed, and at the end; not with every block."""
    bench = make_bench()
    bench.hear(*[samples(start, 16_000) for start in range(0, 80_000, 16_000)])
    assert bench.news == [MicState.OK]
    bench.source.away()
    bench.source.give(AudioError("gone"))
    assert bench.worker.ended.wait(PATIENCE_S)
    bench.worker.stop()
    assert bench.news == [MicState.OK, MicState.MISSING, MicState.MISSING]
