"""The microphone on real PortAudio, ALSA and PulseAudio.

PortAudio finds the room's microphone by its environment only, so each test listens in a process
of its own and judges what that tells.
"""

import json
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile

from tests.audio.tools import Room, tone

pytestmark = pytest.mark.system

LISTEN = """
import json, logging, sys, time
import numpy as np
from detector.audio.microphone import MicrophoneSource, Patience
from detector.audio.ring import RingBuffer
from detector.config.schema import AudioConfig
from detector.core.audio import Block, Gap

class Clock:
    boot_id = ""
    monotonic = staticmethod(time.monotonic)

def tell(**told):
    print(json.dumps(told), flush=True)

source = MicrophoneSource(
    AudioConfig(device="roommic"), ring=RingBuffer(60, 16000, 60), clock=Clock(),
    patience=Patience(retry_s=(0.5,)),
)
source.start()
"""

HEAR_A_TONE = """
heard, loud_at = [], None
while loud_at is None or heard[-1].end_sample - loud_at < 40_000:
    block = source.read(10)
    assert isinstance(block, Block), block
    if not heard:
        tell(ready=source.status.description)
    heard.append(block)
    if loud_at is None and np.max(np.abs(block.samples)) > 0.1:
        loud_at = block.start_sample
samples = np.concatenate([one.samples for one in heard])
loud = np.flatnonzero(np.abs(samples) > 0.1)
first, last = int(loud[0]), int(loud[-1])
sound = samples[first + 1600 : last - 1600]
spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
tell(
    seconds=(last - first) / 16000,
    hz=float(np.argmax(spectrum)) * 16000 / len(sound),
    dbfs=float(20 * np.log10(np.sqrt(np.mean(sound ** 2)))),
    captured_s=heard[-1].captured_monotonic_s - (len(samples) - first) / 16000,
    joined=all(a.end_sample == b.start_sample for a, b in zip(heard, heard[1:])),
)
source.stop()
tell(end=source.status.description)
"""

LOSE_AND_FIND = """
while not isinstance(source.read(10), Block):
    pass
tell(available=source.status.available)
while source.status.available:
    source.read(0.2)
tell(available=False, why=source.status.description)
while not isinstance(item := source.read(0.5), Gap):
    pass
tell(gap=item.cause, seconds=item.samples_lost / 16000)
block = source.read(10)
tell(joined=block.start_sample == item.end_sample, available=source.status.available)
source.stop()
"""

LIST = """
import json, time
from detector.audio.microphone import list_devices, open_check
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError

class Clock:
    monotonic = staticmethod(time.monotonic)

print(json.dumps([device.as_dict() for device in list_devices()]))
print(json.dumps(str(open_check(AudioConfig(device="roommic"), clock=Clock()))))
try:
    open_check(AudioConfig(device="blue yeti"), clock=Clock())
except AudioError as error:
    print(json.dumps(str(error)))
"""


class Listener:
    """A process in the room that tells what it hears, one JSON document a line."""

    def __init__(self, room: Room, script: str) -> None:
        self._process = room.run(script)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It must end by itself, without an error, unless the test has failed already."""
        if kind is not None:
            self._process.kill()
        told, errors = self._process.communicate(timeout=20)
        if kind is not None:
            print(told, errors)
        assert kind is not None or self._process.returncode == 0, errors

    def told(self) -> Any:
        """The next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the listener has failed"
        return json.loads(line)


def test_a_tone_in_the_room_is_heard_with_its_pitch_level_and_time(
    room: Room, tmp_path: Path
) -> None:
    """1000 Hz at −15 dBFS for 1 s, played while the microphone is open."""
    path = tmp_path / "tone.wav"
    # PulseAudio's null sink loses about 0.1 s when a sound begins: let that be silence.
    silence = np.zeros(48_000, np.float32)
    sound = tone(1000, 1.0, rate_hz=48_000, amplitude=0.2515)
    soundfile.write(path, np.concatenate([silence, sound, silence]), 48_000)
    with Listener(room, LISTEN + HEAR_A_TONE) as listener:
        assert listener.told()["ready"].startswith("roommic [")
        began_s = time.monotonic()
        room.play(path)
        told = listener.told()
        print(told, "begun at", began_s)
        assert told["hz"] == pytest.approx(1000, abs=2)
        assert told["dbfs"] == pytest.approx(-15.0, abs=0.3)
        assert told["seconds"] == pytest.approx(1.0, abs=0.02)
        assert told["joined"]
        # After the second of silence, give or take that tenth and what paplay needs to begin.
        assert told["captured_s"] - began_s == pytest.approx(1.0, abs=0.4)
        assert listener.told() == {"end": "stopped"}


def test_a_sound_server_that_dies_is_a_lost_microphone_until_it_is_back(room: Room) -> None:
    """As when a microphone is pulled out and put in again, with everything real."""
    with Listener(room, LISTEN + LOSE_AND_FIND) as listener:
        assert listener.told() == {"available": True}
        began_s = time.monotonic()
        room.close()
        lost = listener.told()
        assert not lost["available"]
        room.open()
        gap = listener.told()
        away_s = time.monotonic() - began_s
        print(lost, gap, "away for", away_s)
        assert gap["gap"] == "source_lost"
        assert gap["seconds"] == pytest.approx(away_s, abs=1.5)
        assert listener.told() == {"joined": True, "available": True}


def test_devices_are_listed_and_checked(room: Room) -> None:
    """For `detector devices` and `detector doctor`."""
    with Listener(room, LIST) as listener:
        listed = {device["name"]: device for device in listener.told()}
        assert listed["roommic"]["rates_hz"] == [16_000, 32_000, 44_100, 48_000]
        assert listed["roommic"]["host_api"] == "ALSA"
        checked = listener.told()
        assert checked.startswith("roommic [")
        assert checked.endswith("at 16000 Hz, 1 channel, level -120.0 dBFS")
        assert "audio.device blue yeti is not there; there is " in listener.told()
