"""The command that makes the shipped heads again."""

from pathlib import Path

import pytest

from detector.config.sounds import shipped_sounds
from detector.core.errors import DataError
from detector.service.heads import shipped_heads
from detector.workbench.recipe import HEADS, LEARNT, RECIPE
from detector.workbench.ship import main


def test_the_sounds_that_are_to_have_a_head_are_those_that_have_one() -> None:
    """What the recipe names is what lies in the package, and all of it is learnt."""
    assert set(HEADS) == set(shipped_heads())
    assert set(HEADS) <= set(LEARNT) <= set(shipped_sounds())


def test_the_recipe_looks_at_no_audio_of_more_than_a_few_seconds() -> None:
    """What was half a minute ago is no part of a sound."""
    assert max(look.oldest for look in RECIPE.looks) <= 10


@pytest.mark.model
def test_data_without_some_sound_is_refused(
    tmp_path: Path, collection: Path, capsys: pytest.CaptureFixture[str], model_path: Path
) -> None:
    """One line that names what is lacking."""
    options = [str(collection), "--out", str(tmp_path / "out"), "--model", str(model_path)]
    assert main(options) == DataError.exit_code
    line = capsys.readouterr().err
    assert "holds no recordings of baby_cry, doorbell, glass_breaking" in line
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the model is looked for."""
    assert main([str(tmp_path / "nothing"), "--out", str(tmp_path)]) == DataError.exit_code
    assert "is not there" in capsys.readouterr().err
