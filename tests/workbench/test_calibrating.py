"""From labelled recordings to a calibration, and every refusal."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.config.calibration import CALIBRATION_NAME, read_calibration
from detector.config.calibration_text import calibration_text
from detector.config.loader import load_config
from detector.core.errors import DataError
from detector.workbench.calibrating import (
    EVENING,
    Order,
    Result,
    basis,
    calibration_of,
    evenings,
    over,
)
from detector.workbench.dataset import Recording, read_dataset
from detector.workbench.report import alarms, misses, report_html
from detector.workbench.thresholds import read_rate, read_recall
from tests.workbench.calibrating import CONFIG, calibrating, kennel, told, write

DAILY = Order((), read_rate("1/day"))


def calibrated(folder: Path, order: Order = DAILY, more: list[Recording] | None = None) -> Result:
    """What comes of a folder."""
    return calibrating().calibrate([*read_dataset(folder), *(more or [])], order)


def refusal(folder: Path, order: Order = DAILY) -> list[str]:
    """The lines of a refusal, without the folder's own name."""
    with pytest.raises(DataError) as caught:
        calibrated(folder, order)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_dogs_that_are_heard_faintly_get_a_threshold_that_finds_them(tmp_path: Path) -> None:
    """The curve is lifted, and the threshold lies between the two kinds of score."""
    result = calibrated(kennel(tmp_path))
    (one,) = result.sounds
    assert one.choice.figures.recall.value >= 0.9  # so short an evening supports no more
    assert one.choice.figures.false_alarms == 0
    line = one.fit.lines[0]
    low, high = (float(line(np.log([s / (1.0 - s)]))[0]) for s in (0.09, 0.3))
    assert low < one.choice.threshold <= high


def test_what_it_says_of_itself_is_out_of_fold_and_says_what_a_zero_means(tmp_path: Path) -> None:
    """No alarm in a minute and a half supports no rate of one a day."""
    (one,) = calibrated(kennel(tmp_path)).sounds
    assert len(set(one.fit.folds)) == 5
    dealt = {(e.group, fold) for e, fold in zip(one.fit.examples, one.fit.folds, strict=True)}
    assert len({group for group, _ in dealt}) == len(dealt)  # no group in two folds
    assert one.choice.supported == (
        "0 false alarms in 1.2 min supports at most 150/h at 95 %: record 72 h without the sound "
        "to support at most 1/day false alarms; until then the threshold is lowered no further "
        "than finding it needs"
    )


def test_the_file_is_read_back_and_goes_over_the_configuration(tmp_path: Path) -> None:
    """The daemon finds the same numbers in it."""
    result = calibrated(kennel(tmp_path / "data"))
    made = calibration_of(result, [tmp_path / "data"])
    (tmp_path / CALIBRATION_NAME).write_text(calibration_text(made, tmp_path), encoding="utf-8")
    assert read_calibration(tmp_path / CALIBRATION_NAME) == made
    (tmp_path / "detector.yaml").write_text(CONFIG, encoding="utf-8")
    dog = load_config(tmp_path / "detector.yaml", environ={}).sounds["dog_bark"]
    (one,) = result.sounds
    assert dog.threshold == one.choice.threshold
    assert dog.evidence[0].calibration.method == "platt"
    assert dog.evidence[0].calibration.slope == round(one.fit.lines[0].slope, 4)
    assert dog.evidence[0].calibration.fitted_for is not None
    assert dog.evidence[0].classes == ("Bark",)


def test_sounds_of_an_earlier_file_stay(tmp_path: Path) -> None:
    """Only those that were calibrated now are replaced."""
    made = calibration_of(calibrated(kennel(tmp_path)), [tmp_path])
    dog = made.sounds["dog_bark"]
    old = replace(made, sounds={"dog_bark": replace(dog, threshold=0.99), "siren": dog})
    both = over(made, old)
    assert set(both.sounds) == {"dog_bark", "siren"}
    assert both.sounds["dog_bark"] == dog


