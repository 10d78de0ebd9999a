"""What the tests of the configuration share."""

from collections.abc import Callable

import pytest

from detector.config.loader import parse_config
from detector.core.errors import ConfigError

Problems = Callable[[str], list[str]]


@pytest.fixture
def problems() -> Problems:
    """Every problem of a YAML text, as the lines a person reads; the source is ``d.yaml``."""

    def collect(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            parse_config(text, "d.yaml")
        return str(caught.value).split("\n")

    return collect
