"""What the fuzzers have found, and must not find again."""

import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.alerts.history import Question, read_history
from detector.audio.file import FileSource
from detector.config.loader import parse_config
from detector.config.render import effective_config
from detector.core.errors import AudioError, ConfigError, ModelError
from detector.model.labels import label_lists
from detector.service.clock import SystemClock
from detector.service.headfile import HeadReader
from detector.service.statefile import StateFile
from tests.fuzz.model_files import BOMBS, packed_bomb
from tests.fuzz.state_files import written_outbox
from tests.service.headmaking import small_head, write_head


@pytest.mark.parametrize("how", BOMBS)
def test_a_label_list_that_lies_about_its_size_is_not_unpacked(how: int, tmp_path: Path) -> None:
    """It is refused; with `lzma` and `bzip2` there is no reading a part."""
    with pytest.raises(ModelError, match=r"label list (damaged|is packed in a way)"):
        label_lists(tmp_path / "m.tflite", packed_bomb(how, says=3000))


@pytest.mark.parametrize("rate_hz", [1, 800_000_000])
def test_a_sample_rate_that_cannot_be_is_refused(rate_hz: int, tmp_path: Path) -> None:
    """A second of it would be gigabytes, or a block of many minutes."""
    path = tmp_path / "odd.wav"
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    data = struct.pack("<4sI", b"data", 2000) + bytes(2000)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(form + data)) + b"WAVE" + form + data)
    source = FileSource(path, realtime=False, channel="mix", clock=SystemClock())
    with pytest.raises(AudioError, match=f"has a sample rate of {rate_hz} Hz"):
        source.start()


def test_a_very_long_value_is_refused_before_the_tests_time_out() -> None:
    """The search for a password in it took time by the square of its length."""
    with pytest.raises(ConfigError, match="does not fit"):
        parse_config("node: " + "x" * 500_000, "d.yaml")


def test_characters_that_yaml_does_not_take_are_shown_escaped() -> None:
    """What `config show` prints can be loaded."""
    config = parse_config('name: "a\\uFEFFb"', "d.yaml")
    assert parse_config(effective_config(config), "shown").name == "a\ufeffb"


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_a_state_file_with_what_is_no_number_is_set_aside(number: str, tmp_path: Path) -> None:
    """It would be read, and could never be written again."""
    path = tmp_path / "diary.json"
    path.write_text(f'{{"minutes": {number}}}')
    file = StateFile(path, lost="nothing is known")
    assert file.read(lambda document: document) is None
    assert path.with_suffix(".damaged").exists()


@pytest.mark.parametrize("body", [b"\xff\xfe", "no JSON", "{}", "[" * 5000])
def test_a_damaged_row_leaves_the_rest_of_the_history(body: Any, tmp_path: Path) -> None:
    """One of thirty."""
    path = tmp_path / "outbox.sqlite"
    written_outbox(path)
    before = len(read_history(path, Question()))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE events SET body = CAST(? AS TEXT) WHERE seq = 1", (body,))
    assert len(read_history(path, Question())) == before - 1
    assert json.dumps(read_history(path, Question()))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"dog_bark"', '"dog\\nbark"'),
        (f'"{"0" * 64}"', '"a\\nb"'),
        ('"logits"', '"\\u2028"'),
        ('"inputs"', '"sha256": "x", "file": "a\\nb", "inputs"'),
    ],
)
def test_a_head_cannot_break_the_line_that_tells_of_it(
    right: str, wrong: str, tmp_path: Path
) -> None:
    """Its texts are told in warnings and refusals: only what they can be is taken."""
    path = write_head(tmp_path, small_head([1.0]))
    path.write_text(path.read_text().replace(right, wrong))
    with pytest.raises(ConfigError) as caught:
        HeadReader().read(tmp_path, path.name)
    assert len(str(caught.value).splitlines()) == 1


def test_a_head_of_an_odd_day_is_of_an_unknown_one(tmp_path: Path) -> None:
    """It is told in the status."""
    path = write_head(tmp_path, small_head([1.0]))
    path.write_text(path.read_text().replace('"2026-11-20"', '"2026\\n"'))
    assert HeadReader().read(tmp_path, path.name).day == "an unknown day"
