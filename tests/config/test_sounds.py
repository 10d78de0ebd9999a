"""The sounds that are shipped, those that are asked for, and how the two become one."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from detector.config.calibration import read_calibration
from detector.config.checks import check_classes
from detector.config.loader import parse_config
from detector.config.render import effective_config
from detector.config.schema import Config, SoundConfig
from detector.config.sounds import DEFAULT_SOUNDS, shipped_sounds, with_all_sounds
from detector.core.events import Urgency

ROOT = Path(__file__).parents[2]
NAMES = [
    "baby_cry", "smoke_alarm", "co_alarm", "doorbell", "door_knock", "glass_breaking", "dog_bark",
    "cat_meow", "siren", "phone_ring", "water_running", "cough", "snore", "scream", "speech",
]  # fmt: skip
SINGLE = {
    "doorbell", "door_knock", "glass_breaking", "water_running", "cough", "scream",
}  # fmt: skip


def sound(text: str) -> SoundConfig:
    """The only sound of a configuration."""
    (only,) = parse_config(text, "d.yaml").sounds.values()
    return only


def classes(config: SoundConfig) -> set[str]:
    """All classes of a sound's evidence."""
    return {name for evidence in config.evidence for name in evidence.classes}


def labels_of(model: Path) -> list[str]:
    """The label list that is packed into a model file."""
    with zipfile.ZipFile(model) as packed:
        return packed.read("yamnet_label_list.txt").decode("utf-8").splitlines()


def test_every_sound_has_its_name_once_and_for_all() -> None:
    """Topics, ids and automations hang on these names."""
    assert list(shipped_sounds()) == NAMES
    assert set(DEFAULT_SOUNDS) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_sound_is_written_with_care(name: str) -> None:
    """A label, an icon of its own, and thresholds in their order."""
    shipped = shipped_sounds()[name]
    assert 0.0 < shipped.release_threshold < shipped.threshold < 1.0
    assert shipped.label
    assert shipped.icon != "mdi:ear-hearing"


def test_shipped_numbers_are_those_that_were_settled_on_recordings() -> None:
    """What was written beside the heads; alarms, which rest on a cadence, stay at one half."""
    settled = read_calibration(ROOT / "detector/heads/calibration.yaml").sounds
    assert set(NAMES) - set(settled) == {"smoke_alarm", "co_alarm"}
    for name, one in shipped_sounds().items():
        found = settled.get(name)
        threshold = 0.5 if found is None else found.threshold
        release = 0.3 if found is None else found.release_threshold
        assert (one.threshold, one.release_threshold) == (threshold, release), name
        if found is not None:
            own = tuple(replace(evidence, head=None) for evidence in found.evidence)
            assert one.evidence == own, name


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_sound_stands_on_its_own(name: str) -> None:
    """Its settings go together: asked for by name alone it makes no problem."""
    assert parse_config(f"sounds: [{name}]", "x").sounds[name] == shipped_sounds()[name]


def test_short_sounds_need_one_window_and_long_ones_more() -> None:
    """A knock may lie in a single window; a cry has to last."""
    immediate = {name for name, one in shipped_sounds().items() if one.confirm_seconds == 0.0}
    assert immediate == SINGLE
    cry = shipped_sounds()["baby_cry"]
    assert (cry.confirm_seconds, cry.confirm_within_seconds) == (1.4, 3.0)


def test_an_alarm_is_held_through_its_pauses() -> None:
    """Three beeps and 1.5 s, or four and 5 s, with room for beeps that are missed."""
    for name in ("smoke_alarm", "co_alarm"):
        assert shipped_sounds()[name].hold_seconds >= 15.0
        assert shipped_sounds()[name].urgency is Urgency.CRITICAL


def test_broad_classes_are_in_no_family() -> None:
    """They are heard where something else sounds: telephones, babies, rain, boiling water."""
    broad = {"Alarm", "Dog", "Cat", "Purr", "Water", "Bell", "Door", "Glass", "Animal", "Telephone"}
    for one in shipped_sounds().values():
        assert not classes(one) & broad


def test_without_the_section_three_sounds_are_on() -> None:
    """Few by default."""
    assert list(parse_config("name: x", "d.yaml").sounds) == list(DEFAULT_SOUNDS)


