"""Sounds of one's own on the disk: whole or not at all, and read as they were written."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.config.loader import load_config
from detector.config.own import digest_of, own_sounds
from detector.config.render import effective_config
from detector.core.errors import ConfigError, DataError
from detector.service.build import build_sounds
from detector.service.fitted import InUse, warnings_of
from detector.service.heads import settle_heads
from detector.service.jsondoc import packed
from detector.service.ownfiles import write_file
from detector.service.ownsounds import OwnSounds, bundle_of, sounds_in
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_writes_is_for_the_user_whose_state_it_is(tmp_path: Path) -> None:
    """Also the first time, when the folder is made for it: the service could not look into it."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    OwnSounds(state / "sounds").write([own_sound("my_bell")])
    made = [state / "sounds", *(state / "sounds").iterdir()]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(65534, 65534)}
    assert (state / "sounds").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../precious", "/precious", "a/b", "", "My bell"])
def test_a_name_does_not_leave_the_folder(store: OwnSounds, name: str) -> None:
    """Nothing else is removed, read or written."""
    precious = store.folder.parent / "precious.json"
    precious.write_text("{}")
    for use in (store.forget, store.read, store.takes):
        with pytest.raises(DataError, match="is not the name of a sound"):
            use(name)
    assert precious.exists()


@pytest.mark.parametrize("damage", ["junk", "threshold", "figures"])
def test_a_damaged_one_does_not_block_the_others(
    store: OwnSounds, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, with the reason; by itself it is refused."""
    store.write([own_sound("my_gong", 9)])
    path = store.folder / "my_bell.json"
    changed = json.loads(path.read_text())
    if damage == "figures":
        changed["provenance"]["figures"] = {}
        changed["digest"] = digest_of(changed)
    else:
        changed["settings"]["threshold"] = 0.9
    path.write_text("junk" if damage == "junk" else json.dumps(changed))
    assert [one.name for one in store.read_all()] == ["my_gong"]
    assert "my_bell is left out: " in caplog.text
    with pytest.raises((ConfigError, DataError)):
        store.read("my_bell")


def test_what_could_not_be_listened_for_is_not_written(store: OwnSounds) -> None:
    """As the configuration will look at it."""
    before = (store.folder / "my_bell.json").read_bytes()
    bell = own_sound("my_bell")
    with pytest.raises(DataError, match=r"threshold 0\.2 is below release_threshold"):
        store.write([replace(bell, settings={**bell.settings, "threshold": 0.2})])
    assert (store.folder / "my_bell.json").read_bytes() == before


def test_takes_that_wait_are_not_renamed_over(store: OwnSounds) -> None:
    """They would be lost."""
    store.keep_takes("kettle", kept(6, 2))
    with pytest.raises(DataError, match="one of that name already, or takes for one"):
        store.rename("my_bell", "kettle")
    assert len(store.takes("kettle")) == 2


def bundle(path: Path, change: Callable[[Any], object]) -> Path:
    """An exported file that somebody has changed, with a digest that fits it."""
    made = json.loads(bundle_of([own_sound("my_bell")]))
    change(made["sounds"])
    for one in made["sounds"]:
        one["sound"]["digest"] = digest_of(one["sound"])
    path.write_text(json.dumps(made))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s[0]["sound"].update(settings="abc"), "is damaged: it is not what was"),
        (lambda s: s[0]["sound"].update(settings={"a": 1}), "is damaged: it is not what was"),
        (lambda s: s[0]["sound"]["settings"].update(classes=[]), "is no list of classes"),
        (lambda s: s[0]["sound"]["settings"].update(threshold=5), "threshold is not a number"),
        (lambda s: s[0]["sound"]["settings"].update(label="\ud800"), "is no text"),
        (lambda s: s[0]["sound"]["provenance"].update(date="\ud800"), "is no text"),
        (lambda s: s[0]["sound"]["provenance"].update(figures={}), "figures.takes: is missing"),
        (lambda s: s[0]["sound"]["provenance"].update(figures="x"), "is not a mapping"),
        (lambda s: s[0]["sound"]["provenance"].update(data=["x" * 2**21]), "larger than"),
        (lambda s: s[0]["sound"].update(weights=None), "weights is missing"),
        (lambda s: s[0]["takes"]["takes"][0].update(around=packed(np.ones((1, 3)))), "3 numbers"),
        (lambda s: s[0]["takes"]["takes"][0].update(name=1), "is not a text"),
        (lambda s: s.append(s[0]), "my_bell stands in it twice"),
    ],
)
def test_a_bundle_that_could_not_be_used_is_refused(
    tmp_path: Path, change: Callable[[Any], object], reason: str
) -> None:
    """Whoever has made it: in one line, that names the file."""
    path = bundle(tmp_path / "mine.json", change)
    with pytest.raises((ConfigError, DataError), match=reason) as caught:
        sounds_in(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sound_of_unknown_classes_or_other_takes_does_not_fit_a_model(tmp_path: Path) -> None:
    """Which is asked before it is taken in."""
    (same,) = sounds_in(bundle(tmp_path / "same.json", lambda _: None))
    assert same.misfit(SPEC) == ""
    classes = {"classes": ["No such class"]}
    (other,) = sounds_in(
        bundle(tmp_path / "other.json", lambda s: s[0]["sound"]["settings"].update(classes))
    )
    assert other.misfit(SPEC) == '"No such class" is not a class of the model'
    wide = {"embeddings": packed(np.ones((5, 40))), "around": None}
    (takes,) = sounds_in(
        bundle(tmp_path / "wide.json", lambda s: s[0]["takes"]["takes"][0].update(wide))
    )
    assert takes.misfit(SPEC) == "its takes have 40 numbers a window, not 16"


def test_a_name_of_a_take_is_one_line(store: OwnSounds) -> None:
    """Files have all sorts of names."""
    odd = replace(kept(6, 1)[0], name="a\n\udcff.wav", sketch=np.ones(256, np.float32))
    store.keep_takes("kettle", [odd])
    (take,) = store.takes("kettle")
    assert take.name == "a??.wav"
    assert take.sketch is not None
    assert take.sketch.tolist() == [1.0] * 256


@pytest.mark.parametrize("change", ["labels", "damaged"])
def test_one_that_cannot_be_told_does_not_keep_the_others_from_being_heard(
    store: OwnSounds, tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A model without its stand-in class, or a head that is none: left out, and said so."""
    path = store.folder / "my_bell.json"
    if change == "damaged":
        document = json.loads(path.read_text())
        document["weights"] = None
        path.write_text(json.dumps({**document, "digest": digest_of(document)}))
    config_path = tmp_path / "detector.yaml"
    thing = "thing: {evidence: [{classes: [Thing]}]}"
    config_path.write_text(f"state_directory: {store.folder.parent}\nsounds: {{{thing}}}\n")
    config = load_config(config_path, environ={})
    assert list(config.sounds) == ["thing", "my_bell"]
    labels = ("Thing", "Other", "Third") if change == "labels" else ("Thing", "Bell", "Speech")
    built = build_sounds(config, replace(SPEC, labels=labels))
    assert [one.detector.sound for one in built] == ["thing"]
    why = '"Bell" is not a class of the model' if change == "labels" else "weights: is missing"
    assert f"my_bell: not listened for: {path}: {why}" in caplog.text
    (told,) = warnings_of(config, InUse.of(replace(SPEC, labels=labels)))
    assert told == caplog.messages[-1]
