"""What the loader says of everything that can be wrong, word by word."""

from collections.abc import Callable
from pathlib import Path

import pytest

Problems = Callable[[str], list[str]]
TABLE = (Path(__file__).parent / "problems.txt").read_text(encoding="utf-8")

SHIPPED = (
    "baby_cry, smoke_alarm, co_alarm, doorbell, door_knock, glass_breaking, dog_bark, cat_meow, "
    "siren, phone_ring, water_running, cough, snore, scream, speech"
)


def test_all_problems_come_at_once_in_the_order_of_their_lines(problems: Problems) -> None:
    """Each with line, key path, value and what would be right."""
    text = """\
node: my room
audio:
  source: mikrophone
  block_secs: 0.1
mqtt:
  host: broker
  port: 99999
  port: 1883
  password: hunter2
sounds:
  baby_cry:
    threshold: 1.5
  doorbell: {threshold: 0.4, release_threshold: 0.45}
  dog_brk:
model: {path: gone.tflite}
"""
    assert problems(text) == [
        (
            "d.yaml:1: node: my room does not fit: write letters, digits, _ and -, at most 40, "
            "beginning with a letter or digit"
        ),
        (
            "d.yaml:3: audio.source: mikrophone is not one of microphone, file, stdin; "
            "did you mean microphone?"
        ),
        "d.yaml:4: audio.block_secs: is not known; did you mean block_seconds?",
        "d.yaml:7: mqtt.port: 99999 is not a whole number from 1 to 65535",
        "d.yaml:8: mqtt.port: stands twice, first in line 7",
        (
            "d.yaml:9: mqtt.password: is not known; the password never stands in the "
            "configuration: put it in a file and name it in mqtt.password_file"
        ),
        "d.yaml:12: sounds.baby_cry.threshold: 1.5 is not a number from 0.01 to 1",
        "d.yaml:13: sounds.doorbell.release_threshold: 0.45 is above threshold (0.4)",
        (
            "d.yaml:14: sounds.dog_brk: is not a shipped sound; did you mean dog_bark? "
            "A sound of your own needs `evidence` with `classes`"
        ),
        f"d.yaml:15: model.path: {Path.cwd() / 'gone.tflite'}: there is no such file",
    ]


@pytest.mark.parametrize("pair", [one for one in TABLE.split("\n\n") if "\n  → " in one])
def test_a_wrong_setting_is_one_line_that_says_what_is_right(problems: Problems, pair: str) -> None:
    """Type, bounds, step, pattern, choice, tag, unknown key; and what does not go together."""
    text, message = pair.strip().split("\n  → ")
    assert problems(text.replace("\\n", "\n")) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "1: a list is not a mapping of settings (lines of `name: value`)"),
        ("hello", "1: hello is not a mapping of settings (lines of `name: value`)"),
        ("audio:\n\tsource: file", "2: is not YAML: a tab in the indentation; use spaces"),
        ("name: a\n---\nname: b", "2: is not YAML for a configuration: a second document begins"),
        (
            "a: &x [1]\nb: *x",
            "2: aliases (what begins with *) are not used here: write the value out",
        ),
        ('name: "a\0b"', "1: holds a character that is not text (U+0000)"),
        ("name: " + "[" * 100_000, "1: is nested deeper than 20 levels"),
        ("name: [" + "a," * 30_000 + "]", "1: holds more than 20000 values: not a configuration"),
        ("name: \ud800", "1: holds a character that is not text (U+D800)"),
    ],
)
def test_what_is_no_configuration_at_all_is_one_line(
    problems: Problems, text: str, message: str
) -> None:
    """Lists, words, tabs, aliases, depth, and what is not text."""
    assert problems(text) == [f"d.yaml:{message}"]


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "a: 'x", "%YAML 9.9\n--- a", 'a: "\\q"'])
def test_what_is_not_yaml_says_so_with_a_line(problems: Problems, text: str) -> None:
    """The rest of the words are the YAML parser's."""
    (line,) = problems(text)
    assert line.startswith(("d.yaml:1: is not YAML: ", "d.yaml:2: is not YAML: "))


def test_an_incomplete_fitted_for_names_what_is_missing(problems: Problems) -> None:
    """And platt is not said to lack it a second time."""
    calibration = "{method: platt, fitted_for: {pooling: max}}"
    text = f"sounds: {{x: {{evidence: [{{classes: [A], calibration: {calibration}}}]}}}}"
    key = "d.yaml:1: sounds.x.evidence[0].calibration.fitted_for"
    assert problems(text) == [
        f"{key}.recogniser: is missing: 64 hexadecimal digits in lower case",
        f"{key}.hop_seconds: is missing: a number from 0.01 to 10 s",
    ]


def test_a_wrong_value_makes_no_second_problem(problems: Problems) -> None:
    """The default that stands in for it is not held against other settings."""
    assert problems("audio: {source: file, path: 3}\nmqtt: {host: a b, username: x}") == [
        'd.yaml:1: audio.path: 3 is not a path; YAML reads it as a number: write it in quotes, "3"',
        (
            "d.yaml:2: mqtt.host: a b does not fit: write a name or address alone, such as "
            "homeassistant.local; the port has a setting of its own, `port`, and encryption too, "
            "`tls`"
        ),
    ]
    assert problems("sounds: {siren: {threshold: x, release_threshold: 0.9}}") == [
        "d.yaml:1: sounds.siren.threshold: x is not a number from 0.01 to 1"
    ]


