"""The second stage of a sound: asked once it is told, answered in an update."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from detector.config.loader import parse_config
from detector.core.audio import Block, Gap, GapCause, Source
from detector.core.errors import ConfigError
from detector.core.events import Event, OffsetReason, Phase
from detector.core.recognition import EMBEDDING, Observation, RecogniserSpec
from detector.service.aside import Aside
from detector.service.build import build_pipeline
from detector.service.pipeline import Pipeline
from detector.service.secondstage import Ask, at_once
from detector.service.worker import Worker
from tests.clocks import HandClock
from tests.service.bench import LABELS
from tests.service.clipmaking import by_embedding, by_loudness, write_clip_file
from tests.service.fakes import ToldRecogniser

PATIENCE_S = 5.0
YAML = """
node: nursery
sounds:
  dog_bark:
    evidence: [{classes: [Bark]}]
    threshold: 0.5
    release_threshold: 0.3
    confirm_seconds: 0
    hold_seconds: 2
    second_stage: {classifier: loudness.json, seconds: 3}
"""


class Seeing(ToldRecogniser):
    """A recogniser that also gives an embedding: of each second, 0 and its score for Bark."""

    @property
    def spec(self) -> RecogniserSpec:
        """With one output more."""
        plain = super().spec
        outputs = {**plain.outputs, EMBEDDING: (2,)}
        return RecogniserSpec(plain.content_hash, outputs, plain.labels, 16_000, 16_000)

    def _observation(self, block: Block, start: int) -> Observation:
        found = super()._observation(block, start)
        seen = np.array([0.0, block.samples[start + 1]], np.float32)
        return Observation(found.start_s, found.end_s, {**found.outputs, EMBEDDING: seen})


def second(index: int, score: float, level: float = 0.0) -> Block:
    """A second of noise at a level, that begins with a score for Bark."""
    noise = level * np.random.default_rng(index).standard_normal(16_000)
    samples = noise.astype(np.float32)
    samples[:4] = (0.0, score, 0.0, 0.0)
    return Block(index * 16_000, samples, 101.0 + index)


def pipeline(folder: Path, ask: Ask | None = at_once, yaml: str = YAML) -> Pipeline:
    """One sound with a second stage, whose file lies in a folder."""
    yaml = yaml.replace("classifier: ", f"classifier: {folder}/")
    config = parse_config(yaml, "test.yaml")
    return build_pipeline(config, [Seeing(LABELS)], clock=HandClock(), ask=ask)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a classifier in it."""
    write_clip_file(tmp_path, by_loudness())
    return tmp_path


def feed(line: Pipeline, *blocks: Block | Gap) -> list[Event]:
    """All events that they bring."""
    return [event for block in blocks for event in line.feed(block)]


def phases(events: list[Event]) -> list[Phase]:
    """In order."""
    return [event.phase for event in events]


def test_the_answer_comes_as_an_update_of_the_event(folder: Path) -> None:
    """When so much was heard as it wants; the onset is not kept waiting for it."""
    line = pipeline(folder)
    (onset,) = feed(line, second(0, 0.0), second(1, 0.9, 0.2))
    assert (onset.phase, onset.second_stage) == (Phase.ONSET, None)
    assert 1.0 <= onset.onset_s <= 2.0
    assert feed(line, second(2, 0.9, 0.2), second(3, 0.9, 0.2)) == []
    (update,) = feed(line, second(4, 0.9, 0.2))
    assert (update.phase, update.id, update.sound) == (Phase.UPDATE, onset.id, "dog_bark")
    assert (update.onset_utc, update.detection) == (onset.onset_utc, onset.detection)
    found = update.second_stage
    assert found is not None
    assert (found.classifier, found.heard_s) == ("loudness", 3.0)
    assert [one.label for one in found.labels] == ["loud", "quiet"]
    assert found.labels[0].probability > 0.9
    assert sum(one.probability for one in found.labels) == pytest.approx(1.0)


def test_it_is_asked_of_the_sound_alone_and_once(folder: Path) -> None:
    """Not of what was before it, however loud; and not again while it goes on."""
    line = pipeline(folder)
    before = [second(index, 0.0, 0.3) for index in range(3)]
    events = feed(line, *before, *(second(index, 0.9) for index in range(3, 12)))
    assert phases(events) == [Phase.ONSET, Phase.UPDATE]
    assert events[1].second_stage is not None
    assert events[1].second_stage.labels[0].label == "quiet"


