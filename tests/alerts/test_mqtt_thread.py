"""Paho's thread, which may end at any moment."""

import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from detector.alerts import mqtt


class _Ending(paho.Client):
    """One whose thread forgets itself, as paho's does, between two looks at it."""

    looks = 0

    @property
    def _thread(self) -> threading.Thread | None:
        self.looks += 1
        return threading.Thread() if self.looks < 3 else None

    @_thread.setter
    def _thread(self, value: Any) -> None:
        """It is what it is."""


def test_a_thread_that_ends_while_it_is_told_to_is_no_defect() -> None:
    """Else the end of a connection would now and then be logged as a bug of ours."""
    client = _Ending(CallbackAPIVersion.VERSION2)
    mqtt.end_thread(client)
    assert client.looks == 3
