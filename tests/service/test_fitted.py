"""A calibration file that was fitted for another model, hop or head is set aside, which is said."""

import logging
from pathlib import Path

import pytest

from detector.config import Config
from detector.config.loader import parse_config
from detector.service.build import build_sounds
from detector.service.fitted import InUse, in_force, warnings_of
from detector.service.headfile import HeadReader
from detector.service.pipeline import ListenedSound
from tests.service.bench import LABELS
from tests.service.fakes import ToldRecogniser
from tests.service.headmaking import TOLD_HASH, small_head, write_head

SPEC = ToldRecogniser(LABELS).spec
USE = InUse(TOLD_HASH, 1.0)
OTHER = "ab" * 32
WAY_OUT = (
    "set aside, as if it said nothing of that; calibrate anew (detector calibrate DATA), or go "
    "back to what it was fitted for"
)


def fitted(recogniser: str = TOLD_HASH, hop: float = 1.0, more: str = "") -> str:
    """For what a calibration was fitted."""
    return f"{{recogniser: '{recogniser}', hop_seconds: {hop}, pooling: max{more}}}"


def household(
    folder: Path, recogniser: str = TOLD_HASH, hop: float = 1.0, sounds: str = "threshold: 0.7"
) -> Config:
    """Barks, of a threshold of one's own, with a calibration over them."""
    (folder / "calibration.yaml").write_text(
        "version: 1\nsounds:\n  dog_bark:\n    threshold: 0.2\n    release_threshold: 0.1\n"
        "    evidence:\n    - classes: [Bark]\n      calibration:\n"
        f"        {{method: platt, slope: 2, offset: 1, fitted_for: {fitted(recogniser, hop)}}}\n"
    )
    text = f"sounds: {{dog_bark: {{evidence: [{{classes: [Bark, Dog]}}], {sounds}}}}}"
    return parse_config(text, "d.yaml", folder=folder)


def built(config: Config) -> ListenedSound:
    """Its one sound."""
    (sound,) = build_sounds(config, SPEC)
    return sound


def test_one_that_fits_is_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a word."""
    config = household(tmp_path)
    bark = built(config)
    assert bark.detector.calibrated
    assert bark.detector.threshold == 0.2
    assert in_force(config, USE).config is config
    assert caplog.messages == list(warnings_of(config, USE)) == []


@pytest.mark.parametrize(
    ("recogniser", "hop", "why"),
    [
        (OTHER, 1.0, "fitted for the model abababab…, but the model in use is 00000000…"),
        (TOLD_HASH, 0.48, "fitted for a hop of 0.48 s, but the hop is 1 s"),
    ],
    ids=["model", "hop"],
)
def test_one_of_another_model_or_hop_is_as_if_it_were_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recogniser: str, hop: float, why: str
) -> None:
    """One warning names file, sound, what it was fitted for, what is in use, and the way out."""
    config = household(tmp_path, recogniser, hop)
    with caplog.at_level(logging.WARNING):
        bark = built(config)
    assert not bark.detector.calibrated
    assert (bark.detector.threshold, bark.detector.settings.release_threshold) == (0.7, 0.3)
    file = tmp_path / "calibration.yaml"
    assert bark.refused == (f"{file} cannot be used, it was {why}",)
    assert bark.evidence == ("the scores of its classes, uncalibrated", *bark.refused)
    assert caplog.messages == [f"{file}: dog_bark: {why}: {WAY_OUT}"]
    assert list(warnings_of(config, USE)) == caplog.messages


def test_what_stands_below_it_says_where_it_is_from(tmp_path: Path) -> None:
    """Values and origins are those of a configuration without it."""
    config = household(tmp_path, OTHER)
    left, plain = in_force(config, USE).config, config.uncalibrated
    assert plain is not None
    assert left.sounds == plain.sounds
    assert {key: left.origins[key] for key in plain.origins} == plain.origins
    assert not any("calibration.yaml" in str(origin) for origin in left.origins.values())
    assert left.calibration == config.calibration


def test_only_the_sounds_that_do_not_fit_are_set_aside(tmp_path: Path) -> None:
    """A file may have been made of several."""
    household(tmp_path, OTHER)
    file = tmp_path / "calibration.yaml"
    file.write_text(f"{file.read_text()}  knock: {{threshold: 0.9}}\n")
    text = "sounds: {dog_bark: {}, knock: {evidence: [{classes: [Bark]}]}}"
    force = in_force(parse_config(text, "d.yaml", folder=tmp_path), USE)
    assert list(force.misfits) == ["dog_bark"]
    assert force.config.sounds["knock"].threshold == 0.9


def test_of_a_sound_that_is_off_nothing_is_said(tmp_path: Path) -> None:
    """It is not listened for."""
    assert not in_force(household(tmp_path, OTHER, sounds="enabled: false"), USE).misfits


def test_a_refinement_of_another_head_goes_with_its_threshold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a newer version ships another: that threshold was for the old one's probability."""
    head = write_head(tmp_path, small_head([0.0, 1.0, 0.0, -1.0]))
    mine = HeadReader().read(head.parent, head.name).sha256
    evidence = f"{{kind: head, head: {head}, classes: [Bark]"
    text = f"sounds: {{dog_bark: {{evidence: [{evidence}}}], threshold: 0.8}}}}"
    for sha256, threshold in ((mine, 0.2), (OTHER, 0.8)):
        of = fitted(more=f", head: '{sha256}'")
        (tmp_path / "calibration.yaml").write_text(
            f"version: 1\nsounds: {{dog_bark: {{threshold: 0.2, release_threshold: 0.1, evidence: "
            f"[{evidence}, refinement: {{slope: 1, offset: 2, fitted_for: {of}}}}}]}}}}\n"
        )
        bark = built(parse_config(text, "d.yaml", folder=tmp_path))
        assert bark.detector.threshold == threshold
        assert bark.detector.calibrated
    (told,) = caplog.messages
    assert "dog_bark: fitted for another head than the one in use: set aside" in told


def test_heads_and_shipped_calibrations_that_do_not_fit_are_told_too() -> None:
    """As far as hash and hop tell: a line for each reason."""
    config = parse_config("sounds: [dog_bark, siren, water_running, doorbell]", "d.yaml")
    heads, calibration = warnings_of(config, USE)
    head = "the head cannot be used, it was fitted for the model"
    assert heads.startswith(f"dog_bark, siren: the bare scores of the classes stand in: {head}")
    assert calibration.startswith("water_running: the bare scores of the classes stand in: the cal")
