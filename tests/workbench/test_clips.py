"""Clips to learn from: read, checked, made features of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import DataError
from detector.core.recognition import Array
from detector.workbench.clips import OTHER, Clips, against_rest, hear, labelled, only
from tests.workbench.conftest import noise, write


def loudness(samples: Samples) -> Array:
    """One number, for features."""
    return np.array([np.abs(samples).mean()], np.float32)


def heard(data: Path, *, skip_unfit: bool = False) -> Clips:
    """The clips of a collection."""
    return hear(labelled([data]), {"loudness": loudness}, skip_unfit=skip_unfit)


@pytest.fixture
def cries(tmp_path: Path) -> Path:
    """Two labels of three babies, one of whom has both."""
    folder = tmp_path / "cries"
    for number, place in enumerate(
        ("hungry/anna", "hungry/ben", "hungry/ben", "tired/anna", "tired/cleo")
    ):
        write(folder / place / f"{number}.flac", noise(1.5, number, 0.1))
    return folder


def test_a_baby_is_one_group_whatever_the_label(cries: Path) -> None:
    """Else what is learnt of anna's hunger would be asked of anna's tiredness."""
    clips = heard(cries)
    assert clips.labels == ("hungry", "tired")
    assert clips.groups == ("anna", "ben", "ben", "anna", "cleo")
    assert clips.truths.tolist() == [0, 0, 0, 1, 1]
    assert [clips.count(label) for label in clips.labels] == [3, 2]
    assert [clips.groups_with(label) for label in clips.labels] == [2, 2]
    assert clips.features["loudness"].shape == (5, 1)


def test_a_column_of_a_manifest_may_hold_the_labels(cries: Path) -> None:
    """Rows where it is empty are left out."""
    rows = ["hungry/anna/0.flac,baby_cry,a,x", "hungry/ben/1.flac,baby_cry,b,"]
    (cries / "MANIFEST.csv").write_text("\n".join(["path,label,group,reason", *rows]) + "\n")
    (found,) = labelled([cries], "reason")
    assert (found.label, found.group, found.path.name) == ("x", "a", "0.flac")
    with pytest.raises(DataError, match=r"MANIFEST\.csv lacks the column why"):
        labelled([cries], "why")


def test_a_folder_has_no_columns(cries: Path) -> None:
    """And says so."""
    with pytest.raises(DataError, match=r"has no column reason: only a manifest \(\.csv\)"):
        labelled([cries], "reason")


def test_one_label_can_be_told_from_the_rest(cries: Path) -> None:
    """They become one."""
    assert {one.label for one in against_rest(labelled([cries]), "tired")} == {"tired", OTHER}
    with pytest.raises(DataError, match="no recording is labelled cold: there are hungry, tired"):
        against_rest(labelled([cries]), "cold")


def test_labels_can_be_chosen(cries: Path) -> None:
    """Each must be there."""
    assert {one.label for one in only(labelled([cries]), ["tired"])} == {"tired"}
    with pytest.raises(DataError, match="no recording is labelled cold"):
        only(labelled([cries]), ["tired", "cold"])


def test_a_strong_label_marks_a_clip(tmp_path: Path) -> None:
    """What lies beside it is not learnt from."""
    samples = np.concatenate([np.zeros(16_000, np.float32), noise(1.0, 1, 0.2)])
    for name in ("a", "b"):
        write(tmp_path / f"{name}.flac", np.roll(samples, 16_000) if name == "b" else samples)
        (tmp_path / f"{name}.txt").write_text("0.0\t1.0\tfirst\n1.0\t2.0\tsecond\n")
    clips = heard(tmp_path)
    assert clips.seconds.tolist() == [1.0] * 4
    assert clips.features["loudness"][:, 0] == pytest.approx([0.0, 0.16, 0.16, 0.0], abs=0.01)


BAD: dict[str, tuple[Samples, str]] = {
    "too short": (noise(0.4, 1, 0.1), "it is too short (0.40 s): a clip needs 0.5 s"),
    "silent": (np.zeros(SAMPLE_RATE_HZ, np.float32), "holds digital silence"),
    "clipped": (np.sign(noise(1.0, 1)).astype(np.float32), "is clipped (100% of it at full scale)"),
    "another's copy": (noise(1.5, 0, 0.1), "is the same recording as"),
}


@pytest.mark.parametrize(("samples", "expected"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_learnt_from_is_named(cries: Path, samples: Samples, expected: str) -> None:
    """In one line, with its file and what would be right; or left out."""
    path = write(cries / "tired/dora/9.flac", samples)
    with pytest.raises(DataError) as caught:
        heard(cries)
    assert expected in str(caught.value)
    assert "9.flac" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    clips = heard(cries, skip_unfit=True)
    assert len(clips.truths) in (4, 5)
    (skipped,) = clips.skipped
    assert skipped.recording.path in (path, cries / "hungry/anna/0.flac")


def test_a_file_without_audio_is_named(cries: Path) -> None:
    """Of zero length, or none at all."""
    (cries / "tired/anna/8.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"8\.wav: .+") as caught:
        heard(cries)
    assert len(str(caught.value).splitlines()) == 1


def _one_label(folder: Path) -> None:
    for path in (folder / "tired").rglob("*.flac"):
        path.unlink()


def _one_group(folder: Path) -> None:
    (folder / "tired/cleo/4.flac").unlink()


def _odd_label(folder: Path) -> None:
    (folder / "tired").rename(folder / "ti\x85red")


def _too_many(folder: Path) -> None:
    for number in range(50):
        write(folder / f"label{number}/anna/{number}.flac", noise(1.0, 100 + number, 0.1))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_odd_label, r"'ti\\x85red' is not a label: 1 to 60 characters of one line"),
        (_too_many, r"there are 52 labels, from hungry on: choose 50 at most \(--label\)"),
        (_one_label, "all are labelled hungry: a classifier needs two labels"),
        (_one_group, r"all recordings of tired are of one group \(anna\)"),
    ],
)
def test_one_label_or_one_group_is_too_little(
    cries: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    """Nothing could be said of what was learnt."""
    spoil(cries)
    with pytest.raises(DataError, match=expected):
        heard(cries)
