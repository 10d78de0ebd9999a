"""The trial: no model that is not known gets into our process before a child has survived it."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import ModelError
from detector.core.recognition import SCORES
from detector.model.interpreter import Classifier
from detector.model.modelfile import read_model_file
from detector.model.trial import exercise, open_classifier, try_model
from tests.model.tools import append_labels, slicing_model

MakeModel = Callable[..., Path]
AT_ONCE = 0.001
"""No process starts in so little time."""


def deadly(path: Path) -> Path:
    """A model that the interpreter loads, and dies of."""
    takes = struct.pack("<4i", 3, 0, 1, 2)  # its operator's three inputs
    content = slicing_model().replace(takes, struct.pack("<4i", 3, 0, -1, 2))
    path.write_bytes(content)
    append_labels(path, {"labels.txt": "knock\nring\ncry\n"})
    return path


def test_a_model_of_ones_own_is_tried_and_taken(make_model: MakeModel) -> None:
    """It works as it does without a trial."""
    path = make_model()
    window = np.arange(8000, dtype=np.float32)
    assert np.array_equal(open_classifier(path).scores(window), Classifier(path).scores(window))


def test_a_model_that_kills_the_interpreter_is_one_clear_line(tmp_path: Path) -> None:
    """And this process lives; now and then the interpreter notices in time, and says so itself."""
    path = deadly(tmp_path / "deadly.tflite")
    with pytest.raises(ModelError) as caught:
        open_classifier(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert told.endswith(
        (
            "not to be used, it is damaged or too large: it crashed the interpreter (SIGSEGV)",
            "Tensor at index 1 was optional but was expected",
        )
    )
    assert "\n" not in told


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("kill -SEGV $$", "it is damaged or too large: it crashed the interpreter (SIGSEGV)"),
        ("kill -KILL $$", "it is damaged or too large: it crashed the interpreter (SIGKILL)"),
        ("exit 3", "the interpreter ended its trial with code 3"),
    ],
)
def test_a_trial_that_ends_without_a_word_is_told_by_its_end(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, told: str
) -> None:
    """A signal, or a code."""
    dying = tmp_path / "python"
    dying.write_text(f"#!/bin/sh\n{end}\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    file = read_model_file(make_model())
    with pytest.raises(ModelError) as caught:
        try_model(file)
    assert str(caught.value).startswith(f"{file.path}: not to be used")
    assert str(caught.value).endswith(told)


def test_a_trial_that_takes_too_long_is_ended(make_model: MakeModel) -> None:
    """A model that hangs must not keep the service from starting, or its watchdog waiting."""
    path = make_model(classes=4, labels={"labels.txt": "a\nb\nc\nd\n"})
    with pytest.raises(ModelError, match=r"on trial it was not done within 0\.001 s"):
        open_classifier(path, timeout_s=AT_ONCE)


def test_what_has_passed_is_not_tried_again(make_model: MakeModel) -> None:
    """A reload takes no longer than it must, wherever the file lies now."""
    path = make_model(classes=5, labels={"labels.txt": "a\nb\nc\nd\ne\n"})
    open_classifier(path)
    moved = path.rename(path.with_name("moved.tflite"))
    assert len(open_classifier(moved, timeout_s=AT_ONCE).labels) == 5


@pytest.mark.model
def test_the_official_model_needs_no_trial(model_path: Path) -> None:
    """It is known by its content."""
    assert len(open_classifier(model_path, timeout_s=AT_ONCE).labels) == 521


def test_a_refusal_by_the_interpreter_is_told_in_its_words(make_model: MakeModel) -> None:
    """The trial adds nothing to what is wrong."""
    path = make_model(labels={"labels.txt": "knock\nring\n"})
    with pytest.raises(ModelError, match="no label list fits its 3 classes"):
        open_classifier(path)


def test_a_file_that_changes_meanwhile_is_refused(make_model: MakeModel) -> None:
    """What was judged is what is taken."""
    path = make_model()
    file = read_model_file(path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ModelError, match="SHA-256"):
        try_model(file)


def test_scores_that_are_no_numbers_are_refused(make_model: MakeModel) -> None:
    """They would never reach a threshold, and nobody would know why."""
    classifier = Classifier(make_model())
    assert np.isfinite(classifier.scores(np.zeros(8000, np.float32))).all()
    exercise(classifier)
    nothing = {SCORES: np.full(3, np.nan, np.float32)}
    classifier.outputs = lambda window: nothing  # type: ignore[method-assign] # noqa: ARG005
    with pytest.raises(ModelError, match="no numbers"):
        exercise(classifier)


@pytest.mark.parametrize(
    ("work", "end"),
    [("bytearray(64 << 20)", "MemoryError"), ("exec('while True: pass')", "")],
    ids=["memory", "processor time"],
)
def test_a_child_is_confined(work: str, end: str) -> None:
    """It ends before the machine notices."""
    script = f"from detector.model.trial import confine; confine(32 << 20, 1); {work}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert done.stderr.strip().endswith(end)
