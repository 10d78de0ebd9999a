"""``detector record``: from a file, from the running service, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.tools import KNOCK, Commands, daemon, knocking, wav


@pytest.mark.timeout(60)
def test_what_is_heard_is_recorded_under_its_name(detector: Commands) -> None:
    """For so long as is asked for."""
    heard = wav(detector.folder / "k.wav", knocking(1.0))
    out = detector.folder / "mine"
    done = detector(
        "record", "--sound", "knock", "--minutes", "0.01", "--file", heard, "--out", out
    )
    assert done.code == 0, done.err
    (path,) = [Path(line) for line in done.out.splitlines()]
    assert path.parent == out / "knock"
    samples, _ = soundfile.read(path, dtype="float32")
    assert samples == pytest.approx(knocking(0.6), abs=1e-3)
    assert "0:00.6 of knock recorded" in done.err


def test_without_a_name_it_is_an_evening(detector: Commands) -> None:
    """That is: none of the sounds."""
    heard = wav(detector.folder / "k.wav", knocking(0.2))
    done = detector("record", "--file", heard, "--out", detector.folder)
    assert Path(done.out.strip()).parent == detector.folder / "evening"


def test_a_name_that_is_none_is_refused(detector: Commands) -> None:
    """Before anything is recorded: also one that would leave the folder."""
    for name in ("../up", "Baby Cry"):
        told = detector("record", "--sound", name, "--out", detector.folder)
        assert "is not a name for a sound" in told.failed(1)


def test_nothing_heard_is_told(detector: Commands, tmp_path: Path) -> None:
    """An empty file is an error of its own."""
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 16_000)
    told = detector("record", "--file", empty, "--out", detector.folder)
    assert "holds no audio" in told.failed(4)


def test_why_nothing_is_heard_is_told_once(detector: Commands) -> None:
    """And not four times a second: by the source, and where it ends."""
    detector.config(f"{KNOCK}audio: {{source: microphone, device: no such thing}}\n")
    told = detector("record", "--minutes", "0.0001", "--out", detector.folder / "mine")
    reason = told.failed(4)
    assert reason.startswith("nothing was heard, nothing is recorded: ")
    assert told.err.splitlines().count(reason.partition(": ")[2]) == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("most_kib", [0, 4])
def test_a_disk_that_takes_nothing_is_one_line(detector: Commands, most_kib: int) -> None:
    """And leaves neither an empty file nor the folders that were to hold it."""
    noise = 0.3 * np.random.default_rng(1).standard_normal(32_000).astype(np.float32)
    heard, out = wav(detector.folder / "n.wav", noise), detector.folder / "mine" / "own"
    script = f'ulimit -f {most_kib}; detector record --file "$1" --out "$2"'
    told = detector.shell(script, heard, out)
    assert "cannot be written" in told.failed(4)
    assert not out.parent.exists()


@pytest.mark.timeout(60)
def test_a_disk_that_takes_no_more_keeps_what_it_has(detector: Commands) -> None:
    """As far as it goes; the folder that was there stays, whatever is in it."""
    noise = 0.3 * np.random.default_rng(1).standard_normal(160_000).astype(np.float32)
    heard, out = wav(detector.folder / "n.wav", noise), detector.folder / "mine"
    out.mkdir()
    told = detector.shell('ulimit -f 100; detector record --file "$1" --out "$2"', heard, out)
    assert "cannot be written" in told.failed(4)
    (path,) = (out / "evening").iterdir()
    assert path.stat().st_size > 50_000
    assert told.out.splitlines() == [str(path)]


@pytest.mark.timeout(60)
def test_the_running_service_hands_over_what_it_hears(detector: Commands) -> None:
    """And says in its log that somebody records, and has ceased to."""
    out = detector.folder / "mine"
    with daemon(detector) as running:
        running.wait()
        recording = detector.popen("record", "--minutes", "0.05", "--out", out)
        while "begins to record" not in running.log:
            assert recording.poll() is None
        running.hear()
        assert recording.wait(30) == 0
        recording.communicate()
        running.hear()
        while "has ceased to record" not in running.log:
            pass
    (path,) = (out / "evening").iterdir()
    samples, _ = soundfile.read(path, dtype="float32")
    assert samples == pytest.approx(knocking(3.0), abs=1e-3)
