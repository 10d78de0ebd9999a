"""Work that one thread promises another."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


def promise(work: Callable[[], _Result]) -> tuple[Future[_Result], Callable[[], None]]:
    """A future, and what fulfils it when it is called, unless the future was cancelled before.

    What ``work`` raises is in the future.
    """
    future: Future[_Result] = Future()

    def fulfil() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    return future, fulfil
