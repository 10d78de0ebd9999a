"""What is done outlives whatever happens."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import DetectorError
from detector.scan.journal import Journal, key_of
from detector.scan.listing import Found
from detector.scan.result import FileResult, HeardSound

SOUND = HeardSound(
    sound="knock",
    onset_s=1.0,
    offset_s=2.0,
    confirmed=True,
    probability=0.9,
    peak_probability=0.9,
    threshold=0.5,
    calibrated=False,
    level_dbfs=-20.0,
    urgency="info",
    reason="data",
    why="0.90 ≥ 0.50",
    classes=(("knock", 0.9), ("ring", 0.1)),
)
ONE, TWO = FileResult(Path("one.wav"), 4.0, (SOUND,)), FileResult(Path("two.wav"), 1.0, (), "cut")


def kept(path: Path, *keys: str) -> list[FileResult]:
    """What a new owner finds."""
    with Journal(path) as journal:
        return list(journal.results((key, Path(f"{key}.wav")) for key in keys))


def journal_of_two(path: Path) -> None:
    """With two files in it."""
    with Journal(path) as journal:
        journal.add("one", ONE)
        journal.add("two", TWO)


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    """In the order that is asked for, with the paths of today."""
    journal_of_two(tmp_path / "journal")
    assert kept(tmp_path / "journal", "two", "none", "one") == [TWO, ONE]


def test_every_cut_of_it_can_be_gone_on_from(tmp_path: Path) -> None:
    """A process that is killed while it writes loses the line at most, and none before or after."""
    path = tmp_path / "journal"
    journal_of_two(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        found = kept(path, "one", "two")
        assert found == [ONE, TWO][: max(0, whole[:length].count(b"\n") - 1)]
        with Journal(path) as journal:
            journal.add("three", replace(ONE, path=Path("three.wav")))
        assert [one.path.stem for one in kept(path, "one", "two", "three")][-1] == "three"
        assert path.read_bytes().endswith(b"\n")
        assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_damaged_line_is_passed_over(tmp_path: Path) -> None:
    """The file is heard again; the others are not."""
    path = tmp_path / "journal"
    journal_of_two(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in (b"\0" * len(lines[1]), b"{}\n", b'{"key": "one", "sounds": [{}]}\n', b"[1]\n"):
        path.write_bytes(lines[0] + damage.rstrip(b"\n") + b"\n" + lines[2])
        assert kept(path, "one", "two") == [TWO]


def test_two_scans_do_not_share_one(tmp_path: Path) -> None:
    """The second is refused, and the first goes on."""
    path = tmp_path / "journal"
    with Journal(path) as first:
        with pytest.raises(DetectorError, match="in use by another scan"), Journal(path):
            pass
        first.add("one", ONE)
    assert kept(path, "one") == [ONE]


@pytest.mark.parametrize("content", ["a diary\n", '{"detector": "journal of scan", "format": 9}\n'])
def test_another_file_is_left_alone(tmp_path: Path, content: str) -> None:
    """It is somebody's."""
    path = tmp_path / "journal"
    path.write_text(content)
    with pytest.raises(DetectorError, match="is not the journal of a scan"), Journal(path):
        pass
    assert path.read_text() == content


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """In one line, before anything is heard."""
    with (
        pytest.raises(DetectorError, match="cannot be written: No such file or directory"),
        Journal(tmp_path / "absent" / "journal"),
    ):
        pass


def test_the_key_names_file_size_time_and_settings() -> None:
    """Any other is another."""
    found = Found(Path("a"), Path("/x/a"), 10, 20)
    others = [
        replace(found, absolute=Path("/y/a")),
        replace(found, size_bytes=11),
        replace(found, modified_ns=21),
    ]
    keys = {key_of(one, "digest") for one in (found, *others)} | {key_of(found, "other")}
    assert len(keys) == 5
    assert key_of(replace(found, path=Path("../x/a")), "digest") in keys
