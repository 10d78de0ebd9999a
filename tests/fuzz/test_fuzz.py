"""The fuzzer finds what is planted, and a few inputs for each target find nothing."""

import pytest

from tests.fuzz.bad_targets import BAD_INDEX
from tests.fuzz.runner import Result, run_target
from tests.fuzz.targets import NAMES, target_named

SEED = 7
FEW = {"models": 20, "socket": 150, "broker": 150, "outbox": 60}
NEEDS = {
    "models": [pytest.mark.model],
    "socket": [pytest.mark.system],
    "broker": [pytest.mark.system],
}


def run(name: str, count: int, *, first: int = 0) -> Result:
    """Fuzz a target."""
    return run_target(target_named(name), count=count, seed=SEED, first=first)


@pytest.mark.parametrize("name", [pytest.param(n, marks=NEEDS.get(n, [])) for n in NAMES])
def test_a_few_inputs_find_no_defect(name: str, request: pytest.FixtureRequest) -> None:
    """Thousands more by hand: ``python -m tests.fuzz``."""
    if name == "models":
        request.getfixturevalue("model_path")
    count = FEW.get(name, 400)
    result = run(name, count)
    assert result.failures == {}
    assert result.accepted + result.refused == count
    assert result.accepted > 0
    assert result.refused > 0


def test_a_good_target_takes_all_it_is_given() -> None:
    """Accepted and refused, in one process."""
    result = run("bad_targets.Good", 50)
    assert result.failures == {}
    assert result.accepted + result.refused == 50


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Crashing", "died of SIGABRT"),
        ("Hanging", "took longer than 1 s"),
        ("Raising", "one is two"),
    ],
)
def test_the_input_behind_a_failure_is_named(name: str, told: str) -> None:
    """Each process that dies takes one input with it, and the next goes on behind it."""
    result = run(f"bad_targets.{name}", 6)
    assert BAD_INDEX in result.failures
    assert told in result.failures[BAD_INDEX]
    assert len(result.failures) == 1


def test_memory_that_grows_is_a_failure() -> None:
    """Also where it is given back at once: it may not be there on a small machine."""
    result = run("bad_targets.Greedy", 6)
    assert result.growth_mb > 60
    assert "memory grew by" in result.failures[6]


def test_an_input_is_told_by_seed_and_index() -> None:
    """So that a failure can be repeated alone."""
    whole = run("bad_targets.Good", 40)
    parts = [run("bad_targets.Good", 20, first=first) for first in (0, 20)]
    assert whole.accepted == sum(part.accepted for part in parts)
