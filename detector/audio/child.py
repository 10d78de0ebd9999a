"""The capture process: it opens the microphone and writes what it hears on a pipe.

PortAudio can hang, spin, or abort the process that it runs in.  Here it has one of its own,
``python -m detector.audio.child CONFIG``, which may be killed at any moment without loss: standard
output carries the messages of ``wire``, the end of standard input means that it is to end.  It
stays small: no numpy, no settings, and nothing of ours that
imports either.
"""

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from detector.audio.capture import Now
from detector.audio.childhood import await_the_end, begin
from detector.audio.opened import OpenedDevice, Wanted, open_device
from detector.audio.portaudio import Load, load_sound_system
from detector.audio.wire import Failure, Opened, Trouble, send
from detector.core.errors import AudioError

if TYPE_CHECKING:
    from detector.config.schema import AudioConfig

_LOOK_S = 0.5
"""How often a silent device is looked at."""
_LEAVE_S = 2.0
"""PortAudio may hang while it closes a device; the process ends all the same."""


def capture(
    config: "AudioConfig | Wanted",
    out: int,
    *,
    load: Load,
    now: Now,
    stopping: threading.Event,
    look_s: float = _LOOK_S,
) -> None:
    """Hear the configured device until ``stopping``, or until that fails; tell all of it.

    Args:
        config: The device, channel, block and latency.
        out: A descriptor for the messages; when nobody reads them any more, that is the end.
        load: Gives the module ``sounddevice``.
        now: The monotonic time.
        stopping: Set from another thread.
        look_s: How often a silent device is looked at.
    """
    opened: OpenedDevice | None = None
    try:
        opened = open_device(load(), config, now)
        device, form = opened.device, opened.format
        send(out, Opened(device.name, device.id, form.rate_hz, form.channels, now()))
        _pass_on(opened, out, stopping, look_s)
    except BrokenPipeError:
        pass
    except AudioError as error:
        _tell(out, Failure(str(error)))
    except Exception as error:  # noqa: BLE001 - told to the daemon, which logs it
        _tell(out, Failure(f"internal error: {error!r}", traceback.format_exc()))
    finally:
        if opened is not None:
            opened.stream.close()  # last of all, for it may hang


def _pass_on(opened: OpenedDevice, out: int, stopping: threading.Event, look_s: float) -> None:
    told = ""
    while not stopping.is_set():
        captured = opened.capture.next(look_s)
        if opened.capture.error != told:
            told = opened.capture.error
            send(out, Trouble(f"a callback failed, a bug: {told}"))
        if captured is not None:
            send(out, captured)
        elif not opened.active:
            raise AudioError(f"{opened.device}: the sound system ended the stream")


def _tell(out: int, failure: Failure) -> None:
    with suppress(BrokenPipeError):
        send(out, failure)


def main(arguments: list[str]) -> None:
    """Capture what is Wanted by the first argument, as JSON; never returns."""
    out = begin()
    stopping = threading.Event()
    threading.Thread(target=_await_the_end, args=(stopping,), daemon=True).start()
    config = Wanted(**json.loads(arguments[0]))
    capture(config, out, load=load_sound_system, now=time.monotonic, stopping=stopping)
    os._exit(0)  # without PortAudio's own farewell, which may hang


def _await_the_end(stopping: threading.Event) -> None:
    await_the_end()
    stopping.set()
    time.sleep(_LEAVE_S)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