def test_files_must_be_there_and_hold_something(problems: Problems, tmp_path: Path) -> None:
    """Each with its key and the whole path."""
    (tmp_path / "empty").touch()
    text = f"""\
audio: {{source: file, path: {tmp_path}/gone.wav}}
model: {{path: {tmp_path}}}
mqtt:
  host: h
  password_file: {tmp_path}/empty
  tls:
    enabled: true
    ca_file: {tmp_path}/empty/ca.pem
"""
    assert problems(text) == [
        f"d.yaml:1: audio.path: {tmp_path}/gone.wav: there is no such file",
        f"d.yaml:2: model.path: {tmp_path}: is a folder, not a file",
        f"d.yaml:5: mqtt.password_file: {tmp_path}/empty: is empty",
        f"d.yaml:8: mqtt.tls.ca_file: {tmp_path}/empty/ca.pem: cannot be read: Not a directory",
    ]


def test_a_file_that_is_not_listened_to_need_not_be_there(problems: Problems) -> None:
    """With another source, audio.path is only remembered."""
    assert problems("audio: {path: gone.wav}\nx: 1") == ["d.yaml:2: x: is not known"]


def test_tls_files_need_tls_and_each_other(problems: Problems, tmp_path: Path) -> None:
    """Nobody should believe a connection encrypted that is not."""
    file = tmp_path / "pem"
    file.write_text("x", encoding="utf-8")
    text = f"mqtt:\n  host: h\n  tls:\n    enabled: false\n    certificate_file: {file}\n"
    assert problems(text) == [
        "d.yaml:3: mqtt.tls.key_file: is missing: certificate_file needs it",
        "d.yaml:5: mqtt.tls.certificate_file: has no effect without mqtt.tls.enabled: true",
    ]


def test_a_password_is_never_repeated(problems: Problems) -> None:
    """Wherever somebody writes it, the message does not show it."""
    lines = problems("password: hunter2\nmqtt: {host: h, mqtt_password: hunter2, passwd: hunter2}")
    assert len(lines) == 3
    assert "hunter2" not in "".join(lines)


def test_a_flood_of_problems_is_cut_off(problems: Problems) -> None:
    """A hundred are enough to begin with."""
    lines = problems("\n".join(f"key_{n}: 1" for n in range(5000)))
    assert len(lines) == 101
    assert lines[-1] == "d.yaml: 4900 more problems"


def test_long_values_are_cut_short(problems: Problems) -> None:
    """One problem stays one line."""
    (line,) = problems(f"audio: {{source: {'x' * 5000}}}")
    assert line == (f"d.yaml:1: audio.source: {'x' * 57}… is not one of microphone, file, stdin")


def test_no_sound_at_all_is_a_problem(problems: Problems) -> None:
    """Written three ways; absent means the usual three instead."""
    message = f"is empty: name at least one sound, of {SHIPPED}, or one of your own"
    for text in ("sounds:", "sounds: {}", "sounds: []"):
        assert problems(text) == [f"d.yaml:1: sounds: {message}"]


def test_a_sound_that_stands_twice_is_a_problem(problems: Problems) -> None:
    """As a mapping and as a list."""
    assert problems("sounds:\n  siren:\n  cough:\n  siren:\n") == [
        "d.yaml:4: sounds.siren: stands twice, first in line 2"
    ]
    assert problems("sounds:\n- siren\n- siren\n") == [
        "d.yaml:3: sounds.siren: stands twice, first in line 2"
    ]


def test_names_of_sounds_are_plain_and_free(problems: Problems) -> None:
    """They become topics, ids, and types of events, of which some are taken."""
    right = "write lower-case letters, digits and _, beginning with a letter, at most 40"
    taken = "is the name of another kind of event: choose another"
    names = "Baby, baby_cry_ended, alarm_possible, a_updated, test_alert, armed, a-b"
    assert problems(f"sounds: [{names}]") == [
        f"d.yaml:1: sounds.Baby: is not a name for a sound: {right}",
        f"d.yaml:1: sounds.baby_cry_ended: {taken}",
        f"d.yaml:1: sounds.alarm_possible: {taken}",
        f"d.yaml:1: sounds.a_updated: {taken}",
        f"d.yaml:1: sounds.test_alert: {taken}",
        f"d.yaml:1: sounds.armed: {taken}",
        f"d.yaml:1: sounds.a-b: is not a name for a sound: {right}",
    ]


def test_an_unknown_sound_is_told_which_there_are(problems: Problems) -> None:
    """Where nothing is like it, all are named."""
    assert problems("sounds: [zzz]") == [
        (
            f"d.yaml:1: sounds.zzz: is not a shipped sound (those are {SHIPPED}). "
            "A sound of your own needs `evidence` with `classes`"
        )
    ]


def test_settings_in_a_list_of_names_are_explained(problems: Problems) -> None:
    """The list is for names alone."""
    assert problems("sounds: [{siren: {threshold: 0.4}}]") == [
        (
            "d.yaml:1: sounds: a mapping is not the name of a sound; to give settings, write lines "
            "of `name:` instead of a list"
        )
    ]