def test_the_end_of_the_sound_tells_it_again(folder: Path) -> None:
    """So that what stands in Home Assistant afterwards still has it."""
    line = pipeline(folder)
    barks = [second(index, 0.9, 0.2) for index in range(4)]
    onset, update, offset = feed(line, *barks, *(second(index, 0.0) for index in range(4, 8)))
    assert phases([onset, update, offset]) == [Phase.ONSET, Phase.UPDATE, Phase.OFFSET]
    assert offset.second_stage == update.second_stage is not None


def test_a_sound_that_ends_early_is_asked_about_as_it_is(folder: Path) -> None:
    """The update follows the end, and says when that was."""
    line = pipeline(folder, yaml=YAML.replace("seconds: 3", "seconds: 20"))
    quiet = [second(index, 0.0) for index in range(2, 6)]
    onset, offset, update = feed(line, second(0, 0.9, 0.2), second(1, 0.9, 0.2), *quiet)
    assert phases([onset, offset, update]) == [Phase.ONSET, Phase.OFFSET, Phase.UPDATE]
    assert update.offset_utc == offset.offset_utc is not None
    assert update.reason is None
    assert update.second_stage is not None
    assert offset.offset_s is not None
    assert update.second_stage.heard_s == pytest.approx(offset.offset_s - onset.onset_s)


def test_disarming_ends_the_sound_and_asks(folder: Path) -> None:
    """Whatever ends it."""
    line = pipeline(folder)
    feed(line, second(0, 0.9, 0.2))
    assert phases(line.set_armed(armed=False)) == [Phase.OFFSET, Phase.UPDATE]


def test_of_too_little_nothing_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Half a second is the least; the log tells it."""
    caplog.set_level(logging.INFO)
    line = pipeline(folder)
    feed(line, second(0, 0.9, 0.2))
    line._stages._heard.clear()  # noqa: SLF001 - as after a source that was away for long
    events = line.close(OffsetReason.STOPPED)
    assert phases(events) == [Phase.OFFSET]
    assert "dog_bark: too little was heard of it to ask its second stage" in caplog.text


def test_it_hears_the_longest_stretch_without_a_gap(folder: Path) -> None:
    """No window spans a gap, and neither do features."""
    line = pipeline(folder, yaml=YAML.replace("seconds: 3", "seconds: 6"))
    early = second(0, 0.9, 0.2)
    gap = Gap(16_000, 16_000, GapCause.OVERFLOW)
    events = feed(line, early, gap, *(second(index, 0.9) for index in range(2, 7)))
    (update,) = [event for event in events if event.phase is Phase.UPDATE]
    assert update.second_stage is not None
    assert update.second_stage.heard_s == 4.0
    assert update.second_stage.labels[0].label == "quiet"


def test_an_embedding_is_that_of_the_windows_of_the_sound(folder: Path) -> None:
    """Those that lie in its audio."""
    write_clip_file(folder, by_embedding())
    events = feed(pipeline(folder), *(second(index, 0.9) for index in range(4)))
    (update,) = [event for event in events if event.phase is Phase.UPDATE]
    assert update.second_stage is not None
    assert (update.second_stage.labels[0].label) == "second"


def test_one_of_another_model_is_left_out_and_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sound itself is told as ever."""
    write_clip_file(folder, by_embedding("f" * 64))
    line = pipeline(folder)
    assert phases(feed(line, *(second(index, 0.9) for index in range(5)))) == [Phase.ONSET]
    assert "dog_bark: the second stage is left out: it was fitted for the model" in caplog.text


