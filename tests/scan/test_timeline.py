"""The picture: what stands where."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.scan import lanes
from detector.scan.lanes import BINS, longest_undated_s, timeline_of
from detector.scan.result import FileResult
from detector.scan.timeline import timeline_html
from tests.scan.test_journal import SOUND

HOUR = BINS // 24
LATE = replace(SOUND, onset_s=3600.0, offset_s=7200.0)
BARK = replace(SOUND, sound="dog_bark", confirmed=False, offset_s=None)


def marked(counts: NDArray[np.int32]) -> list[int]:
    """First and last place that is marked."""
    found = np.flatnonzero(counts)
    return [int(found[0]), int(found[-1])]


def test_a_dated_file_lies_on_its_day() -> None:
    """Where it was recorded, and where its sounds were."""
    result = FileResult(Path("20261121_060000.wav"), 3 * 3600.0, (LATE,))
    timeline = timeline_of([result], 0.0)
    day = timeline.days["2026-11-21"]
    assert marked(day.heard) == [6 * HOUR, 9 * HOUR - 1]
    assert marked(day.rows["knock"].confirmed) == [7 * HOUR, 8 * HOUR - 1]
    assert timeline.files == []


def test_a_night_lies_on_two_days() -> None:
    """A sound over midnight is marked on both, and counted once."""
    night = replace(SOUND, onset_s=1800.0, offset_s=5400.0)
    timeline = timeline_of([FileResult(Path("20261121_230000.wav"), 7200.0, (night,))], 0.0)
    first, second = (timeline.days[day] for day in ("2026-11-21", "2026-11-22"))
    assert marked(first.heard) == [23 * HOUR, 24 * HOUR - 1]
    assert marked(second.heard) == [0, HOUR - 1]
    assert marked(second.rows["knock"].confirmed) == [0, HOUR // 2 - 1]
    assert (first.rows["knock"].count, second.rows["knock"].count) == (1, 0)


def test_a_file_without_a_date_has_a_lane_of_its_own() -> None:
    """All of them as long as the longest, so that they can be compared."""
    results = [FileResult(Path("a.wav"), 50.0, (SOUND,)), FileResult(Path("x/b.wav"), 100.0)]
    timeline = timeline_of(results, longest_undated_s(results))
    first, second = timeline.files
    assert marked(first.heard) == [0, BINS // 2 - 1]
    assert marked(first.rows["knock"].confirmed) == [BINS // 100, BINS // 50 - 1]
    assert (second.name, second.rows) == ("x/b.wav", {})


def test_more_lanes_than_a_picture_holds_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has them."""
    monkeypatch.setattr(lanes, "MOST_LANES", 2)
    results = [FileResult(Path(f"{n}.wav"), 10.0) for n in range(5)]
    timeline = timeline_of(results, 10.0)
    assert (len(timeline.files), timeline.left_out) == (2, 3)
    assert "3 more stretches of sound or files" in timeline_html(timeline, made="")


def test_the_page_stands_by_itself_and_is_well_formed() -> None:
    """No script, no link; odd names are text."""
    results = [
        FileResult(Path("<b>&.wav"), 10.0, (SOUND, BARK)),
        FileResult(Path("\udcff/20261121_060000.wav"), 10.0, (SOUND,)),
        FileResult(Path("nothing.wav"), 0.0),
    ]
    page = timeline_html(timeline_of(results, 10.0), made="by <us>")
    page.encode()
    assert not re.search(r"https?://|<script|<link|src=", page)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 3
    roots = [ET.fromstring(picture) for picture in pictures]
    texts = ["".join(one.itertext()) for one in roots]
    assert any("<b>&.wav" in text for text in texts)
    assert sum("knock (1)" in text for text in texts) == 2
    assert sum("possible dog_bark 0:00:01 … 0:00:01" in text for text in texts) == 1
    assert sum("nothing" in text for text in texts) == 1


def test_many_sounds_at_one_place_are_one_mark() -> None:
    """The page stays small, however much was heard."""
    many = tuple(replace(SOUND, onset_s=n / 100, offset_s=n / 100 + 0.01) for n in range(10_000))
    page = timeline_html(timeline_of([FileResult(Path("a.wav"), 100.0, many)], 100.0), made="")
    assert "knock (10000)" in page
    assert len(page) < 5_000
