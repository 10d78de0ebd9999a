"""Sounds of one's own on the disk: whole or not at all, and read as they were written."""

import json
from pathlib import Path

import numpy as np
import pytest

from detector.config.loader import load_config
from detector.config.own import own_sounds
from detector.config.render import effective_config
from detector.core.errors import ConfigError, DataError
from detector.service.heads import settle_heads
from detector.service.ownsounds import OwnSounds, bundle_of, sounds_in, write_file
from tests.service.soundmaking import SPEC, kept, own_sound


@pytest.fixture
def store(tmp_path: Path) -> OwnSounds:
    """With one sound in it."""
    made = OwnSounds(tmp_path / "state" / "sounds")
    made.write([own_sound("my_bell")])
    return made


def test_what_is_written_is_read_again(store: OwnSounds) -> None:
    """Head, settings and takes."""
    before, after = own_sound("my_bell"), store.read("my_bell")
    assert store.names() == ["my_bell"]
    assert np.allclose(after.head.weights, before.head.weights, rtol=1e-2, atol=1e-3)
    assert after.settings == before.settings
    assert [take.digest for take in after.takes] == [take.digest for take in kept(5)]
    assert np.allclose(after.takes[0].heard.embeddings, before.takes[0].heard.embeddings, atol=2e-3)


def test_files_are_for_their_owner_alone_and_no_draft_is_left(store: OwnSounds) -> None:
    """Embeddings of a home are nobody else's business."""
    files = sorted(store.folder.iterdir())
    assert [path.name for path in files] == ["my_bell.json", "my_bell.takes.json"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_write_that_fails_leaves_everything_as_it_was(store: OwnSounds) -> None:
    """A folder stands where a file should: found before the first takes its place."""
    before = (store.folder / "my_bell.json").read_bytes()
    store.folder.joinpath("my_bell.takes.json").unlink()
    store.folder.joinpath("my_bell.takes.json").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        store.write([own_sound("my_bell", 6)])
    assert (store.folder / "my_bell.json").read_bytes() == before
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".")] == []


def test_one_is_renamed_and_forgotten(store: OwnSounds) -> None:
    """With all of its files; the head carries the new name."""
    store.rename("my_bell", "door")
    assert store.names() == ["door"]
    assert store.read("door").settings["label"] == "Door"
    store.forget("door")
    assert list(store.folder.iterdir()) == []
    with pytest.raises(DataError, match=r"^door: there is no such sound of your own \(none at all"):
        store.forget("door")


def test_a_damaged_one_can_be_forgotten(store: OwnSounds) -> None:
    """How else would one be rid of it?"""
    (store.folder / "my_bell.json").write_text("{")
    with pytest.raises(ConfigError, match="is not JSON"):
        store.read("my_bell")
    store.forget("my_bell")
    assert store.names() == []


def test_takes_wait_until_there_are_enough(store: OwnSounds) -> None:
    """They are no sound yet."""
    store.keep_takes("kettle", kept(6, 2))
    assert store.names() == ["my_bell"]
    assert len(store.takes("kettle")) == 2


def test_a_bundle_is_taken_in_as_it_was(store: OwnSounds, tmp_path: Path) -> None:
    """On another machine."""
    path = tmp_path / "mine.json"
    write_file(path, bundle_of(store.read_all()))
    assert json.loads(path.read_text())["labels"] == ["my_bell"]
    (found,) = sounds_in(path)
    other = OwnSounds(tmp_path / "other")
    other.write([found])
    assert list(own_sounds(other.folder)) == ["my_bell"]


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("{}", DataError, "is no file of `detector sounds export`"),
        ("no", ConfigError, "is not JSON"),
        ('{"format": "detector-sounds", "version": 9}', ConfigError, "9 is not known here"),
    ],
)
def test_what_is_no_bundle_is_refused(
    tmp_path: Path, text: str, error: type[Exception], reason: str
) -> None:
    """In one line."""
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(error, match=reason):
        sounds_in(path)


def test_a_bundle_that_was_changed_is_refused(store: OwnSounds, tmp_path: Path) -> None:
    """By its digest."""
    path = tmp_path / "mine.json"
    write_file(path, bundle_of(store.read_all()).replace(b'"threshold": 0.5', b'"threshold": 0.9'))
    with pytest.raises(DataError, match="is damaged"):
        sounds_in(path)


def test_the_configuration_takes_it_in_beside_its_own(store: OwnSounds, tmp_path: Path) -> None:
    """The file says where each value comes from; what stands in the YAML wins."""
    state = store.folder.parent
    config_path = tmp_path / "detector.yaml"
    config_path.write_text(f"state_directory: {state}\nsounds: [siren]\n")
    config = load_config(config_path, environ={})
    assert list(config.sounds) == ["siren", "my_bell"]
    assert config.sounds["my_bell"].label == "My bell"
    file = str(store.folder / "my_bell.json")
    assert str(config.origins["sounds.my_bell.threshold"]) == file
    assert str(config.origins["sounds.my_bell.hold_seconds"]) == "default"
    assert file in effective_config(config)
    settled, problems = settle_heads(config, SPEC)
    assert problems == []
    assert settled["my_bell", 0].head is not None

    mine = "my_bell: {threshold: 0.8, enabled: false}"
    config_path.write_text(f"state_directory: {state}\nsounds:\n  siren:\n  {mine}\n")
    config = load_config(config_path, environ={})
    assert config.sounds["my_bell"].threshold == 0.8
    assert config.sounds["my_bell"].evidence[0].head == Path(file)
    assert list(config.enabled_sounds) == ["siren"]


def test_what_is_shown_loads_to_the_same(store: OwnSounds, tmp_path: Path) -> None:
    """Also with a sound of one's own."""
    path = tmp_path / "detector.yaml"
    path.write_text(f"state_directory: {store.folder.parent}\n")
    config = load_config(path, environ={})
    path.write_text(effective_config(config))
    assert load_config(path, environ={}) == config


@pytest.mark.parametrize("change", ["{", '"threshold": 0.9', '"sound": "other"'])
def test_a_damaged_file_does_not_keep_the_others_from_being_heard(
    store: OwnSounds, tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, and said so."""
    path = store.folder / "my_bell.json"
    key = change.partition(":")[0]
    changed = json.loads(path.read_text())
    if key == '"threshold"':
        changed["settings"]["threshold"] = 0.9
    elif key == '"sound"':
        changed["sound"] = "other"
    path.write_text("{" if change == "{" else json.dumps(changed))
    config_path = tmp_path / "detector.yaml"
    config_path.write_text(f"state_directory: {store.folder.parent}\n")
    assert "my_bell" not in load_config(config_path, environ={}).sounds
    assert "damaged, so my_bell is not listened for" in caplog.text
