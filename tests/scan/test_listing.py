"""Which recordings there are."""

import os
from pathlib import Path

import pytest

from detector.audio.file import readable_suffixes
from detector.scan.listing import list_recordings

SUFFIXES = (".wav", ".flac")


def made(folder: Path, *names: str) -> None:
    """Files of some bytes."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def test_folders_are_searched_to_the_bottom(tmp_path: Path) -> None:
    """In the order of names, whatever the case of a suffix; hidden ones are left."""
    made(tmp_path, "b.wav", "a/deep/er.FLAC", "a/notes.txt", ".hidden/c.wav", "a/._b.wav")
    listing = list_recordings([tmp_path], SUFFIXES)
    assert [found.path for found in listing.recordings] == [
        tmp_path / "b.wav",
        tmp_path / "a/deep/er.FLAC",
    ]
    assert [found.size_bytes for found in listing.recordings] == [5, 14]
    assert listing.problems == []


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    """Its content decides."""
    made(tmp_path, "recording")
    assert len(list_recordings([tmp_path / "recording"], SUFFIXES).recordings) == 1


def test_nothing_is_listed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named twice, relatively, or below a folder that is named too."""
    made(tmp_path, "a.wav")
    monkeypatch.chdir(tmp_path)
    listing = list_recordings([Path("a.wav"), tmp_path, tmp_path / "a.wav"], SUFFIXES)
    assert [found.path for found in listing.recordings] == [Path("a.wav")]


def test_what_is_absent_is_a_problem_and_no_more(tmp_path: Path) -> None:
    """The others are listed."""
    made(tmp_path, "a.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    listing = list_recordings([tmp_path / "absent", tmp_path], SUFFIXES)
    assert [found.path.name for found in listing.recordings] == ["a.wav"]
    assert listing.problems == [
        f"{tmp_path / name} cannot be opened: No such file or directory"
        for name in ("absent", "gone.wav")
    ]


def test_audio_that_is_not_read_is_counted(tmp_path: Path) -> None:
    """So that nobody takes it for heard."""
    made(tmp_path, "a.m4a", "b.M4A", "c.wma", "d.txt")
    assert list_recordings([tmp_path], SUFFIXES).foreign == {".m4a": 2, ".wma": 1}


def test_a_circle_of_links_has_an_end(tmp_path: Path) -> None:
    """Folders that are links are not followed."""
    made(tmp_path, "a/b.wav")
    (tmp_path / "a/up").symlink_to(tmp_path)
    assert len(list_recordings([tmp_path], SUFFIXES).recordings) == 1


def test_a_change_is_noticed(tmp_path: Path) -> None:
    """By size, by time, or because it is gone."""
    made(tmp_path, "a.wav")
    (found,) = list_recordings([tmp_path], SUFFIXES).recordings
    assert not found.has_changed
    os.utime(found.path, ns=(1, 1))
    later = [found.has_changed]
    found.path.unlink()
    assert [*later, found.has_changed] == [True, True]


def test_the_formats_are_those_of_the_file_source() -> None:
    """Asked, not written down twice."""
    assert readable_suffixes() >= {".wav", ".flac", ".ogg", ".mp3"}
    assert all(
        suffix.startswith(".") and suffix == suffix.lower() for suffix in readable_suffixes()
    )
