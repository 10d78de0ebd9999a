"""Hearing along over the control socket."""

import json

import numpy as np
import pytest

from detector.core.audio import Block, Gap, GapCause
from detector.core.errors import ControlError
from detector.service.along import audio_document, heard_in


def test_a_block_comes_back_as_it_was() -> None:
    """To 16 bit; beyond full scale is full scale."""
    samples = np.array([0.0, 0.25, -1.0, 1.5], np.float32)
    back = heard_in(json.loads(json.dumps(audio_document(Block(1600, samples, 12.5)))))
    assert isinstance(back, Block)
    assert (back.start_sample, back.captured_monotonic_s) == (1600, 12.5)
    assert back.samples == pytest.approx([0.0, 0.25, -1.0, 1.0], abs=1e-4)
    assert back.samples.dtype == np.float32


def test_a_gap_comes_back_as_it_was() -> None:
    """With its cause."""
    gap = Gap(100, 3200, GapCause.OVERFLOW)
    assert heard_in(json.loads(json.dumps(audio_document(gap)))) == gap


def test_other_lines_are_none() -> None:
    """A status, or what a later version sends."""
    assert heard_in({"status": "listening"}) is None


@pytest.mark.parametrize(
    "line",
    [
        {"audio": {}},
        {"audio": {"start_sample": 0, "samples": "no base64!", "captured_s": 0}},
        {"audio": {"start_sample": 0, "samples": "AAA=", "captured_s": None}},
        {"gap": {"start_sample": 0, "samples_lost": 1, "cause": "moon"}},
        {"gap": None},
    ],
)
def test_damaged_lines_are_refused(line: dict[str, object]) -> None:
    """In one line, whatever is wrong with them."""
    with pytest.raises(ControlError, match="makes no sense"):
        heard_in(line)
