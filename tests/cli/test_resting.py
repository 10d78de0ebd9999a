"""Who lets the network rest."""

import argparse
from pathlib import Path

import pytest

from detector.cli.common import load_model
from detector.config.loader import parse_config
from detector.model.recogniser import WindowRecogniser


@pytest.mark.model
@pytest.mark.parametrize(
    ("yaml", "asked", "rests"),
    [
        ("", True, True),
        ("model: {rest: true}", True, True),
        ("model: {rest: false}", True, False),
        ("", False, False),
    ],
)
def test_it_rests_where_it_is_asked_to_and_may(
    model_path: Path,
    yaml: str,
    asked: bool,  # noqa: FBT001 - parametrized
    rests: bool,  # noqa: FBT001 - parametrized
) -> None:
    """The service asks; recordings are heard exactly, window by window."""
    config = parse_config(yaml, "test.yaml")
    recogniser = load_model(argparse.Namespace(model=model_path), config, rests=asked).recogniser
    assert isinstance(recogniser, WindowRecogniser)
    assert (recogniser.gate is not None) is rests
