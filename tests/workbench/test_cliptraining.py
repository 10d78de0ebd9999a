"""Clip classifiers, learnt and cross-validated."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.core.errors import DataError
from detector.service.clipfile import clip_document, read_clip_file
from detector.workbench import clipmodels
from detector.workbench.clipmodels import Lessons
from detector.workbench.cliptables import clip_page, verdict
from detector.workbench.cliptraining import Order, Result, train
from detector.workbench.cliptrial import Fit, cross_validate

pytest.importorskip("sklearn", reason="the extra `workbench` is not installed")

GROUPS = 12


def lessons(labels: int = 2, *, told_apart: float = 3.0, noise: float = 1.0) -> Lessons:
    """Four clips of each of twelve groups; labels lie apart in the first numbers."""
    rng = np.random.default_rng(7)
    truths = np.repeat(np.arange(GROUPS) % labels, 4)
    features = noise * rng.normal(size=(len(truths), 6))
    features[np.arange(len(truths)), truths] += told_apart
    groups = [f"group {number // 4}" for number in range(len(truths))]
    return Lessons(
        features.astype(np.float32), truths, groups, tuple(f"label {n}" for n in range(labels))
    )


@pytest.mark.parametrize("labels", [2, 3])
def test_the_daemon_computes_what_scikit_learn_does(labels: int) -> None:
    """Of two labels, and of more: the same probabilities, with numpy alone."""
    from sklearn.linear_model import LogisticRegression

    given = lessons(labels)
    learnt = clipmodels.logistic(given)
    standard = (given.features - learnt.mean) / learnt.scale
    counts = np.bincount(given.truths)
    weights = (len(given.truths) / labels / counts)[given.truths]
    found = np.stack([learnt.probabilities(one) for one in given.features])
    theirs = [
        LogisticRegression(C=strength, max_iter=5000)
        .fit(standard.astype(np.float64), given.truths, weights)
        .predict_proba(standard)
        for strength in (1e-3, 1e-2, 1e-1)
    ]
    assert min(np.abs(found - one).max() for one in theirs) < 1e-5
    assert learnt.labels == given.labels


def test_what_is_written_answers_as_what_was_learnt(tmp_path: Path) -> None:
    """The file loses nothing that matters."""
    result = trained(_chirps(tmp_path))
    path = tmp_path / "chirps.json"
    path.write_bytes(clip_document(result.file))
    read = read_clip_file(path)
    features = result.clips.features["mfcc"][0]
    np.testing.assert_allclose(
        read.classifier.probabilities(features),
        result.file.classifier.probabilities(features),
        atol=1e-6,
    )
    assert read.better_than_chance


@pytest.mark.parametrize(
    "fit",
    [clipmodels.fit_logistic, clipmodels.fit_svm, clipmodels.fit_boosting],
    ids=["logistic regression", "support vector machine", "gradient boosting"],
)
def test_what_can_be_told_apart_is(fit: Fit) -> None:
    """By each of them; probabilities are some, and of each label."""
    given = lessons(3)
    likely = fit(given)(given.features)
    assert likely.shape == (len(given.truths), 3)
    np.testing.assert_allclose(likely.sum(axis=1), 1.0)
    trial = cross_validate("x", fit, given, folds=3, shuffles=5)
    assert trial.is_better_than_chance
    assert trial.balanced_accuracy.value > 0.7
    assert trial.confusion.sum(axis=1) == pytest.approx([16.0, 16.0, 16.0])
    assert [trial.chance, trial.usual] == pytest.approx([1 / 3, 1 / 3])


def test_what_belongs_to_a_group_is_not_taken_for_its_label() -> None:
    """Each group's own sound tells its clips, and nothing of anybody else's."""
    rng = np.random.default_rng(3)
    given = lessons(told_apart=0.0, noise=0.1)
    of_groups = np.repeat(rng.normal(size=(GROUPS, 6)), 4, axis=0).astype(np.float32)
    given = Lessons(given.features + of_groups, given.truths, given.groups, given.labels)
    trial = cross_validate("x", clipmodels.fit_logistic, given, folds=3, shuffles=9)
    assert not trial.is_better_than_chance
    assert trial.shuffled.low <= trial.balanced_accuracy.value <= trial.shuffled.high


def test_no_group_stands_on_both_sides_of_a_split() -> None:
    """And every label is learnt from."""
    given = lessons(3)
    for learn, held_out in clipmodels.splits(given, 4, seed=1):
        sides = [{given.groups[row] for row in rows} for rows in (learn, held_out)]
        assert not sides[0] & sides[1]
        assert set(given.truths[learn].tolist()) == {0, 1, 2}


def test_groups_that_cannot_be_split_are_told() -> None:
    """All labels in one group and one other."""
    given = lessons()
    groups = ["one" if truth else "two" for truth in given.truths]
    lone = Lessons(given.features, given.truths, groups, given.labels)
    with pytest.raises(DataError, match="the groups cannot be split"):
        list(clipmodels.splits(lone, 5, seed=0))


def test_a_number_that_never_changes_does_no_harm() -> None:
    """It has no deviation to be divided by."""
    given = lessons()
    given.features[:, 3] = 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learnt = clipmodels.logistic(given)
    assert np.isfinite(learnt.weights).all()


def _chirps(folder: Path) -> Path:
    from tests.workbench.conftest import write

    time_s = np.arange(16_000) / 16_000
    for number in range(9):
        for label, hertz in (("high", 3000.0), ("low", 300.0)):
            rng = np.random.default_rng(number * 2 + len(label))
            tone = 0.2 * np.sin(2 * np.pi * (hertz + 40 * number) * time_s)
            samples = tone + 0.01 * rng.standard_normal(16_000)
            write(folder / "chirps" / label / f"day{number}__x.flac", samples.astype(np.float32))
    return folder / "chirps"


def trained(data: Path, **changes: object) -> Result:
    """What comes of a collection of chirps."""
    usual: dict[str, Any] = {"shuffles": 5, "folds": 3}
    return train(Order(data=[data], name="chirps", **(usual | changes)), None)


def test_a_page_tells_the_figures_and_how_to_get_them(tmp_path: Path) -> None:
    """Data, ways to learn, confusions, a verdict."""
    result = trained(_chirps(tmp_path), compare=True, shuffles=3)
    page = clip_page(result, "detector train mfcc DATA")
    for text in (
        "    detector train mfcc DATA",
        "18 clips of 9 groups",
        "| high | 9 | 9 |",
        "| MFCC, logistic regression | 1.00 [1.00, 1.00] | ",
        "| MFCC, support vector machine | ",
        "| MFCC, gradient boosting | ",
        '| always "high" | 0.50 | – | 0.50 | 1.00 | 0.00 |',
        "| is low | 0.0 | 9.0 |",
        "With labels by chance: the same 3 times over",
    ):
        assert text in page
    assert page.endswith(f"{verdict(result)}\n")
    assert "better than chance" in verdict(result)


def test_the_file_says_what_it_rests_on_and_names_nobody(tmp_path: Path) -> None:
    """Groups by marks; figures; and whether it knows anything."""
    told = trained(_chirps(tmp_path)).file.provenance
    assert len(told["groups"]) == 9
    assert all(mark.startswith("sha256:") for mark in told["groups"])
    assert told["figures"]["clips"] == {"high": 9, "low": 9}
    assert told["figures"]["balanced_accuracy"] == [1.0, 1.0, 1.0]
    assert told["figures"]["chance"] == 0.5


@pytest.mark.recordings
def test_why_a_baby_cries_cannot_be_told(recordings: Path) -> None:
    """Hungry against the rest, by baby: no better than always "hungry", so it is not shipped.

    If this ever fails, docs/reasons.md has to be written anew.
    """
    order = Order(data=[recordings], name="reasons", column="reason", against="hungry", shuffles=5)
    result = train(order, None)
    assert result.clips.labels == ("hungry", "other")
    assert not result.file.better_than_chance
    assert 'not better than always answering "hungry"' in verdict(result)
