"""What was set at run time, on disk: kept whole, or set aside; never a reason not to start."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from detector.service.overrides import Overrides, ThresholdOverride, state_directory
from tests.service.bench import configured

FILE_NAME = "overrides-nursery.json"


def loaded(folder: Path) -> Overrides:
    """What a new run finds there."""
    overrides = Overrides(folder, "nursery")
    overrides.load()
    return overrides


def test_what_was_set_is_found_again(tmp_path: Path) -> None:
    """Thresholds with what they replaced, and the armed switch."""
    overrides = Overrides(tmp_path / "state", "nursery")
    overrides.set_threshold("dog_bark", 0.8, configured=0.5)
    overrides.set_armed(armed=False)
    overrides.save()
    again = loaded(tmp_path / "state")
    assert again.thresholds == {"dog_bark": ThresholdOverride(0.8, 0.5)}
    assert not again.armed


def test_without_a_file_nothing_is_overridden(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first start is no occasion for a warning."""
    overrides = loaded(tmp_path)
    assert overrides.armed
    assert overrides.thresholds == {}
    assert caplog.records == []


def test_the_file_is_for_nobody_else(tmp_path: Path) -> None:
    """Nor is a folder that had to be made; nothing is left beside it."""
    overrides = Overrides(tmp_path / "state", "nursery")
    overrides.set_armed(armed=False)
    overrides.save()
    assert overrides.path.stat().st_mode & 0o777 == 0o600
    assert overrides.directory.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in overrides.directory.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"armed"',
        "\0" * 64,
        '{"thresholds": []}',
        '{"thresholds": {"siren": 0.5}}',
        '{"thresholds": {"siren": {"value": 0.5}}}',
        '{"thresholds": {"siren": {"value": null, "replaced": 0.5}}}',
        '{"thresholds": {"siren": {"value": 1.5, "replaced": 0.5}}}',
        '{"thresholds": {"siren": {"value": NaN, "replaced": 0.5}}}',
        '{"thresholds": {"siren": {"value": 1' + "0" * 400 + ', "replaced": 0.5}}}',
        '{"armed": null}',
        '{"armed": "no"}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """Nothing is overridden then, above all not the armed switch; what was there can be seen."""
    (tmp_path / FILE_NAME).write_text(text)
    overrides = loaded(tmp_path)
    assert overrides.armed
    assert overrides.thresholds == {}
    assert "damaged; set aside as" in caplog.text
    assert (tmp_path / "overrides-nursery.damaged").read_text() == text
    assert not overrides.path.exists()


def test_bytes_that_are_no_text_are_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a power cut."""
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\x00{")
    assert loaded(tmp_path).armed
    assert "set aside" in caplog.text


def test_a_damaged_file_that_cannot_be_set_aside_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and that is all."""
    (tmp_path / FILE_NAME).write_text("{")
    (tmp_path / "overrides-nursery.damaged").mkdir()
    assert loaded(tmp_path).armed
    assert "cannot be set aside" in caplog.text


def test_a_file_that_cannot_be_read_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the system's reason."""
    (tmp_path / FILE_NAME).mkdir()
    assert loaded(tmp_path).armed
    assert "cannot be read (Is a directory)" in caplog.text


def test_a_directory_that_cannot_be_written_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was set holds until the next start."""
    (tmp_path / "file").write_text("in the way")
    overrides = Overrides(tmp_path / "file" / "state", "nursery")
    overrides.set_threshold("dog_bark", 0.8, configured=0.5)
    overrides.save()
    assert overrides.thresholds["dog_bark"].value == 0.8
    assert "cannot be written (Not a directory)" in caplog.text


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The new one takes its place only when it is complete."""
    overrides = Overrides(tmp_path, "nursery")
    overrides.set_threshold("dog_bark", 0.8, configured=0.5)
    overrides.save()
    before = overrides.path.read_text()
    overrides.path.with_suffix(".new").mkdir()
    overrides.set_threshold("dog_bark", 0.9, configured=0.5)
    overrides.save()
    assert overrides.path.read_text() == before
    assert "cannot be written" in caplog.text


def test_what_could_not_be_written_is_written_by_a_later_save(tmp_path: Path) -> None:
    """The disk may have been full for a while; nobody sets the threshold twice."""
    overrides = Overrides(tmp_path, "nursery")
    overrides.path.with_suffix(".new").mkdir()
    overrides.set_threshold("dog_bark", 0.9, configured=0.5)
    assert not overrides.save()
    overrides.path.with_suffix(".new").rmdir()
    assert overrides.save()
    assert loaded(tmp_path).thresholds["dog_bark"].value == 0.9


def test_what_was_set_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on the disk before it takes its name, and its name before it counts as saved."""
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append(f"{path.name}, named: {(tmp_path / FILE_NAME).exists()}")

    monkeypatch.setattr(os, "fsync", sync)
    overrides = Overrides(tmp_path, "nursery")
    overrides.set_armed(armed=False)
    assert overrides.save()
    assert synced == ["overrides-nursery.new, named: False", f"{tmp_path.name}, named: True"]


def test_nothing_is_written_where_nothing_was_set(tmp_path: Path) -> None:
    """A card has a limited life."""
    overrides = Overrides(tmp_path, "nursery")
    overrides.save()
    assert not overrides.path.exists()
    overrides.set_armed(armed=True)
    overrides.save()
    overrides.path.unlink()
    overrides.save()
    assert not overrides.path.exists()


def test_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    """A later version may have written them."""
    document = {"version": 2, "armed": False, "thresholds": {}, "lamp": "green"}
    (tmp_path / FILE_NAME).write_text(json.dumps(document))
    assert not loaded(tmp_path).armed


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/home/x"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/x"}, "/state/detector"),
        ({"HOME": "/home/x"}, "/home/x/.local/state/detector"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/x"}, "/home/x/.local/state/detector"),
        ({}, f"{Path.home()}/.local/state/detector"),
    ],
)
def test_state_lies_where_systemd_or_the_user_keeps_it(
    environ: Mapping[str, str], expected: str
) -> None:
    """Where the configuration says nothing."""
    assert state_directory(configured(), environ) == Path(expected)


def test_the_configured_state_directory_comes_first(tmp_path: Path) -> None:
    """Before systemd's."""
    config = replace(configured(), state_directory=tmp_path)
    assert state_directory(config, {"STATE_DIRECTORY": "/var/lib/detector"}) == tmp_path
