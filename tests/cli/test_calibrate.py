"""``detector calibrate``, as a new user meets it: from a folder of recordings to the daemon."""

import csv
import json
import shutil
import signal
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from detector.config.calibration import CALIBRATION_NAME
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from tests.cli.tools import KNOCK, Commands, daemon, s16, wav

GROUPS = 5
CLAP = KNOCK.replace("  knock:", "  clap:")
"""A sound whose name means no other in anybody's collection, as "knock" does."""


def level(score: float, seed: int, seconds: float = 3.0) -> Samples:
    """For the tiny model: this score throughout, nearly."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ)
    return np.asarray(score + rng.normal(0.0, 0.005, count), np.float32)


@pytest.fixture
def recordings_at_home(detector: Commands) -> Path:
    """Claps that are heard at 0.3 only, on five days, and as many of a quiet room."""
    detector.config(CLAP)
    folder = detector.folder / "recordings"
    for label, score in (("clap", 0.3), ("evening", 0.02)):
        (folder / label).mkdir(parents=True)
        for day in range(GROUPS):
            path = folder / label / f"2026-11-{10 + day + 5 * (label == 'clap')}__180000.wav"
            wav(path, level(score, day + len(label) * 100))
    return folder


MISFIT = """\
version: 1
sounds:
  knock:
    threshold: 0.95
    release_threshold: 0.9
    evidence:
    - classes: [knock]
      calibration:
        method: platt
        fitted_for: {recogniser: %s, hop_seconds: 0.48, pooling: max}
