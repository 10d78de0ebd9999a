"""What finds an event, and what is a false alarm."""

from detector.workbench.dataset import LabelledSound
from detector.workbench.matching import LATE_S, Decision, match, tellable

BARK = LabelledSound(10.0, 12.0, "dog_bark")


def test_what_is_told_while_it_sounds_finds_it() -> None:
    """The latency is from its onset to the first word of it."""
    matched = match([Decision("dog_bark", 11.5), Decision("dog_bark", 10.8)], [BARK])
    assert [round(found.latency_s, 3) for found in matched.found] == [0.8]
    assert (matched.missed, matched.false_alarms) == ((), ())


def test_what_is_told_too_early_too_late_or_of_another_sound_does_not() -> None:
    """Each is a false alarm, and the event is missed."""
    wrong = (
        Decision("dog_bark", 9.0),
        Decision("cat_meow", 11.0),
        Decision("dog_bark", 12.1 + LATE_S),
    )
    matched = match(wrong, [BARK])
    assert matched.missed == (BARK,)
    assert matched.false_alarms == wrong


def test_where_a_sound_may_be_it_is_neither_right_nor_wrong() -> None:
    """A dog may well bark in traffic."""
    matched = match([Decision("dog_bark", 3.0)], [], [LabelledSound(0.0, 5.0, "dog_bark")])
    assert (matched.found, matched.missed, matched.false_alarms) == ((), (), ())


def test_an_event_that_is_marked_counts_although_it_may_be_there_anyway() -> None:
    """Speech in a background of speech."""
    unsure = LabelledSound(0.0, 60.0, "dog_bark")
    assert len(match([Decision("dog_bark", 11.0)], [BARK], [unsure]).found) == 1


def test_an_event_in_the_midst_of_the_same_sound_cannot_be_told_from_it() -> None:
    """Of another sound, or at another time, it can."""
    around = LabelledSound(0.0, BARK.onset_s + 0.1, "dog_bark")
    other = LabelledSound(0.0, 60.0, "speech")
    assert tellable([BARK], [around]) == []
    assert tellable([BARK], [other, LabelledSound(0.0, BARK.onset_s, "dog_bark")]) == [BARK]
