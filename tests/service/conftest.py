"""Workers and sockets that are put away after each test."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.bench import Bench

MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    """Makes benches whose worker runs; whatever differs from the usual is given by name."""
    made: list[Bench] = []

    def make(**changes: Any) -> Bench:
        made.append(Bench(**changes))
        made[-1].worker.start()
        return made[-1]

    yield make
    for one in made:
        one.source.give(None)
        one.worker.stop()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """A worker that runs, with a microphone fed by hand."""
    return make_bench()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves room for a Unix socket, which has 107 bytes in all."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
