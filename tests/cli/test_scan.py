"""Archives to a table and a timeline."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.terminal import Terminal
from tests.cli.tools import PATIENCE_S, Commands, ended, knocking, wav
from tests.scan.conftest import knocks, long_silence


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Twelve recordings with a knock each, in two folders."""
    for name in ("a", "b/c"):
        (tmp_path / "archive" / name).mkdir(parents=True)
        knocks(tmp_path / "archive" / name, 6)
    return tmp_path / "archive"


def table(path: Path) -> list[dict[str, str]]:
    """What stands in it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def finished(path: Path) -> int:
    """How many files a journal has, while it is written."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0


def wait_for(true: Callable[[], bool]) -> None:
    """Until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(pid: int) -> list[int]:
    """The processes that a scan has begun to hear with."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [one for one in map(int, children) if b"spawn_main" in _command(one)]
    except FileNotFoundError:
        return []


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def group_lives(group: int) -> bool:
    """Whether any process of it is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_folder_becomes_a_table_a_timeline_and_a_journal(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """All of them named after the table."""
    out = tmp_path / "out.csv"
    outcome = detector("scan", archive, "--out", out, "--workers", "2")
    assert (outcome.code, outcome.err) == (0, "")
    first, last = outcome.out.splitlines()
    assert first.startswith("12 files, 12 sounds; 0:48.0 heard in ")
    assert last == f"{out}, {tmp_path / 'out.html'}"
    rows = table(out)
    expected = [archive / name / f"knock-{n:02d}.wav" for name in ("a", "b/c") for n in range(6)]
    assert [row["file"] for row in rows] == list(map(str, expected))
    assert {row["sound"] for row in rows} == {"knock"}
    assert (tmp_path / "out.html").read_text().count("<svg") == 12
    assert finished(tmp_path / "out.journal") == 12


def test_a_second_run_hears_only_what_is_new(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """What has changed is new; what is gone is gone; other settings make all new."""
    out = tmp_path / "out.csv"
    options = ("--out", out, "--workers", "1")
    detector("scan", archive, *options)
    wav(archive / "a" / "new.wav", knocking())
    wav(archive / "a" / "knock-00.wav", knocking()[:16_000])
    (archive / "a" / "knock-01.wav").unlink()
    outcome = detector("scan", archive, *options)
    assert outcome.code == 0
    assert outcome.out.startswith("12 files, 11 sounds; 0:05.0 heard in ")
    assert "\n10 files were done before\n" in outcome.out
    names = [Path(row["file"]).name for row in table(out)]
    assert "new.wav" in names
    assert (names.count("knock-00.wav"), names.count("knock-01.wav")) == (1, 1)  # in b/c
    again = detector("scan", archive, *options, "--sounds", "knock,siren")
    assert again.code == 3  # the tiny model has no siren
    detector.config((detector.folder / "detector.yaml").read_text() + "    threshold: 0.95\n")
    other = detector("scan", archive, *options)
    assert other.out.startswith("12 files, 0 sounds; 0:45.0 heard in ")


def test_it_says_what_classify_says(detector: Commands, recording: Path, tmp_path: Path) -> None:
    """The same pipeline: the same sounds at the same times."""
    compare(detector, [recording], tmp_path / "out.csv")


@pytest.mark.model
@pytest.mark.recordings
def test_it_says_what_classify_says_of_real_recordings(
    bare: Commands, model_path: Path, recordings: Path, tmp_path: Path
) -> None:
    """With the real model and all shipped sounds."""
    bare.environment["DETECTOR_MODEL"] = str(model_path)
    names = ("baby_cry", "dog_bark", "siren", "kitchen", "evening")
    files = [file for name in names for file in sorted((recordings / name).glob("*"))[:3]]
    assert len(files) >= 10
    assert compare(bare, files, tmp_path / "out.csv", "--all") >= 10


def compare(detector: Commands, files: list[Path], out: Path, *options: str) -> int:
    """How many sounds both commands tell of these files; they must be the same."""
    outcome = detector("scan", *files, "--out", out, *options)
    assert outcome.code == 0, outcome
    scanned = {
        (row["file"], row["sound"], phase, row[f"{phase}_s"])
        for row in table(out)
        for phase in ("onset", "offset")
        if row["confirmed"] == "true"
    }
    classified = detector("classify", "--json", *files, *options)
    told = {
        (document["file"], event["sound"], event["phase"], str(event[f"{event['phase']}_s"]))
        for document in map(json.loads, classified.out.splitlines())
        for event in document["events"]
        if event["phase"] in ("onset", "offset")
    }
    assert scanned == told
    return len(scanned)


def test_what_cannot_be_heard_is_said_and_passed_over(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """A line each; the others are heard, and the code says so. The next run says it again."""
    (archive / "a" / "broken.wav").write_bytes(b"no audio")
    (archive / "a" / "other.m4a").write_bytes(b"no matter")
    whole = (archive / "a" / "knock-00.wav").read_bytes()
    (archive / "a" / "cut.wav").write_bytes(whole[: len(whole) * 3 // 4])
    out = tmp_path / "out.csv"
    absent = tmp_path / "absent"
    expected = sorted(
        [
            "1 files .m4a are passed over: that format is not read",
            f"{absent} cannot be opened: No such file or directory",
            f"{archive}/a/broken.wav cannot be decoded: it is not WAV, FLAC, OGG or MP3",
            f"{archive}/a/cut.wav is damaged or truncated: it ends after 3.0 s of 4.0 s",
        ]
    )
    for _ in range(2):
        outcome = detector("scan", archive, absent, "--out", out, "--workers", "2")
        assert outcome.code == 4
        told = sorted(line.removeprefix("detector: ") for line in outcome.complaints)
        assert [line[: len(start)] for line, start in zip(told, expected, strict=True)] == expected
        assert "3 could not be heard, or not to their ends: see above" in outcome.out
        assert len(table(out)) == 13


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_scan_goes_on_where_it_was(
    detector: Commands, archive: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """Nothing is lost, nothing comes twice, nobody is left, and no table is half there."""
    out, journal = tmp_path / "out.csv", tmp_path / "out.journal"
    long_silence(archive / "a" / "long.wav", 36_000.0)  # the first to be begun, and never done
    options = ("--out", out, "--workers", "2")
    process = detector.popen("scan", archive, *options, stdin=subprocess.DEVNULL)
    wait_for(lambda: finished(journal) >= 5)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    process.send_signal(how)
    outcome = ended(process, None)
    assert "Traceback" not in outcome.err
    assert outcome.code == {signal.SIGINT: 130}.get(how, -how)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert not out.exists()
    done = finished(journal)
    (archive / "a" / "long.wav").unlink()
    again = detector("scan", archive, *options)
    assert f"\n{done} files were done before\n" in again.out
    assert again.out.startswith(f"12 files, 12 sounds; 0:{4 * (12 - done):04.1f} heard in ")
    assert len({row["file"] for row in table(out)}) == len(table(out)) == 12


def test_ctrl_c_at_a_terminal_says_how_to_go_on(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """All processes of the terminal get it; one line comes of it. Before: a bar."""
    long_silence(archive / "long.wav", 36_000.0)
    with Terminal(rows=24, columns=120) as terminal:
        process = detector.popen(
            "scan", archive, "--out", tmp_path / "out.csv", "--workers", "2",
            stdin=subprocess.DEVNULL, stderr=terminal.slave, own_group=True,
        )  # fmt: skip
        terminal.read_until(lambda shown: "12 of 13 files" in shown and "× real time" in shown)
        os.killpg(process.pid, signal.SIGINT)
        seen = terminal.read_to_end()
        outcome = ended(process, None)
    assert outcome.code == 130
    assert "interrupted, with 12 files done; the same command goes on from there" in seen
    assert "Traceback" not in seen


def test_progress_is_quiet_without_a_terminal(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """Nothing but what is wrong."""
    piped = detector.process("scan", archive, "--out", tmp_path / "out.csv")
    assert (piped.code, piped.err) == (0, "")


def test_a_reader_sees_the_old_table_or_the_new_one(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """A table is replaced, not written over."""
    out = tmp_path / "out.csv"
    detector("scan", archive, "--out", out)
    with out.open(encoding="utf-8") as held:
        wav(archive / "new.wav", knocking())
        detector("scan", archive, "--out", out)
        assert len(held.read().splitlines()) == 13
    assert len(table(out)) == 13


def test_parquet_is_made_of_the_same_journal(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """Without hearing anything again."""
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    detector("scan", archive, "--out", tmp_path / "out.csv")
    outcome = detector("scan", archive, "--out", tmp_path / "out.parquet")
    assert outcome.out.startswith("12 files, 12 sounds; 0:00.0 heard in ")
    assert parquet.read_table(tmp_path / "out.parquet").num_rows == 12


def test_the_time_of_day_is_told_where_the_name_has_it(
    detector: Commands, recording: Path, tmp_path: Path
) -> None:
    """Beside the seconds from the file's beginning."""
    dated = shutil.copy(recording, tmp_path / "20261121_031500.wav")
    detector("scan", dated, "--out", tmp_path / "out.csv")
    (row,) = table(tmp_path / "out.csv")
    assert row["onset"] == f"2026-11-21T03:15:{float(row['onset_s']):06.3f}"
    assert "<h3>2026-11-21</h3>" in (tmp_path / "out.html").read_text()


