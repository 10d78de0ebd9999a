"""Nothing is measured on what it has learnt from without that being said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from detector.config import Config, EvidenceConfig, SoundConfig
from detector.config.sounds import shipped_sounds
from detector.core.errors import DataError
from detector.workbench.dataset import Recording, group_mark
from detector.workbench.splits import Split, as_configured, out_of_fold, with_heads
from tests.service.headmaking import PROVENANCE, small_head, write_head

DOGS = tuple(Recording(Path(f"{name}.wav"), name, "dog_bark") for name in ("rex", "fido", "bella"))
HEAD = EvidenceConfig(kind="head", classes=("Bark",))
CONFIG = Config(sounds=MappingProxyType({"dog_bark": SoundConfig(evidence=(HEAD,))}))


def test_a_group_that_was_learnt_from_is_counted() -> None:
    """Of those that are measured on."""
    learnt = {"dog_bark": frozenset({"rex", "bella", "luna"})}
    split = Split(0, CONFIG, frozenset({"rex", "fido"}), MappingProxyType(learnt))
    assert split.seen_groups("dog_bark", DOGS) == 1
    assert split.seen_groups("cat_meow", DOGS) == 0


def test_without_heads_everything_is_measured_as_configured() -> None:
    """In one split."""
    family = replace(HEAD, kind="family")
    config = replace(CONFIG, sounds={"dog_bark": SoundConfig(evidence=(family,))})
    (split,) = as_configured(config, DOGS)
    assert split.held_out == {"rex", "fido", "bella"}
    assert split.seen_groups("dog_bark", DOGS) == 0


def test_a_folders_heads_take_the_place_of_those_that_are_shipped(tmp_path: Path) -> None:
    """Of the sounds that it has one for."""
    (tmp_path / "dog_bark.json").write_text("{}")
    heads = with_heads(CONFIG, tmp_path).sounds["dog_bark"].evidence
    assert [one.head for one in heads] == [tmp_path / "dog_bark.json"]
    (tmp_path / "dog_bark.json").unlink()
    assert with_heads(CONFIG, tmp_path) == CONFIG


@pytest.mark.parametrize("told", [str, group_mark], ids=["names", "marks"])
def test_each_group_is_measured_by_heads_that_have_not_learnt_from_it(
    tmp_path: Path, told: Callable[[str], str]
) -> None:
    """As the heads say themselves; a group that all have learnt from is refused."""
    for number, learnt in enumerate((["rex"], ["fido", "bella"])):
        folder = tmp_path / f"fold-{number}"
        folder.mkdir()
        head = replace(small_head([1.0]), provenance={**PROVENANCE, "groups": [*map(told, learnt)]})
        write_head(folder, head, "dog_bark.json")
    first, second = out_of_fold(CONFIG, DOGS, tmp_path)
    assert first.held_out == {"fido", "bella"}
    assert second.held_out == {"rex"}
    assert [split.seen_groups("dog_bark", DOGS) for split in (first, second)] == [0, 0]
    (seen,) = as_configured(with_heads(CONFIG, tmp_path / "fold-1"), DOGS)
    assert seen.seen_groups("dog_bark", DOGS) == 2
    (tmp_path / "fold-1/dog_bark.json").unlink()
    head = replace(small_head([1.0]), provenance={**PROVENANCE, "groups": [told("one")]})
    write_head(tmp_path / "fold-1", head, "dog_bark.json")
    rex = (*DOGS, Recording(Path("one.wav"), "one", "dog_bark"))
    head = replace(
        small_head([1.0]), provenance={**PROVENANCE, "groups": [told("rex"), told("one")]}
    )
    write_head(tmp_path / "fold-0", head, "dog_bark.json")
    with pytest.raises(DataError, match="one was learnt from in every fold"):
        out_of_fold(CONFIG, rex, tmp_path)


def test_a_folder_without_heads_is_refused(tmp_path: Path) -> None:
    """With what it should hold."""
    with pytest.raises(DataError, match="holds no folders of heads, such as"):
        out_of_fold(CONFIG, DOGS, tmp_path)


def test_a_calibration_beside_the_heads_of_a_fold_goes_over_all_sounds(tmp_path: Path) -> None:
    """Thresholds that were settled without what is held out, also where there is no head."""
    sounds = {"dog_bark": shipped_sounds()["dog_bark"], "doorbell": shipped_sounds()["doorbell"]}
    (tmp_path / "calibration.yaml").write_text(
        "version: 1\nsounds: {doorbell: {threshold: 0.7, release_threshold: 0.4}}\n"
    )
    ours = with_heads(replace(Config(), sounds=MappingProxyType(sounds)), tmp_path).sounds
    assert (ours["doorbell"].threshold, ours["doorbell"].release_threshold) == (0.7, 0.4)
    assert ours["doorbell"].evidence == sounds["doorbell"].evidence
    assert ours["dog_bark"] == sounds["dog_bark"]
