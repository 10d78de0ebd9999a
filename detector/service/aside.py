"""A thread for what must not keep the worker waiting."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

_log = logging.getLogger(__name__)


class Aside:
    """Does one thing after the other. ``ask`` is safe from any thread.

    The thread is begun by the first thing that is asked for; mostly nothing ever is.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def ask(self, work: Callable[[], None]) -> None:
        """Have it done soon; once stopped, nothing is done any more."""
        with self._lock:
            if self._stopped:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="detector-aside", daemon=True
                )
                self._thread.start()
            self._asked.put(work)

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish what was asked for, and cease."""
        with self._lock:
            self._stopped = True
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._asked.put(None)
        thread.join(timeout_s)
        if thread.is_alive():
            _log.error("bug: thread %s did not end within %s s", thread.name, timeout_s)

    def _run(self) -> None:
        while (work := self._asked.get()) is not None:
            try:
                work()
            except Exception:  # noqa: BLE001 - the next one is still to be done
                _log.exception("bug: what was asked for aside failed")
