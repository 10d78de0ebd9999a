"""Fetching with bounded patience: who waits is let go, what is fetched is not given up."""

import logging
import os
import threading
from pathlib import Path

import pytest

from detector.core.errors import ModelError
from detector.model.download import Progress
from detector.model.meantime import LateError, Patience, fetched_in_time
from detector.model.store import PublishedModel, resolve_model

SHORT = Patience(first_s=0.02, whole_s=0.04)
LONG = Patience(first_s=30.0, whole_s=60.0)
PATIENCE_S = 30.0


def test_what_comes_in_time_is_told_as_it_comes() -> None:
    """Its progress reaches whoever waits."""
    told: list[int] = []
    fetched_in_time(lambda report: report(7, 9), LONG, progress=lambda done, _of: told.append(done))
    assert told == [7]


def test_what_goes_wrong_in_time_is_raised() -> None:
    """As if it had been fetched here."""

    def fail(_report: Progress) -> None:
        raise ModelError("no address gives it")

    with pytest.raises(ModelError, match="no address gives it"):
        fetched_in_time(fail, LONG)


@pytest.mark.parametrize(("pieces", "said"), [(0, "did not begin to"), (1, "did not arrive")])
def test_what_is_late_goes_on_and_is_told_no_more(pieces: int, said: str) -> None:
    """Whether nothing comes at all, or too slowly; and when it is there, the log says so."""
    go_on, done, told, lines = threading.Event(), threading.Event(), list[int](), list[str]()

    def fetch(report: Progress) -> None:
        for _ in range(pieces):
            report(1, 2)
        assert go_on.wait(PATIENCE_S)
        report(2, 2)

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            done.set()

    logger, handler = logging.getLogger("detector.model.meantime"), Seen()
    logger.addHandler(handler)
    try:
        with pytest.raises(LateError, match=said) as error:
            fetched_in_time(fetch, SHORT, progress=lambda part, _of: told.append(part))
        assert "\n" not in str(error.value)
        go_on.set()
        assert done.wait(PATIENCE_S)
    finally:
        logger.removeHandler(handler)
    assert told == [1] * pieces
    assert ["the next start uses it" in line for line in lines] == [True]


def test_a_server_that_says_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A pipe that nobody writes to stands in for it."""
    silent = tmp_path / "silent"
    os.mkfifo(silent)
    published = PublishedModel("0" * 64, 10, (silent.as_uri(),))
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with pytest.raises(LateError):
        resolve_model(environ=environ, published=published, patience=SHORT)
    os.close(os.open(silent, os.O_WRONLY))  # the thread ends: it has read nothing
