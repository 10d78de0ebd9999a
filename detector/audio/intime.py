"""Calls into a sound system that may never come back."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from detector.core.errors import AudioError

_Result = TypeVar("_Result")


class HangError(AudioError):
    """The sound system does not come back: nothing can be tried anew in this process."""


def in_time(action: Callable[[], _Result], limit_s: float) -> _Result:
    """Run ``action`` in a thread of its own, and wait no longer than ``limit_s`` for its result.

    Raises what ``action`` raises, and HangError where it takes longer; it is then left behind.
    """
    outcome: Future[_Result] = Future()

    def act() -> None:
        try:
            outcome.set_result(action())
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            outcome.set_exception(error)

    helper = threading.Thread(target=act, name="detector-sound-system", daemon=True)
    helper.start()
    helper.join(limit_s)
    if not outcome.done():
        raise HangError(f"the sound system hangs: no answer within {limit_s:g} s")
    return outcome.result()