def test_a_recall_that_is_asked_for_is_had_at_a_price(tmp_path: Path) -> None:
    """A lower threshold than one without false alarms, where the two kinds are mixed up."""
    kennel(tmp_path)
    for number in range(6):
        write(tmp_path / "rain" / f"rain{number}" / "loud.wav", told([0.33] * 6, 90 + number))
    (daily,) = calibrated(tmp_path).sounds
    (eager,) = calibrated(tmp_path, Order((), read_recall("0.95"))).sounds
    assert eager.choice.threshold < daily.choice.threshold
    assert eager.choice.figures.recall.value > daily.choice.figures.recall.value
    assert eager.choice.figures.false_alarms > 0


def test_where_an_evening_was_recorded_false_alarms_are_those_of_the_evening(
    tmp_path: Path,
) -> None:
    """A recording of the hardest moments is no evening."""
    kennel(tmp_path / "data")
    for number in range(6):
        hard = tmp_path / "data" / "rain" / f"rain{number}" / "hard.wav"
        write(hard, told([0.36] * 6, 90 + number))
        sure = tmp_path / "data" / "dog_bark" / f"dog_bark{number}" / "sure.wav"
        write(sure, told([0.8] * 6, 70 + number))
    (tmp_path / "home").mkdir()
    for day in range(2):
        write(tmp_path / "home" / f"2026-11-2{day}__1800.wav", told([0.05] * 30, 60 + day))
    recorded = evenings(tmp_path / "home")
    assert {one.group for one in recorded} == {"evening/2026-11-20", "evening/2026-11-21"}
    assert {one.label for one in recorded} == {EVENING}
    (alone,) = calibrated(tmp_path / "data").sounds
    (at_home,) = calibrated(tmp_path / "data", more=recorded).sounds
    assert at_home.choice.figures.hours == pytest.approx(60 / 3600)
    assert at_home.choice.threshold < alone.choice.threshold


def test_too_few_groups_are_refused_with_how_many_are_needed(tmp_path: Path) -> None:
    """However many recordings there are of each."""
    (line,) = refusal(kennel(tmp_path, dogs=3))
    assert line == (
        "dog_bark: recordings with it from 3 groups; 4 are needed: record 1 more (another day, "
        "room or voice makes a group)"
    )


def test_one_label_only_is_refused(tmp_path: Path) -> None:
    """Without anything else there is nothing to tell it from."""
    (line,) = refusal(kennel(tmp_path, others=0))
    assert line.startswith("dog_bark: no recordings without it")
    assert line.endswith("from 4 groups each (detector record, for an evening)")


def test_one_group_is_told_in_the_singular(tmp_path: Path) -> None:
    """And how many are lacking."""
    (line,) = refusal(kennel(tmp_path, dogs=1))
    assert line.startswith("dog_bark: recordings with it from 1 group; 4 are needed: record 3 more")


def test_a_folder_whose_name_is_a_slip_is_told(tmp_path: Path) -> None:
    """Else it would silently speak against the very sound that it holds."""
    kennel(tmp_path)
    for label in ("dog_brak", "kettle"):
        (tmp_path / label).mkdir()
        write(tmp_path / label / "1.wav", told([0.05] * 6, len(label)))
    strangers = calibrated(tmp_path).strangers
    assert strangers.startswith(
        "no sound that is known, so taken for none of them: dog_brak: did you mean dog_bark?, "
        "kettle ("
    )


def test_labels_that_have_a_meaning_are_no_strangers(tmp_path: Path) -> None:
    """Rain is in the table, and no sound of ours."""
    assert calibrated(kennel(tmp_path)).strangers == ""


