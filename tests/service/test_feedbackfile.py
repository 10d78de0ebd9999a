"""What people said of a sound, on the disk: whole, bounded, its owner's, and taken back exactly."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import ControlError
from detector.core.events import Judgement
from detector.events.heads import Sphere
from detector.events.veto import Veto
from detector.service.correction import Example
from detector.service.feedbackfile import MOST_EXAMPLES, MOST_STEPS, FeedbackFile, Told
from detector.service.overrides import BY_FEEDBACK, ThresholdOverride
from tests.service.wrongness import moment, towards

MODEL = "a" * 64
OVERRIDE = ThresholdOverride(0.7, 0.6, BY_FEEDBACK)
VETO = Veto(Sphere(np.zeros(16, np.float32), np.ones(16, np.float32)), towards(2) / 4.1, 0.8)


def example(number: int, event: str = "", judgement: Judgement = Judgement.WRONG) -> Example:
    """A moment of two windows."""
    embeddings = towards(number % 16, 2)
    kept = moment(0.25, 0.5, embeddings=embeddings)
    kept = replace(kept, starts_s=kept.starts_s + number)
    return Example(judgement, event, f"2026-01-01T00:00:{number:02}.000Z", kept)


def steps(count: int) -> Told:
    """So many things that were said."""
    told = Told(MODEL)
    for number in range(count):
        told = told.with_example(example(number), OVERRIDE).settled(0.7, VETO)
    return told


def test_what_was_said_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Each example, the veto, and the steps; by its owner only."""
    file = FeedbackFile(tmp_path / "feedback-nursery", "bell", MODEL)
    file.write(steps(3))
    written = file.path.read_bytes()
    file.write(file.read())
    assert file.path.read_bytes() == written
    example_read = file.read().examples[1]
    assert example_read.moment.embeddings[0].argmax() == 1
    assert example_read.moment.probabilities.tolist() == [0.25, 0.5]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_moment_without_embeddings_is_kept_too(tmp_path: Path) -> None:
    """Of the model that comes with the detector, which gives none."""
    bare = Example(Judgement.MISSED, "", "2026", moment(0.1, 0.2))
    file = FeedbackFile(tmp_path, "bell", MODEL)
    file.write(Told(MODEL).with_example(bare, None).settled(0.5, None))
    assert file.read().examples[0].moment.embeddings.shape == (2, 0)


def test_what_another_model_heard_means_nothing(tmp_path: Path) -> None:
    """Its embeddings are no embeddings of this one."""
    file = FeedbackFile(tmp_path, "bell", MODEL)
    file.write(steps(1))
    assert FeedbackFile(tmp_path, "bell", "b" * 64).read().examples == ()


def test_the_last_step_is_taken_back_exactly() -> None:
    """Examples and veto; as often as steps are kept."""
    told = steps(8)
    for number in range(7, 7 - MOST_STEPS, -1):
        told = told.without_last()
        assert [one.at for one in told.examples] == [one.at for one in steps(number).examples]
        assert (told.veto is None) is (number == 0)
    with pytest.raises(ControlError, match="nothing to take back"):
        told.without_last()


def test_no_more_is_kept_than_there_is_room_for() -> None:
    """The oldest goes; taken back, it is there again."""
    told = steps(MOST_EXAMPLES + 3)
    assert len(told.examples) == MOST_EXAMPLES
    assert told.examples[0].at == example(3).at
    assert told.without_last().examples[0].at == example(2).at


def test_many_words_never_push_out_the_few_against_them() -> None:
    """What was right protects the sound: it stays, however often something was wrong."""
    told = Told(MODEL)
    for number in range(3):
        right = example(number, judgement=Judgement.RIGHT)
        told = told.with_example(right, None).settled(0.7, None)
    for number in range(3, 3 + 2 * MOST_EXAMPLES):
        told = told.with_example(example(number % 60, f"e{number}"), None).settled(0.7, None)
    assert len(told.examples) == MOST_EXAMPLES
    assert [one.judgement for one in told.examples].count(Judgement.RIGHT) == 3


def test_files_of_evidence_that_is_long_gone_are_forgotten(tmp_path: Path) -> None:
    """Those in use last stay; another sound's are not touched."""
    FeedbackFile(tmp_path, "bell_tower", MODEL).write(steps(1))
    for number in range(5):
        file = FeedbackFile(tmp_path, "bell", f"{number:064x}"[::-1])
        file.write(steps(1))
        os.utime(file.path, (number, number))
    names = sorted(one.name[:6] for one in tmp_path.iterdir())
    assert names == ["bell-2", "bell-3", "bell-4", "bell_t"]


def test_of_one_event_the_last_word_counts() -> None:
    """Who was wrong about what was wrong says right."""
    first = Told(MODEL).with_example(example(0, "an-event"), None).settled(0.7, None)
    second = first.with_example(
        Example(Judgement.RIGHT, "an-event", "later", moment(0.5)), None
    ).settled(0.6, None)
    assert [one.judgement for one in second.examples] == [Judgement.RIGHT]
    assert [one.judgement for one in second.without_last().examples] == [Judgement.WRONG]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("examples"),
        lambda d: d.update(version=2),
        lambda d: d["examples"][0].update(judgement="perhaps"),
        lambda d: d["examples"][0]["probabilities"].pop(),
        lambda d: d["examples"][0]["embeddings"].update(shape=[2, 17]),
        lambda d: d["examples"][0]["embeddings"].update(base64="?"),
        lambda d: d["veto"].update(at=2),
        lambda d: d["veto"].update(scale=d["veto"]["centre"]),
        lambda d: d["steps"][0].update(override={"value": 7, "replaced": 0.5}),
        lambda d: d["steps"][0].update(examples=["of none"]),
        lambda d: d["examples"].extend(d["examples"] * 40),
    ],
)
def test_a_damaged_file_is_set_aside(
    tmp_path: Path, damage: "object", caplog: pytest.LogCaptureFixture
) -> None:
    """With a line; what was said is forgotten, and the daemon goes on."""
    file = FeedbackFile(tmp_path, "bell", MODEL)
    file.write(steps(1))
    document = json.loads(file.path.read_text())
    assert callable(damage)
    damage(document)
    file.path.write_text(json.dumps(document))
    assert file.read().examples == ()
    assert "damaged; set aside" in caplog.text
    assert "what was said of bell is forgotten" in caplog.text
    assert not file.path.exists()


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """And nothing is half written."""
    (tmp_path / f"bell-{MODEL[:16]}.new").mkdir()
    with pytest.raises(
        ControlError, match=r"bell-a+\.json: cannot be written; nothing was changed"
    ):
        FeedbackFile(tmp_path, "bell", MODEL).write(steps(1))
