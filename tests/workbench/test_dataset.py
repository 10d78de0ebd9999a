"""Labelled recordings, in the ways that people keep them."""

from pathlib import Path

import pytest

from detector.core.errors import DataError
from detector.workbench.dataset import LabelledSound, by_sound, groups_of, read_dataset
from tests.workbench.conftest import noise, write


def test_a_folder_per_sound_is_read_with_its_groups(collection: Path) -> None:
    """A subfolder is a group, and so is what stands before two underscores."""
    of_sound = by_sound(read_dataset(collection))
    assert set(of_sound) == {"dog_bark", "door_knock", "keyboard", "room_tone"}
    assert groups_of(of_sound["door_knock"]) == ("door0", "door1", "door2", "door3")
    assert groups_of(of_sound["dog_bark"]) == ("dog_bark/rex0", "dog_bark/rex1")


def test_files_of_the_same_name_in_two_folders_are_two_groups(tmp_path: Path) -> None:
    """1.wav of dogs has nothing to do with 1.wav of cats."""
    for label in ("dog_bark", "cat_meow"):
        write(tmp_path / label / "1.flac", noise(0.1, 1))
    assert groups_of(read_dataset(tmp_path)) == ("cat_meow/1", "dog_bark/1")


def test_a_manifest_is_read(tmp_path: Path) -> None:
    """With groups, lengths and licences."""
    write(tmp_path / "a/x.flac", noise(0.1, 1))
    table = "path,label,group,seconds,licence\na/x.flac,crying baby,anna,0.1,CC0\n"
    (tmp_path / "MANIFEST.csv").write_text(table)
    (recording,) = read_dataset(tmp_path)
    assert (recording.group, recording.seconds, recording.licence) == ("anna", 0.1, "CC0")
    assert recording.meaning.sound == "baby_cry"
    assert read_dataset(tmp_path / "MANIFEST.csv") == (recording,)


def test_strong_labels_of_dcase_are_read(tmp_path: Path) -> None:
    """A file without any event is one in which there is none."""
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, noise(0.1, 1))
    rows = "a.wav\t1.5\t2.0\tDog\na.wav\t0.5\t1.0\tSpeech\nb.wav\t\t\t\n"
    (tmp_path / "labels.tsv").write_text("filename\tonset\toffset\tevent_label\n" + rows)
    first, second = read_dataset(tmp_path)
    assert first.events == (LabelledSound(0.5, 1.0, "speech"), LabelledSound(1.5, 2.0, "dog_bark"))
    assert (second.events, second.is_strong) == ((), True)


def test_label_tracks_of_audacity_are_read(tmp_path: Path) -> None:
    """Beside each file; the lines with frequencies are passed over."""
    write(tmp_path / "night/a.wav", noise(0.1, 1))
    (tmp_path / "night/a.txt").write_text("0.25\t0.75\tdog bark\n\\\t100.0\t200.0\n")
    (recording,) = read_dataset(tmp_path)
    assert recording.label is None
    assert recording.events == (LabelledSound(0.25, 0.75, "dog_bark"),)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("m.csv", "file,label\nx.wav,dog\n", "lacks the column path"),
        ("m.csv", "path,label\nx.wav,\n", "m.csv:2: path and label must not be empty"),
        ("m.csv", "path,label\nx.wav,dog\n", "x.wav is not there"),
        ("m.csv", "path,label,seconds\nx.wav,dog,long\n", "'long' is not a number of seconds"),
        ("m.tsv", "filename\tonset\n", "lacks the column offset"),
        (
            "m.tsv",
            "filename\tonset\toffset\tevent_label\nx.wav\t3\t2\tDog\n",
            "m.tsv:2: Dog ends at 2 s, before it begins",
        ),
        ("m.txt", "", "is not a folder, a manifest"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    """In one line, with what would be right."""
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as refused:
        read_dataset(tmp_path / name)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_recording_without_any_label_is_refused(tmp_path: Path) -> None:
    """Nobody knows what it holds."""
    write(tmp_path / "a.wav", noise(0.1, 1))
    with pytest.raises(DataError, match=r"a\.wav has no label: put it into a folder"):
        read_dataset(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """With the ways to give recordings."""
    with pytest.raises(DataError, match="holds no recordings: give a folder per sound"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["bell.m4a", "bell.AAC", "bell.opus"])
def test_what_a_telephone_records_is_refused_and_not_left_out(tmp_path: Path, name: str) -> None:
    """Silently without it a sound would lack half of its days."""
    write(tmp_path / "doorbell" / "1.wav", noise(0.1, 1))
    (tmp_path / "doorbell" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=rf"{name} is in a format that is not read.*ffmpeg -i"):
        read_dataset(tmp_path)


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """As a file that a table names and that is not there."""
    write(tmp_path / "doorbell" / "1.wav", noise(0.1, 1))
    (tmp_path / "doorbell" / "2.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(DataError, match=r"2\.wav is not there"):
        read_dataset(tmp_path)