def test_one_that_knows_nothing_is_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever switches it on all the same has been told."""
    write_clip_file(folder, by_loudness(better_than_chance=False))
    pipeline(folder)
    assert "loudness has not been shown to be better than chance" in caplog.text


def test_a_damaged_file_is_refused(folder: Path) -> None:
    """At start and at reload, as any wrong setting is."""
    (folder / "loudness.json").write_text("{")
    with pytest.raises(ConfigError, match=r"loudness\.json: is not JSON"):
        pipeline(folder)


def test_who_does_not_ask_pays_nothing(folder: Path) -> None:
    """Evaluations and scans hear sounds alone, and read no file of it."""
    (folder / "loudness.json").write_text("{")
    line = pipeline(folder, ask=None)
    assert phases(feed(line, *(second(index, 0.9) for index in range(5)))) == [Phase.ONSET]
    assert not line._stages._heard  # noqa: SLF001 - memory is what is at stake


def test_audio_is_kept_for_half_a_minute(folder: Path) -> None:
    """And no longer."""
    line = pipeline(folder)
    feed(line, *(second(index, 0.0) for index in range(100)))
    kept = line._stages._heard  # noqa: SLF001 - memory is what is at stake
    assert 30 <= len(kept) <= 32


class Waiting:
    """Keeps what is asked for, until it is told to answer."""

    def __init__(self) -> None:
        self.questions: list[Callable[[], None]] = []

    def ask(self, question: Callable[[], None]) -> None:
        """Later."""
        self.questions.append(question)

    def answer(self) -> None:
        """Now."""
        for question in self.questions:
            question()
        self.questions.clear()


def test_a_slow_answer_keeps_nobody_waiting(folder: Path) -> None:
    """The pipeline goes on; an answer that comes after the end says when that was."""
    slow = Waiting()
    line = pipeline(folder, slow.ask)
    barks = [second(index, 0.9, 0.2) for index in range(4)]
    events = feed(line, *barks, *(second(index, 0.0) for index in range(4, 8)))
    assert phases(events) == [Phase.ONSET, Phase.OFFSET]
    assert events[1].second_stage is None
    slow.answer()
    (update,) = feed(line, second(8, 0.0))
    assert (update.phase, update.offset_utc) == (Phase.UPDATE, events[1].offset_utc)


@pytest.fixture
def aside() -> Iterator[Aside]:
    """Stopped at the end."""
    aside = Aside()
    yield aside
    aside.stop()


def test_a_thread_of_its_own_answers(folder: Path, aside: Aside) -> None:
    """The same answer, a block later."""
    answered = threading.Event()
    names: list[str] = []

    def ask(question: Callable[[], None]) -> None:
        def work() -> None:
            question()
            names.append(threading.current_thread().name)
            answered.set()

        aside.ask(work)

    line = pipeline(folder, ask)
    events = feed(line, *(second(index, 0.9, 0.2) for index in range(4)))
    assert answered.wait(PATIENCE_S)
    events += feed(line, second(4, 0.9, 0.2))
    assert phases(events) == [Phase.ONSET, Phase.UPDATE]
    assert names == ["detector-aside"]


def test_what_fails_aside_is_told_and_the_next_is_done(
    aside: Aside, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of one question is not that of all."""

    def fail() -> None:
        raise RuntimeError("no")

    done = threading.Event()
    aside.ask(fail)
    aside.ask(done.set)
    assert done.wait(PATIENCE_S)
    assert "bug: what was asked for aside failed" in caplog.text


def test_stopping_finishes_what_was_asked_for(aside: Aside) -> None:
    """And takes nothing more; twice is as good as once."""
    done: list[int] = []
    for number in range(3):
        aside.ask(lambda number=number: done.append(number))  # type: ignore[misc]
    aside.stop(PATIENCE_S)
    aside.stop()
    aside.ask(lambda: done.append(9))
    assert done == [0, 1, 2]


def test_what_was_asked_before_a_reload_is_answered_after_it(folder: Path) -> None:
    """By the pipeline that takes the old one's place, and by the one after that."""
    slow = Waiting()
    old = pipeline(folder, slow.ask)
    events = feed(old, *(second(index, 0.9, 0.2) for index in range(2)))
    (offset,) = old.close(OffsetReason.RELOADED)
    new, newer = (pipeline(folder, slow.ask) for _ in range(2))
    new.stages.follow(old.stages)
    newer.stages.follow(new.stages)
    slow.answer()
    (update,) = feed(newer, second(2, 0.0))
    assert (update.phase, update.id) == (Phase.UPDATE, events[0].id)
    assert update.offset_utc == offset.offset_utc
    assert not newer.stages.is_awaiting
    assert feed(newer, second(3, 0.0)) == []


def test_a_sound_that_is_long_confirmed_is_asked_about_from_its_beginning(folder: Path) -> None:
    """Audio is kept for so long where a sound asks for it."""
    long = "confirm_seconds: 40\n    confirm_within_seconds: 60"
    line = pipeline(folder, yaml=YAML.replace("confirm_seconds: 0", long))
    events = feed(line, *(second(index, 0.9, 0.2) for index in range(50)))
    assert phases(events) == [Phase.ONSET, Phase.UPDATE]
    assert events[1].second_stage is not None
    assert events[1].second_stage.heard_s == 3.0


def test_the_worker_hands_what_was_asked_on_to_the_next_pipeline(folder: Path) -> None:
    """At every change of the sounds."""
    slow = Waiting()
    old, new = (pipeline(folder, slow.ask) for _ in range(2))
    worker = Worker(
        source=cast(Source, None), pipeline=old, clock=HandClock(), on_events=lambda _: None
    )
    feed(old, *(second(index, 0.9, 0.2) for index in range(2)))
    old.close(OffsetReason.RELOADED)
    worker.replace_pipeline(new)
    assert worker.stop()
    slow.answer()
    assert phases(feed(worker.pipeline, second(2, 0.0))) == [Phase.UPDATE]
