"""Sounds of one's own in the configuration: what cannot be used is left out, and said so."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from detector.config import Config
from detector.config.loader import load_config
from detector.config.own import Unusable, digest_of, find_own, learnt_sound
from detector.core.errors import ConfigError


def written(folder: Path, name: str = "my_bell", **settings: Any) -> Path:
    """The file of a sound, as far as the configuration looks at it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(content(name, **settings))
    return path


def content(name: str = "my_bell", **settings: Any) -> bytes:
    """The same, with settings beside the usual ones."""
    usual = {"label": "Bell", "classes": ["Doorbell"], "threshold": 0.5, "release_threshold": 0.3}
    document = {"sound": name, "settings": {**usual, **settings}}
    return json.dumps({**document, "digest": digest_of(document)}).encode()


def loaded(folder: Path, sounds: str) -> Config:
    """A configuration with these sounds, whose state lies in a folder."""
    path = folder / "detector.yaml"
    path.write_text(f"state_directory: {folder}\nsounds:\n{sounds}")
    return load_config(path, environ={})


def test_what_a_good_file_says_is_taken() -> None:
    """The others of these tests differ from it in one thing each."""
    sound, _ = learnt_sound(Path("my_bell.json"), content())
    assert (sound.label, sound.threshold) == ("Bell", 0.5)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"threshold": 0.2, "release_threshold": 0.9}, "threshold 0.2 is below release_threshold"),
        ({"threshold": 5}, "threshold is not a number from 0.01 to 1"),
        ({"threshold": "0.5"}, "threshold is not a number"),
        ({"classes": []}, "no list of classes"),
        ({"classes": "Doorbell"}, "no list of classes"),
        ({"classes": ["a", "a"]}, "stands twice"),
        ({"classes": [1]}, "a class is not one line"),
        ({"label": "x\n\x1b[31m"}, "label is not one line"),
        ({"label": "x" * 61}, "label is not one line"),
        ({"label": "\ud800"}, "label is not one line"),
        ({"hold_seconds": True}, "hold_seconds is not a number"),
        ({"more": "x" * 1_100_000}, "larger than"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_left_out(
    tmp_path: Path, settings: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason; the other sounds are listened for."""
    with pytest.raises(Unusable, match=reason):
        learnt_sound(Path("my_bell.json"), content(**settings))
    written(tmp_path / "sounds", **settings)
    assert list(loaded(tmp_path, "  siren:\n").sounds) == ["siren"]
    assert "my_bell.json: damaged, so my_bell is not listened for" in caplog.text


@pytest.mark.parametrize("text", ["[1]", "null", '{"settings": "abc"}', "[" * 100_000, "\udcff"])
def test_what_is_no_such_document_is_left_out(tmp_path: Path, text: str) -> None:
    """Whatever it is."""
    path = written(tmp_path)
    path.write_text(text, errors="surrogateescape")
    assert find_own(tmp_path).unusable == {"my_bell"}


@pytest.mark.parametrize(
    "sounds", ["  siren:\n  my_bell: {threshold: 0.7}\n", "  [siren, my_bell]"]
)
def test_settings_of_a_damaged_sound_are_left_out_with_it(
    tmp_path: Path, sounds: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They must not keep the daemon from starting; where they stand is told."""
    path = written(tmp_path / "sounds")
    assert list(loaded(tmp_path, sounds).sounds) == ["siren", "my_bell"]
    path.write_text("junk")
    config = loaded(tmp_path, sounds)
    assert list(config.sounds) == ["siren"]
    line = config.origins["sounds.my_bell"].line
    assert f"detector.yaml:{line}, sounds.my_bell: left out, as the sound itself is" in caplog.text


@pytest.mark.parametrize("name", ["my_bell", "my_doorbell", "my_alarm", "siren_2", "kettle"])
@pytest.mark.parametrize("lines", ["  siren:\n  {}: {{threshold: 0.7}}\n", "  [siren, {}]"])
def test_settings_of_a_sound_that_is_gone_are_left_out(
    tmp_path: Path, name: str, lines: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its file was removed, or the configuration came without it: the others are to be heard."""
    path = written(tmp_path / "sounds", name)
    assert loaded(tmp_path, lines.format(name)).left_out == ()
    path.unlink()
    config = loaded(tmp_path, lines.format(name))
    assert (list(config.sounds), config.left_out) == (["siren"], (name,))
    assert f"sounds.{name}: left out, it is not a shipped sound, and none of your" in caplog.text
    assert f"detector learn {name}" in caplog.text


def test_of_a_sound_whose_takes_are_kept_the_name_is_never_mistyped(tmp_path: Path) -> None:
    """However like a shipped one it is."""
    (tmp_path / "sounds").mkdir()
    lines = "  siren:\n  doorbell2: {threshold: 0.7}\n"
    with pytest.raises(ConfigError, match="did you mean doorbell"):
        loaded(tmp_path, lines)
    (tmp_path / "sounds/doorbell2.takes.json").write_text("{}")
    assert loaded(tmp_path, lines).left_out == ("doorbell2",)


def test_a_damaged_sound_is_among_those_that_are_left_out(tmp_path: Path) -> None:
    """Also where the configuration says nothing of it."""
    written(tmp_path / "sounds").write_text("junk")
    assert loaded(tmp_path, "  siren:\n").left_out == ("my_bell",)


def test_where_nothing_would_be_left_to_listen_for_a_missing_sound_is_an_error(
    tmp_path: Path,
) -> None:
    """A detector that listens for nothing is worse than none."""
    with pytest.raises(ConfigError, match=r"sounds\.kettle: is not a shipped sound"):
        loaded(tmp_path, "  kettle: {threshold: 0.7}\n")


def test_a_mistyped_name_stays_an_error(tmp_path: Path) -> None:
    """Also where the file of another sound is damaged, or nobody can see which there are."""
    written(tmp_path / "sounds").write_text("junk")
    with pytest.raises(ConfigError, match="did you mean doorbell"):
        loaded(tmp_path, "  dorbell: {threshold: 0.7}\n")
    (tmp_path / "sounds/my_bell.json").unlink()
    (tmp_path / "sounds").rmdir()
    (tmp_path / "sounds").write_text("no folder")
    with pytest.raises(ConfigError, match="did you mean doorbell"):
        loaded(tmp_path, "  dorbell: {threshold: 0.7}\n")
    with pytest.raises(ConfigError, match="is not a number"):
        loaded(tmp_path, "  siren: {threshold: much}\n")


def test_a_sound_that_is_told_by_its_own_evidence_needs_no_file(tmp_path: Path) -> None:
    """Nor is it left out with a damaged one of its name."""
    written(tmp_path / "sounds").write_text("junk")
    config = loaded(tmp_path, "  my_bell: {evidence: [{classes: [Doorbell]}]}\n")
    assert list(config.sounds) == ["my_bell"]
    assert "sounds.my_bell" not in config.origins


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not taken for an empty one; what may be a sound in it is left out."""
    (tmp_path / "sounds").write_text("no folder")
    config = loaded(tmp_path, "  siren:\n  my_bell: {threshold: 0.7}\n")
    assert list(config.sounds) == ["siren"]
    assert f"{tmp_path}/sounds cannot be listed: Not a directory" in caplog.text
    assert find_own(tmp_path / "absent") == find_own(tmp_path / "absent as well")


def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody writes into it."""
    os.mkfifo(tmp_path / "my_bell.json")
    (tmp_path / "my_gong.json").mkdir()
    assert find_own(tmp_path).unusable == {"my_bell", "my_gong"}
