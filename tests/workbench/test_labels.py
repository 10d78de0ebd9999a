"""What labels mean."""

from detector.config.sounds import shipped_sounds
from detector.workbench.labels import _SYNONYMS, _TABLE, meaning


def test_a_label_that_nobody_knows_is_a_sound_of_its_own() -> None:
    """And may well be one that somebody listens for."""
    assert meaning("washing machine").sound == "washing_machine"


def test_a_label_is_the_same_however_it_is_written() -> None:
    """Collections differ in capitals, spaces and hyphens."""
    assert meaning("Crying-Baby") == meaning("crying_baby") == meaning(" crying baby ")


def test_other_collections_names_are_sounds_of_ours_or_labels_of_the_table() -> None:
    """A synonym that leads nowhere would be a slip of the pen."""
    assert set(_SYNONYMS.values()) <= {*shipped_sounds(), *_TABLE}


def test_what_a_recording_may_hold_is_a_sound_of_ours() -> None:
    """Else it would excuse nothing."""
    assert {sound for one in _TABLE.values() for sound in one.may_hold} <= set(shipped_sounds())


def test_a_dog_that_snores_is_neither_a_snore_nor_a_false_one() -> None:
    """It raises what a person would call right, and proves nothing of people."""
    snoring = meaning("dog_snoring")
    assert snoring.sound != "snore"
    assert "snore" in snoring.may_hold