def test_names_of_odd_bytes_are_files_like_others(
    detector: Commands, recording: Path, tmp_path: Path
) -> None:
    """They are heard, escaped in the table, and what is wrong with them is one line."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"\xff\n.wav", b"\xfe\n.wav"):
        shutil.copy(recording, os.fsdecode(os.fsencode(folder) + b"/" + name))
    Path(os.fsdecode(os.fsencode(folder) + b"/\xfe\n.wav")).write_bytes(b"no audio")
    outcome = detector.process("scan", folder, "--out", tmp_path / "out.csv")
    assert "\\udcfe\\n.wav cannot be decoded" in outcome.failed(4)
    (row,) = table(tmp_path / "out.csv")
    assert row["file"].endswith("\\udcff\n.wav")


@pytest.mark.parametrize(
    ("options", "failure"),
    [
        (("--out", "a.txt"), (1, "--out a.txt: the name of a csv table ends in .csv")),
        (("--out", "a.csv", "--format", "parquet"), (1, "a parquet table ends in .parquet")),
        (
            ("--out", "knocking.wav"),
            (1, "--out knocking.wav: the name of a csv table ends in .csv"),
        ),
        (("--out", "absent/a.csv"), (1, "absent/a.journal cannot be written: No such file")),
        (("--sounds", "knok"), (3, "--sounds knok: is no sound; did you mean knock?")),
        (("--model", "absent.tflite"), (5, "absent.tflite")),
        (("--config", "absent.yaml"), (3, "absent.yaml")),
        (("--scheduler", "nowhere"), (1, "--scheduler nowhere: write")),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line(
    detector: Commands,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    failure: tuple[int, str],
) -> None:
    """Before anything is heard, and nothing is written over."""
    if "--scheduler" in options:
        pytest.importorskip("distributed")
    if "parquet" in options:
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(recording.parent)
    (code, said), before = failure, recording.read_bytes()
    assert said in detector("scan", recording.name, *options).failed(code)
    assert recording.read_bytes() == before


def test_a_folder_without_a_recording_is_an_error(detector: Commands, tmp_path: Path) -> None:
    """Somebody has named the wrong one."""
    (tmp_path / "empty").mkdir()
    outcome = detector("scan", tmp_path / "empty", "--out", tmp_path / "out.csv")
    assert outcome.failed(4) == f"no recording in {tmp_path / 'empty'}"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("a", "--workers", "0"),
        ("a", "--sounds", ","),
        ("a", "--format", "xls"),
        ("a", "--all", "--sounds", "b"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_with_the_usage(bare: Commands, options: tuple[str, ...]) -> None:
    """And code 2."""
    outcome = bare("scan", *options)
    assert outcome.code == 2
    assert outcome.err.startswith("usage: detector scan")


def test_a_scan_never_hears_while_another_does(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """Of the same table: the second is refused."""
    long_silence(archive / "long.wav", 36_000.0)
    out = tmp_path / "out.csv"
    process = detector.popen("scan", archive, "--out", out, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: finished(out.with_suffix(".journal")) > 0)
        assert "is in use by another scan" in detector("scan", archive, "--out", out).failed(1)
    finally:
        process.send_signal(signal.SIGINT)
        ended(process, None)


def test_a_silent_archive_has_an_empty_table(detector: Commands, tmp_path: Path) -> None:
    """With its heading."""
    wav(tmp_path / "quiet.wav", np.zeros(16_000, np.float32))
    outcome = detector("scan", tmp_path / "quiet.wav", "--out", tmp_path / "out.csv")
    assert outcome.code == 0
    assert table(tmp_path / "out.csv") == []


def test_ctrl_c_ends_a_cluster_of_our_own_too(
    detector: Commands, archive: Path, tmp_path: Path
) -> None:
    """With one line, and without a process left."""
    pytest.importorskip("distributed")
    long_silence(archive / "long.wav", 36_000.0)
    out = tmp_path / "out.csv"
    process = detector.popen(
        "scan", archive, "--out", out, "--scheduler", "local", "--workers", "2",
        environment={"PYTHONWARNINGS": "ignore"}, stdin=subprocess.DEVNULL, own_group=True,
    )  # fmt: skip
    wait_for(lambda: finished(out.with_suffix(".journal")) == 12)
    os.killpg(process.pid, signal.SIGINT)
    outcome = ended(process, None)
    assert outcome.failed(130).startswith("interrupted, with 12 files done")
    wait_for(lambda: not group_lives(process.pid))
