"""Fetching the model without keeping a listener waiting: what takes long goes on aside.

A line may be slow, a name may not be answered, and a server may say one byte a minute: whoever
wants an ear must have one meanwhile.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from detector.core.errors import ModelError
from detector.model.download import Progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for something that is fetched."""

    first_s: float = 10.0
    """For the first bytes of it."""
    whole_s: float = 45.0
    """For all of it, once they came: less than systemd waits for a start."""


class LateError(ModelError):
    """It is not here in time; it goes on being fetched, for the next start."""


def fetched_in_time(
    fetch: Callable[[Progress], None], patience: Patience, *, progress: Progress | None = None
) -> None:
    """Have something fetched on a thread of its own, and wait as long as patience lasts.

    Raises what ``fetch`` raises, and LateError where it takes longer: then it goes on, until it is
    done or this process ends, and no longer tells ``progress``.
    """
    begun, late = threading.Event(), threading.Event()
    outcome: Future[None] = Future()

    def report(done: int, total: int | None) -> None:
        begun.set()
        if progress is not None and not late.is_set():
            progress(done, total)

    def work() -> None:
        try:
            fetch(report)
        except BaseException as error:  # noqa: BLE001 # whoever waits is told, whatever it is
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=work, name="detector-fetching", daemon=True).start()
    wait([outcome], patience.first_s)
    if not outcome.done() and begun.is_set():
        wait([outcome], patience.whole_s - patience.first_s)
    if not outcome.done():
        late.set()
        outcome.add_done_callback(_tell)
        raise LateError(_why(patience, begun=begun.is_set()))
    outcome.result()


def _why(patience: Patience, *, begun: bool) -> str:
    what = (
        f"did not arrive within {patience.whole_s:g} s"
        if begun
        else f"did not begin to arrive within {patience.first_s:g} s"
    )
    return f"there is no model on this machine, and it {what}; it is fetched on, for the next start"


def _tell(outcome: "Future[None]") -> None:
    error = outcome.exception()
    if error is None:
        _log.warning("the model has arrived: the next start uses it")
    else:
        _log.info("%s", (str(error).splitlines() or [type(error).__name__])[0])
