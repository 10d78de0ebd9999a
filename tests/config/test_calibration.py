"""The calibration file: read like the configuration, and laid over it."""

from pathlib import Path

import pytest

from detector.config import Config
from detector.config.calibration import CALIBRATION_NAME, read_calibration
from detector.config.loader import load_config, parse_config
from detector.config.render import effective_config
from detector.config.sounds import shipped_sounds
from detector.core.errors import ConfigError

HASH = "ab" * 32
FITTED = f"{{recogniser: {HASH}, hop_seconds: 0.48, pooling: max}}"
NEEDS = "needs the recogniser, hop_seconds and pooling it was fitted for"
NO_MAPPING = "is not a mapping of settings (lines of `name: value`)"
TEXT = f"""\
version: 1
provenance:
  made_by: detector
  data: ["12 recordings"]
sounds:
  baby_cry:
    threshold: 0.41
    release_threshold: 0.2
    basis: 12 groups with it
    evidence:
      - classes: ["Crying, sobbing"]
        calibration: {{method: platt, slope: 0.7, offset: -1, fitted_for: {FITTED}}}
"""


def household(folder: Path, config: str, calibration: str = TEXT) -> Path:
    """A configuration file with a calibration beside it."""
    (folder / CALIBRATION_NAME).write_text(calibration, encoding="utf-8")
    path = folder / "detector.yaml"
    path.write_text(config, encoding="utf-8")
    return path


def load(path: Path) -> Config:
    """The configuration there."""
    return load_config(path, environ={})


def problems(path: Path) -> list[str]:
    """All that is wrong, as a person reads it, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).replace(f"{path.parent}/", "").split("\n")


def test_the_file_beside_the_configuration_goes_over_it(tmp_path: Path) -> None:
    """Evidence and thresholds of the sounds that it has; all else stays."""
    config = load(household(tmp_path, "sounds: {baby_cry: {threshold: 0.9}, siren: {}}"))
    baby, shipped = config.sounds["baby_cry"], shipped_sounds()
    assert (baby.threshold, baby.release_threshold) == (0.41, 0.2)
    assert [one.calibration.slope for one in baby.evidence] == [0.7]
    assert baby.hold_seconds == shipped["baby_cry"].hold_seconds
    assert config.sounds["siren"].threshold == shipped["siren"].threshold
    assert config.calibration == tmp_path / CALIBRATION_NAME


def test_each_value_says_that_it_is_from_there(tmp_path: Path) -> None:
    """With its line; what is overridden leaves no origin behind."""
    path = household(tmp_path, "sounds: {baby_cry: {threshold: 0.9}}")
    text = " ".join(effective_config(load(path)).split()).replace(f"{tmp_path}/", "")
    assert "threshold: 0.41 # calibration.yaml:7" in text
    assert '- "Crying, sobbing" # calibration.yaml:11' in text
    assert "slope: 0.7 # calibration.yaml:12" in text
    assert "hold_seconds: 20 # shipped" in text
    assert not any(key.endswith("classes[1]") for key in load(path).origins if "baby" in key)


def test_what_is_shown_loads_to_the_same(tmp_path: Path) -> None:
    """The file goes over it again, and changes nothing more."""
    config = load(household(tmp_path, "sounds: [baby_cry, smoke_alarm]"))
    assert parse_config(effective_config(config), "shown") == config


def test_a_named_file_is_taken_in_place_of_the_one_beside(tmp_path: Path) -> None:
    """Relative to the configuration's folder."""
    path = household(tmp_path, "calibration: other.yaml\nsounds: [baby_cry]")
    (tmp_path / "other.yaml").write_text("version: 1\nsounds: {baby_cry: {threshold: 0.7}}")
    assert load(path).sounds["baby_cry"].threshold == 0.7


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    """Neither named nor there."""
    path = household(tmp_path, "sounds: [baby_cry]")
    (tmp_path / CALIBRATION_NAME).unlink()
    assert load(path).sounds["baby_cry"] == shipped_sounds()["baby_cry"]
    assert load(path).calibration is None


def test_a_named_file_that_is_not_there_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    """On its line."""
    path = household(tmp_path, "node: x\ncalibration: none.yaml")
    assert problems(path) == ["detector.yaml:2: calibration: none.yaml: there is no such file"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "version: 1\nsounds: {baby_cry: {treshold: 1}}",
            "2: sounds.baby_cry.treshold: is not known; did you mean threshold?",
        ),
        (
            "version: 1\nsounds:\n  baby_cry:\n    threshold: 0.2\n    release_threshold: 0.3",
            "5: sounds.baby_cry.release_threshold: 0.3 is above threshold (0.2)",
        ),
        ("version: 2", "1: version: 2 is not a whole number from 1 to 1"),
        ("version: 1\nsounds: [a]", f"2: sounds: a list {NO_MAPPING}"),
        ("version: 1\n\tx: 1", "2: is not YAML: a tab in the indentation; use spaces"),
        (
            TEXT.replace(f", fitted_for: {FITTED}", ""),
            f"12: sounds.baby_cry.evidence[0].calibration.fitted_for: is missing: `platt` {NEEDS}",
        ),
        (
            "version: 1\nsounds: {baby_cry: {evidence: [{classes: [A], refinement: {slope: 2}}]}}",
            "2: sounds.baby_cry.evidence[0].refinement.fitted_for: is missing: a refinement "
            + NEEDS,
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """As for the configuration."""
    assert problems(household(tmp_path, "", text)) == [f"calibration.yaml:{problem}"]


def test_problems_of_both_files_are_told_together(tmp_path: Path) -> None:
    """Nobody has to try twice."""
    path = household(tmp_path, "mqtt: {username: me}", "version: 1\nsounds: {baby_cry: {x: 1}}")
    assert [line.split(":")[0] for line in problems(path)] == ["detector.yaml", "calibration.yaml"]


def test_a_threshold_alone_takes_the_release_threshold_with_it(tmp_path: Path) -> None:
    """As in the configuration."""
    text = "version: 1\nsounds: {baby_cry: {threshold: 0.1}}"
    baby = load(household(tmp_path, "sounds: [baby_cry]", text)).sounds["baby_cry"]
    usual = shipped_sounds()["baby_cry"]
    expected = 0.1 * usual.release_threshold / usual.threshold
    assert baby.release_threshold == pytest.approx(expected, abs=1e-3)


def test_a_sound_that_is_not_listened_for_stays_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And a name that nobody knows is said."""
    path = household(tmp_path, "sounds: [siren]", f"{TEXT}  babycry: {{threshold: 0.3}}\n")
    assert list(load(path).sounds) == ["siren"]
    assert "there is no sound babycry" in caplog.text


def test_it_can_be_read_by_itself(tmp_path: Path) -> None:
    """By a command that adds to it."""
    household(tmp_path, "")
    read = read_calibration(tmp_path / CALIBRATION_NAME)
    assert read.sounds["baby_cry"].basis == "12 groups with it"
    assert read.provenance.data == ("12 recordings",)
    with pytest.raises(ConfigError, match="there is no such file"):
        read_calibration(tmp_path / "none.yaml")