"""


@pytest.mark.timeout(60)
def test_a_calibration_of_another_model_is_told_and_the_daemon_listens_on(
    detector: Commands,
) -> None:
    """By what stands below it; `config check`, `doctor`, log, status and threshold agree."""
    file = detector.folder / CALIBRATION_NAME
    file.write_text(MISFIT % ("ab" * 32))
    said = f"{file}: knock: fitted for the model abababab…, but the model in use is "
    checked = detector("config", "check")
    assert checked.code == 0
    first, second, third = checked.out.splitlines()
    assert first.startswith(said)
    assert "detector calibrate" in first
    assert second.endswith("in order; node here, sounds: knock")
    assert third == f"{file}: none of these sounds"
    assert f"1 sounds not as configured: {file} cannot be used" in detector("doctor").out
    with daemon(detector) as running:
        running.wait()
        running.hear()
        while not (events := detector("history", "--json").out):
            pass
        told = running.status()["evidence"]["knock"]
        assert running.log.count(said) == 1
        assert (
            "threshold of knock is now 0.5"
            in running.client.request("set_threshold", sound="knock", threshold=None)["done"]
        )
        running.end()
    event = json.loads(events.splitlines()[0])
    assert (event["threshold"], event["calibrated"]) == (0.5, False)
    assert told[0] == "the scores of its classes, uncalibrated"
    assert told[1].startswith(f"{file} cannot be used, it was fitted for the model abababab…")


def test_a_head_that_is_not_there_is_told_by_the_check(detector: Commands) -> None:
    """As by the daemon, which would not begin."""
    text = KNOCK.replace("{classes: [knock]}", "{kind: head, head: gone.json, classes: [knock]}")
    path = detector.config(text)
    gone = f"{path.parent / 'gone.json'}: cannot read the head: No such file or directory"
    for command in (("config", "check"), ("run", "--stdin")):
        assert detector(*command, "--config", path).failed(3) == gone


@pytest.mark.timeout(90)
def test_from_recordings_to_a_daemon_that_uses_them(
    detector: Commands, recordings_at_home: Path
) -> None:
    """A clap that was not heard before is heard after, and says that it is calibrated."""
    clap = wav(detector.folder / "new.wav", level(0.3, 7))
    assert "did not fire: 0.3" in detector("explain", clap).out
    done = detector("calibrate", recordings_at_home)
    assert done.code == 0, done.err
    assert done.out.startswith("clap: threshold 0.")
    assert "supports at most" in done.out
    assert (detector.folder / "calibration.html").read_text().startswith("<!doctype html>")
    assert "fired at" in detector("explain", clap).out
    shown = detector("config", "show").out
    assert f"{CALIBRATION_NAME}:" in next(x for x in shown.splitlines() if " threshold: " in x)
    assert f"{CALIBRATION_NAME}: clap" in detector("config", "check").out
    with daemon(detector) as running:
        running.wait()
        assert running.process.stdin is not None
        running.process.stdin.write(s16(level(0.3, 8)))
        running.process.stdin.flush()
        while not (events := detector("history", "--json").out):
            assert running.process.poll() is None
    event = json.loads(events.splitlines()[0])
    assert (event["sound"], event["calibrated"]) == ("clap", True)


def test_a_reload_takes_it_in(detector: Commands, recordings_at_home: Path) -> None:
    """SIGHUP is enough: the next clap is told, and was not before."""
    with daemon(detector) as running:
        running.wait()
        assert detector("calibrate", recordings_at_home).code == 0
        running.process.send_signal(signal.SIGHUP)
        while "configuration read anew" not in running.log:
            assert running.process.poll() is None, running.log
        assert running.process.stdin is not None
        running.process.stdin.write(s16(level(0.3, 8)))
        running.process.stdin.flush()
        while not (events := detector("history", "--json").out):
            assert running.process.poll() is None, running.log
    assert json.loads(events.splitlines()[0])["calibrated"]


def test_a_refusal_writes_nothing_and_loses_nothing(
    detector: Commands, recordings_at_home: Path
) -> None:
    """Each recording that cannot be used is a line, and the file of before stays."""
    assert detector("calibrate", recordings_at_home).code == 0
    out = detector.folder / CALIBRATION_NAME
    before = out.read_bytes()
    wav(recordings_at_home / "clap" / "dead.wav", np.zeros(48_000, np.float32))
    (recordings_at_home / "clap" / "odd.wav").write_bytes(b"odd")
    refused = detector("calibrate", recordings_at_home)
    assert refused.code == 9
    assert len(refused.complaints) == 2
    assert out.read_bytes() == before
    assert {path.name for path in out.parent.iterdir() if path.name.startswith(".")} == set()
    assert detector("calibrate", recordings_at_home, "--skip-unfit").code == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--sound", "clop"), "clop is no sound that is known; did you mean clap?"),
        (("--evening", "nowhere"), "nowhere is not there: record an evening"),
        (("--out", "/"), "/ cannot be written: it is a folder; name a file in it"),
        (("--report", "/nowhere/r.html"), "/nowhere/r.html cannot be written: there is no folder"),
        (("--out", "/nowhere/c.yaml", "--report", "r.html"), "/nowhere/c.yaml cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    detector: Commands, recordings_at_home: Path, arguments: tuple[str, ...], line: str
) -> None:
    """With the name, and what would be right."""
    words = [str(detector.folder / one) if one == "r.html" else one for one in arguments]
    assert detector("calibrate", recordings_at_home, *words).failed(9).startswith(line)


def test_where_the_second_file_cannot_be_written_neither_is(
    detector: Commands, recordings_at_home: Path
) -> None:
    """A report of a calibration that is not in force would mislead."""
    report = detector.folder / "r.html"
    report.write_text("the page of before")
    out = detector.folder / f"{'c' * 250}.yaml"  # no name is left for a draft beside it
    done = detector("calibrate", recordings_at_home, "--out", out, "--report", report)
    assert done.failed(9) == f"{out} cannot be written: File name too long"
    assert report.read_text() == "the page of before"
    assert {path.name for path in report.parent.glob(".*")} == set()


def test_a_folder_of_no_known_name_and_a_sound_that_is_off_are_told(
    detector: Commands, recordings_at_home: Path
) -> None:
    """What was labelled in vain, and what was learnt in vain."""
    detector.config(CLAP + "    enabled: false\n")
    (recordings_at_home / "clop").mkdir()
    wav(recordings_at_home / "clop" / "1.wav", level(0.02, 999))
    done = detector("calibrate", recordings_at_home)
    assert done.code == 0, done.err
    assert "taken for none of them: clop: did you mean clap?" in done.err
    assert "not listened for yet: clap" in done.err


@pytest.mark.parametrize(
    "option", [("--max-false-alarms", "daily"), ("--min-recall", "95"), ("--min-recall",)]
)
def test_a_target_that_is_none_is_wrong_use(detector: Commands, option: tuple[str, ...]) -> None:
    """With what would be one."""
    assert detector("calibrate", "data", *option).code == 2


def test_another_sound_is_added_to_the_file(detector: Commands, recordings_at_home: Path) -> None:
    """What stood there of others stays."""
    out = detector.folder / CALIBRATION_NAME
    out.write_text("version: 1\nsounds: {siren: {threshold: 0.7}}\n")
    assert detector("calibrate", recordings_at_home).code == 0
    told = out.read_text()
    assert "siren:" in told
    assert "clap:" in told


def test_a_calibration_is_not_made_on_top_of_itself(
    detector: Commands, recordings_at_home: Path
) -> None:
    """The same recordings twice give the same curve: it begins from what was before them."""
    out = detector.folder / CALIBRATION_NAME
    curves = []
    for _ in range(2):
        assert detector("calibrate", recordings_at_home).code == 0
        curves.append([x for x in out.read_text().splitlines() if "slope" in x or "offset" in x])
    assert curves[0] == curves[1]


def collected(recordings: Path, label: str, groups: int) -> list[tuple[str, Path]]:
    """The first recording of some groups of a label: (group, path)."""
    by_group: dict[str, Path] = defaultdict()
    with (recordings / "MANIFEST.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["label"] == label and float(row["seconds"]) >= 1.0:
                by_group.setdefault(row["group"], recordings / row["path"])
    return list(by_group.items())[:groups]


def gathered(recordings: Path, data: Path) -> None:
    """A folder per sound, and in it one for each group."""
    for label, groups in (("dog_bark", 8), ("rooster", 5), ("church_bells", 5)):
        for number, (_, path) in enumerate(collected(recordings, label, groups)):
            place = data / label / f"{label}{number}"
            place.mkdir(parents=True)
            shutil.copy(path, place)


@pytest.mark.model
@pytest.mark.recordings
@pytest.mark.timeout(120)
def test_without_a_configuration_it_is_written_where_it_will_be_read(
    bare: Commands, model_path: Path, recordings: Path
) -> None:
    """None is needed, and a file that nothing reads helps nobody."""
    bare.environment["DETECTOR_MODEL"] = str(model_path)
    gathered(recordings, bare.folder / "data")
    done = bare("calibrate", bare.folder / "data", "--skip-unfit")
    assert done.code == 0, done.err
    assert "not listened for yet: dog_bark" in done.err
    assert (bare.folder / "home/.config/detector" / CALIBRATION_NAME).is_file()
    assert CALIBRATION_NAME in bare("config", "check").out


@pytest.mark.model
@pytest.mark.recordings
@pytest.mark.timeout(120)
def test_the_real_model_learns_from_a_handful_of_real_recordings(
    bare: Commands, model_path: Path, recordings: Path
) -> None:
    """Dogs of some groups against roosters and bells; what was learnt is in force at once."""
    bare.environment["DETECTOR_MODEL"] = str(model_path)
    bare.environment["DETECTOR_CONFIG"] = str(
        bare.config(KNOCK.split("sounds")[0] + "sounds: [dog_bark]\n")
    )
    data = bare.folder / "data"
    gathered(recordings, data)
    done = bare("calibrate", data, "--skip-unfit")
    assert done.code == 0, done.err
    assert done.out.startswith("dog_bark: threshold")
    bark = next((data / "dog_bark").rglob("*.flac"))
    document = json.loads(bare("classify", "--json", bark).out)
    assert [one["calibrated"] for one in document["events"] if one["sound"] == "dog_bark"]