def test_evenings_that_are_not_there_are_not_called_empty(tmp_path: Path) -> None:
    """A slip in a path is another thing than a folder without recordings."""
    with pytest.raises(DataError, match=r"nowhere is not there: record an evening"):
        evenings(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no recordings of an evening"):
        evenings(tmp_path)


def test_a_recording_of_a_few_milliseconds_and_a_label_beyond_the_end_are_refused(
    tmp_path: Path,
) -> None:
    """Each with how long it is."""
    kennel(tmp_path)
    dog = tmp_path / "dog_bark" / "dog_bark0"
    write(dog / "slip.wav", np.full(100, 0.5, np.float32))
    write(dog / "marked.wav", told([0.3] * 3, 5))
    (dog / "marked.txt").write_text("1.0\t3.4\tdog_bark\n1.0\t200.0\tdog_bark\n")
    assert sorted(refusal(tmp_path)) == [
        (
            "dog_bark/dog_bark0/marked.wav: is 3.0 s long, but dog_bark is marked at 1 s to 200 s: "
            "is the label of another recording?"
        ),
        "dog_bark/dog_bark0/slip.wav: is too short (0.01 s): 0.2 s are needed, better some more",
    ]


def test_the_most_that_none_leaves_possible_is_one_figure(tmp_path: Path) -> None:
    """The basis and what is supported speak of the same bound."""
    (one,) = calibrated(kennel(tmp_path)).sounds
    assert one.choice.figures.false_alarms == 0
    most = one.choice.supported.partition("at most ")[2].partition(" at 95 %")[0]
    assert f"(at most {most} at 95 %)" in basis(one)


def test_a_sound_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """With the one that was meant."""
    order = Order(("dog_brak",), read_rate("1/day"))
    told_of = refusal(kennel(tmp_path), order)
    assert told_of == ["dog_brak is no sound that is known; did you mean dog_bark?"]


def test_labels_of_which_none_is_known_are_refused(tmp_path: Path) -> None:
    """As of a folder whose names are not ours."""
    (line,) = refusal(kennel(tmp_path, dogs=0))
    assert line.startswith("the recordings hold no sound that is known: they are labelled rain;")


def test_clipped_silent_and_unreadable_recordings_are_refused_together(tmp_path: Path) -> None:
    """One line each, with the file and what would be right."""
    kennel(tmp_path)
    dog = tmp_path / "dog_bark" / "dog_bark0"
    write(dog / "clipped.wav", np.sign(told([0.3] * 3, 1)))
    write(dog / "dead.wav", np.zeros(48_000, np.float32))
    write(dog / "faint.wav", told([0.0] * 3, 2) * np.float32(1e-4))
    (dog / "broken.wav").write_bytes(b"RIFF")
    broken, clipped, dead, faint = sorted(refusal(tmp_path))
    place = "dog_bark/dog_bark0"
    assert broken.startswith(f"{place}/broken.wav: cannot be decoded: it is not WAV, FLAC, OGG")
    assert clipped == (
        f"{place}/clipped.wav: is clipped (100% of it at full scale): record it with less gain"
    )
    assert dead == f"{place}/dead.wav: holds digital silence: the microphone was off"
    assert faint == (
        f"{place}/faint.wav: is silent (-93 dBFS at its loudest), but labelled dog_bark: record it "
        "nearer or with more gain"
    )


def test_unfit_recordings_can_be_left_out(tmp_path: Path) -> None:
    """And are named all the same."""
    kennel(tmp_path)
    write(tmp_path / "rain" / "rain0" / "dead.wav", np.zeros(48_000, np.float32))
    result = calibrated(tmp_path, replace(DAILY, skip_unfit=True))
    assert [one.recording.path.name for one in result.skipped] == ["dead.wav"]
    assert all(one.path.name != "dead.wav" for one in result.recordings)


def test_the_same_recording_in_two_groups_is_refused(tmp_path: Path) -> None:
    """It would be on both sides of a split."""
    kennel(tmp_path)
    source = tmp_path / "dog_bark" / "dog_bark0" / "0.wav"
    (tmp_path / "dog_bark" / "dog_bark1" / "copy.wav").write_bytes(source.read_bytes())
    (line,) = refusal(tmp_path)
    assert "is the same recording as" in line
    assert "another group (dog_bark/dog_bark" in line


def test_a_copy_at_another_gain_in_two_groups_is_refused(tmp_path: Path) -> None:
    """And so is one that a lossy codec has been over, nearly."""
    kennel(tmp_path)
    original = told([0.3] * 6, 1000 * len("dog_bark"))
    noise = np.random.default_rng(1).normal(0.0, 1e-4, len(original)).astype(np.float32)
    copy = (original + noise) * np.float32(0.7)
    write(tmp_path / "dog_bark" / "dog_bark1" / "copy.wav", copy)
    (line,) = refusal(tmp_path)
    assert "sounds like a copy of" in line


def test_scores_that_are_lower_with_the_sound_are_refused(tmp_path: Path) -> None:
    """The labels are probably the wrong way round."""
    kennel(tmp_path)
    (tmp_path / "dog_bark").rename(tmp_path / "x")
    (tmp_path / "rain").rename(tmp_path / "dog_bark")
    (tmp_path / "x").rename(tmp_path / "rain")
    (line,) = refusal(tmp_path)
    assert line.endswith("no higher where the sound is than where it is not: are the labels right?")


def test_a_recall_that_cannot_be_had_is_refused_with_one_that_is_missed(tmp_path: Path) -> None:
    """Some of the dogs are not heard at any threshold."""
    kennel(tmp_path)
    for number in range(6):
        dog = tmp_path / "dog_bark" / f"dog_bark{number}"
        write(dog / "mute.wav", told([0.0] * 6, 900 + number))
        for take in range(2):
            write(dog / f"sure{take}.wav", told([0.9] * 6, 800 + 10 * number + take))
    (line,) = refusal(tmp_path, Order((), read_recall("0.95")))
    assert re.search(
        r"the recall is 0\.\d+: a recall of at least 0\.95 cannot be had; .*mute", line
    )


def test_a_rate_that_cannot_be_had_is_refused_with_the_worst_of_all(tmp_path: Path) -> None:
    """Something that is heard as a dog, with certainty, among much that is not."""
    kennel(tmp_path, dogs=8, others=20)
    for number in range(8):
        write(
            tmp_path / "dog_bark" / f"dog_bark{number}" / "sure.wav", told([0.9] * 6, 80 + number)
        )
    write(tmp_path / "rain" / "rain0" / "dog.wav", told([0.99] * 6, 99))
    (line,) = refusal(tmp_path)
    assert "at most 1/day false alarms cannot be had; the worst is at" in line
    assert line.endswith("rain/rain0/dog.wav")


def test_a_target_at_which_nothing_is_found_is_refused(tmp_path: Path) -> None:
    """A threshold that never fires would only look like a calibration."""
    kennel(tmp_path)
    for number in range(6):
        write(tmp_path / "dog_bark" / f"dog_bark{number}" / "x.wav", told([0.3] * 6, 70 + number))
        write(tmp_path / "rain" / f"rain{number}" / "x.wav", told([0.4] * 6, 90 + number))
    (line,) = refusal(tmp_path)
    assert line.endswith("but then nothing of it is found: allow more, or record it nearer")


def test_the_report_is_one_page_with_its_pictures_in_it(tmp_path: Path) -> None:
    """Nothing is fetched from anywhere, and the worst are named by file and second."""
    kennel(tmp_path)
    write(tmp_path / "rain" / "rain0" / "dog.wav", told([0.05, 0.05, 0.9, 0.05], 70))
    write(tmp_path / "dog_bark" / "dog_bark0" / "mute.wav", told([0.02] * 4, 71))
    result = calibrated(tmp_path, Order((), read_rate("1000/h")))
    page = report_html(result, made="<detector>")
    (one,) = result.sounds
    assert page.count("<svg") == 4
    assert "&lt;detector&gt;" in page
    assert not re.search(r"https?:|src=|href=|<script", page)
    assert alarms(one)[0] == ("3.0 s", alarms(one)[0][1], "rain0/dog.wav")
    assert misses(one)[0][2] == "dog_bark0/mute.wav"
    for cell in ("rain0/dog.wav", "dog_bark0/mute.wav", "Worst misses"):
        assert cell in page


@pytest.mark.parametrize(
    ("text", "per_hour"), [("1/day", 1 / 24), ("0.5/h", 0.5), ("2 / week", 2 / 168)]
)
def test_a_rate_is_read_as_people_say_it(text: str, per_hour: float) -> None:
    """Per hour, day, week or month."""
    assert read_rate(text).most_per_hour == pytest.approx(per_hour)
    assert read_rate(text).text == f"at most {text} false alarms"


@pytest.mark.parametrize("text", ["", "1", "1/year", "-1/h", "x/h", "1/h/h"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match="such as 1/day"):
        read_rate(text)


@pytest.mark.parametrize("text", ["0", "1", "95", "95%", "nan", ""])
def test_what_is_no_recall_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match=r"such as 0\.95"):
        read_recall(text)