def test_exactly_those_that_stand_there_are_on_in_their_order() -> None:
    """As a mapping or as a list of names."""
    mapping = parse_config("sounds:\n  siren:\n  cough: {}\n", "d.yaml")
    listed = parse_config("sounds: [siren, cough]", "d.yaml")
    assert list(mapping.sounds) == ["siren", "cough"]
    assert mapping == listed


def test_each_setting_given_replaces_the_shipped_one() -> None:
    """And leaves the others alone."""
    changed = sound("sounds: {dog_bark: {threshold: 0.7, urgency: urgent, enabled: false}}")
    shipped = shipped_sounds()["dog_bark"]
    assert (changed.threshold, changed.urgency, changed.enabled) == (0.7, Urgency.URGENT, False)
    assert changed.evidence == shipped.evidence
    assert changed.hold_seconds == shipped.hold_seconds


def test_evidence_given_replaces_the_whole_of_the_shipped() -> None:
    """Its origins too: none says shipped beside a class that is not."""
    text = "sounds: {dog_bark: {evidence: [{classes: [Bark]}]}}"
    config = parse_config(text, "d.yaml")
    below = {k: str(v) for k, v in config.origins.items() if k.startswith("sounds.dog_bark.ev")}
    assert classes(config.sounds["dog_bark"]) == {"Bark"}
    assert below.pop("sounds.dog_bark.evidence[0].classes[0]") == "d.yaml:1"
    assert set(below.values()) == {"default"}


def test_a_disabled_sound_stays_with_its_settings() -> None:
    """Whether it is listened for is the service's business."""
    assert not sound("sounds: {siren: {enabled: false}}").enabled


@pytest.mark.parametrize(
    ("threshold", "release"),
    [(0.2, 0.12), (0.01, 0.006), (0.5, shipped_sounds()["siren"].release_threshold)],
)
def test_the_release_threshold_follows_a_low_threshold(threshold: float, release: float) -> None:
    """In the shipped proportion, once the threshold is below it; its origin is that line."""
    text = f"sounds:\n  siren:\n    threshold: {threshold}\n"
    assert sound(text).release_threshold == release
    origin = parse_config(text, "d.yaml").origins["sounds.siren.release_threshold"]
    assert str(origin) == ("shipped" if threshold == 0.5 else "d.yaml:3")


def test_a_sound_of_your_own_needs_classes_only() -> None:
    """Its label comes from its name, the rest from the schema."""
    own = sound("sounds: {vacuum_cleaner: {evidence: [{classes: [Vacuum cleaner]}]}}")
    assert own.label == "Vacuum cleaner"
    assert own == SoundConfig(label="Vacuum cleaner", evidence=own.evidence)
    assert own.evidence[0].pooling == "max"


def test_a_sound_of_your_own_lets_its_release_follow_too() -> None:
    """By the proportion of the defaults."""
    own = sound("sounds: {x: {threshold: 0.1, evidence: [{classes: [X]}]}}")
    assert own.release_threshold == 0.06


def test_a_calibration_is_read_with_what_it_was_fitted_for() -> None:
    """All of it, or it would be refused."""
    fitted = f"{{recogniser: {'a' * 64}, hop_seconds: 0.48, pooling: max}}"
    text = f"{{method: platt, slope: 1.7, offset: -2, fitted_for: {fitted}}}"
    own = sound(f"sounds: {{x: {{evidence: [{{classes: [X], calibration: {text}}}]}}}}")
    calibration = own.evidence[0].calibration
    assert (calibration.method, calibration.slope, calibration.offset) == ("platt", 1.7, -2.0)
    assert calibration.fitted_for is not None
    assert calibration.fitted_for.hop_seconds == 0.48


def test_all_sounds_can_be_listened_for_at_once() -> None:
    """Those that are on keep their settings, the rest come as shipped."""
    config = parse_config("sounds: {siren: {threshold: 0.7}, cough: {enabled: false}}", "d.yaml")
    everything = with_all_sounds(config).sounds
    assert sorted(everything) == sorted(NAMES)
    assert all(one.enabled for one in everything.values())
    assert everything["siren"].threshold == 0.7
    assert everything["cough"] == shipped_sounds()["cough"]


LABELS = ["Bark", "Siren", "Smoke detector, smoke alarm", "Fire engine, fire truck (siren)"]


@pytest.fixture
def unknown() -> Callable[[str], Sequence[str]]:
    """The unknown classes of a family, as the lines a person reads."""

    def check(names: str) -> Sequence[str]:
        text = f"sounds:\n  x:\n    evidence:\n      - classes: {names}\n"
        return [str(problem) for problem in check_classes(parse_config(text, "d.yaml"), LABELS)]

    return check


def test_a_class_that_the_model_lacks_is_named_with_its_line(
    unknown: Callable[[str], Sequence[str]],
) -> None:
    """With what is like it, or where to look."""
    key = "d.yaml:4: sounds.x.evidence[0].classes"
    assert unknown("[Bark, Sirn, Zebra]") == [
        f'{key}[1]: "Sirn" is not a class of the model; did you mean Siren?',
        f'{key}[2]: "Zebra" is not a class of the model; see `detector model labels`',
    ]
    assert unknown("[Bark, Siren]") == []


def test_a_class_torn_apart_at_its_comma_is_put_together(
    unknown: Callable[[str], Sequence[str]],
) -> None:
    """In a YAML list a comma ends an item unless there are quotes."""
    key = "d.yaml:4: sounds.x.evidence[0].classes"
    whole = 'its name holds a comma, so write it in quotes: "Smoke detector, smoke alarm"'
    assert unknown("[Smoke detector, smoke alarm, Siren]") == [
        f'{key}[0]: "Smoke detector" is not a class of the model; {whole}',
        f'{key}[1]: "smoke alarm" is not a class of the model; {whole}',
    ]


def test_a_shipped_family_on_another_model_says_where_it_is_from() -> None:
    """A model of one's own has other classes."""
    config = parse_config("sounds: [cough]", "d.yaml")
    assert [str(problem) for problem in check_classes(config, LABELS)] == [
        (
            'shipped: sounds.cough.evidence[0].classes[0]: "Cough" is not a class of the model; '
            "see `detector model labels`"
        )
    ]


def test_a_config_made_by_hand_can_be_checked_too() -> None:
    """Without origins there is no line to tell."""
    config = Config(sounds=shipped_sounds())
    first = check_classes(config, LABELS)[0]
    assert (first.where, first.key) == ("", "sounds.baby_cry.evidence[0].classes[0]")


@pytest.mark.model
def test_yamnet_has_every_class_of_every_shipped_sound(model_path: Path) -> None:
    """By its exact display name."""
    config = parse_config(f"sounds: [{', '.join(NAMES)}]", "d.yaml")
    assert check_classes(config, labels_of(model_path)) == []


OWN = "evidence: [{classes: [Bark]}]"
SHIPPED_BARK = shipped_sounds()["dog_bark"]


def test_a_threshold_belongs_to_the_evidence_it_was_fitted_for() -> None:
    """With evidence of one's own a shipped sound has the usual ones, and `config show` says so."""
    text = f"sounds: {{dog_bark: {{{OWN}}}}}"
    config, shipped = parse_config(text, "d.yaml"), shipped_sounds()["dog_bark"]
    bark = config.sounds["dog_bark"]
    assert (bark.threshold, bark.release_threshold) == (0.5, 0.3)
    assert bark.threshold != shipped.threshold
    assert (bark.hold_seconds, bark.icon) == (shipped.hold_seconds, shipped.icon)
    told = " ".join(effective_config(config).split())
    assert " threshold: 0.5 # default" in told
    assert "release_threshold: 0.3 # default" in told
    assert parse_config(effective_config(config), "shown") == config


@pytest.mark.parametrize(
    ("settings", "thresholds"),
    [
        (f"{OWN}, threshold: 0.8", (0.8, 0.3)),
        (f"{OWN}, threshold: 0.2", (0.2, 0.12)),
        (f"{OWN}, release_threshold: 0.45", (0.5, 0.45)),
        ("hold_seconds: 1", (SHIPPED_BARK.threshold, SHIPPED_BARK.release_threshold)),
    ],
)
def test_what_is_set_counts_whatever_the_evidence(
    settings: str, thresholds: tuple[float, float]
) -> None:
    """And a release threshold follows from the usual proportion."""
    bark = sound(f"sounds: {{dog_bark: {{{settings}}}}}")
    assert (bark.threshold, bark.release_threshold) == thresholds


def test_the_shipped_evidence_written_out_keeps_its_threshold() -> None:
    """It is the same evidence."""
    shipped = shipped_sounds()["doorbell"]
    names = ", ".join(f'"{name}"' for name in shipped.evidence[0].classes)
    bell = sound(f"sounds: {{doorbell: {{evidence: [{{classes: [{names}]}}]}}}}")
    assert bell.threshold == shipped.threshold
