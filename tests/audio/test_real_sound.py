"""The microphone on real PortAudio, ALSA and PulseAudio.

PortAudio finds the room's microphone by its environment only, so each test listens in a process
of its own and judges what that tells.
"""

import json
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
import pytest
import soundfile

from detector.audio.microphone import MicrophoneSource, Patience
from detector.audio.process import CaptureProcess, start_capture
from detector.audio.ring import RingBuffer
from detector.config.schema import AudioConfig
from detector.core.audio import Block, End, Gap, GapCause
from detector.service.clock import SystemClock
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

BESIDE = """
while not isinstance(source.read(10), Block):
    pass
tell(ready=True)
lost = []
while True:
    item = source.read(10)
    if isinstance(item, Gap):
        lost.append(item)
        tell(cause=item.cause, seconds=item.samples_lost / 16000)
"""

LIST = """
import json, time
from detector.audio.check import list_devices, open_check
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
        self.killed = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """It must end by itself, without an error, unless the test has failed or killed it."""
        if kind is not None:
            self._process.kill()
        told, errors = self._process.communicate(timeout=20)
        if kind is not None:
            print(told, errors)
        wanted = -signal.SIGKILL if self.killed else 0
        assert kind is not None or self._process.returncode == wanted, errors

    def kill(self) -> None:
        """SIGKILL, of which it knows nothing."""
        self.killed = True
        self._process.kill()

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


class Hearing:
    """A microphone source of this process, listening in the room by capture processes."""

    def __init__(self, room: Room, patience: Patience) -> None:
        self.started: SimpleQueue[CaptureProcess] = SimpleQueue()

        def launch(config: AudioConfig) -> CaptureProcess:
            ear = start_capture(config, environ=room.environment)
            self.started.put(ear)
            return ear

        self.source = MicrophoneSource(
            AudioConfig(device="roommic"),
            ring=RingBuffer(60, 16_000, 60),
            clock=SystemClock(),
            launch=launch,
            patience=patience,
        )

    def until_heard(self) -> None:
        """Wait for a block."""
        self._until(Block)

    def until_found(self) -> float:
        """Wait for the gap that an absence leaves, and a block after it; the gap's seconds."""
        gap = self._until(Gap)
        assert gap.cause is GapCause.SOURCE_LOST
        self._until(Block)
        return float(gap.samples_lost / 16_000)

    def _until(self, kind: type[Block] | type[Gap]) -> Any:
        due_s = time.monotonic() + 40.0
        while time.monotonic() < due_s:
            item = self.source.read(1.0)
            assert not isinstance(item, End)
            if isinstance(item, kind):
                return item
        raise AssertionError(f"no {kind.__name__}: {self.source.status}")


@pytest.fixture
def hearing(room: Room) -> Iterator[Hearing]:
    """Not started yet; stopped after the test, and with it the last capture process."""
    made = Hearing(room, Patience(stall_s=3.0, retry_s=(0.2,)))
    yield made
    made.source.stop()
    assert children() == []


def children() -> list[int]:
    """Our capture processes, whether they live or wait to be reaped."""
    own = [
        int(number)
        for task in Path("/proc/self/task").iterdir()
        for number in (task / "children").read_text().split()
    ]
    return [pid for pid in own if b"detector.audio.child" in command_line(pid)]


def command_line(pid: int) -> bytes:
    """As it was called; of a zombie nothing is known, and it is taken for one of ours."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() or b"detector.audio.child"
    except FileNotFoundError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_a_capture_process_that_dies_is_replaced(
    hearing: Hearing, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """As by an assertion in PortAudio, or for want of memory: nothing else is harmed."""
    hearing.source.start()
    hearing.until_heard()
    os.kill(hearing.started.get(timeout=10).pid, number)
    print("away for", hearing.until_found(), "s")
    assert hearing.source.status.available
    assert f"no microphone: the capture process was ended by {number.name}" in caplog.text


def test_a_capture_process_that_hangs_is_replaced(
    hearing: Hearing, caplog: pytest.LogCaptureFixture
) -> None:
    """It is there, and open, but nothing comes: it is killed, and stays available meanwhile."""
    hearing.source.start()
    hearing.until_heard()
    stopped = hearing.started.get(timeout=10)
    os.kill(stopped.pid, signal.SIGSTOP)
    assert hearing.until_found() > 3.0
    assert "[1]: no audio for 3 s" in caplog.text
    assert not Path(f"/proc/{stopped.pid}").exists()


def test_a_sound_server_that_hangs_is_heard_again_once_it_goes_on(
    hearing: Hearing, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped while its stream is active: the device cannot be closed nor opened meanwhile."""
    hearing.source.start()
    hearing.until_heard()
    room.freeze()
    hearing.started.get(timeout=10)
    hearing.started.get(timeout=20)  # the next one, which hangs in opening
    assert "no audio for 3 s" in caplog.text
    assert hearing.source.status.available  # so that it counts as stalled, not as missing
    room.thaw()
    thawed_s = time.monotonic()
    hearing.until_found()
    print("heard again after", time.monotonic() - thawed_s, "s")


def test_a_sound_server_that_hangs_from_the_start_is_no_reason_to_wait(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """What hangs in opening is ended and tried anew, for as long as it takes."""
    hearing = Hearing(room, Patience(open_s=1.0, retry_s=(0.2,)))
    room.freeze()
    hearing.source.start()
    for _ in range(3):
        hearing.started.get(timeout=20)
    assert "the sound system hangs: no answer within 1 s" in caplog.text
    room.thaw()
    hearing.source.stop()
    assert children() == []


def test_a_sound_server_that_comes_late_is_heard(hearing: Hearing, room: Room) -> None:
    """The order at boot does not matter."""
    room.close()
    hearing.source.start()
    for _ in range(3):
        hearing.started.get(timeout=20)
    assert not hearing.source.status.available
    room.open()
    opened_s = time.monotonic()
    hearing.until_heard()
    print("heard after", time.monotonic() - opened_s, "s")
    assert hearing.source.status.available


def held() -> dict[str, int]:
    """How many descriptors and threads this process has."""
    return {what: len(list(Path("/proc/self", what).iterdir())) for what in ("fd", "task")}


def test_whatever_happens_nothing_is_left_behind(room: Room) -> None:
    """Twenty capture processes later: no descriptor, no thread, no zombie more than before."""
    hearing = Hearing(room, Patience(retry_s=(0.01,)))
    hearing.source.start()
    hearing.until_heard()
    last = hearing.started.get(timeout=10)
    before = held()
    for _ in range(20):
        os.kill(last.pid, signal.SIGKILL)
        last = hearing.started.get(timeout=20)
    hearing.until_found()
    assert held() == before
    assert children() == [last.pid]
    hearing.source.stop()
    assert children() == []


def child_of(pid: int) -> int:
    """The one capture process of another process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return int(" ".join((task / "children").read_text() for task in tasks))


@pytest.mark.parametrize("hangs", [False, True])
def test_a_daemon_that_is_killed_takes_its_capture_process_along(
    room: Room, *, hangs: bool
) -> None:
    """Otherwise that would hold the device, and the next daemon would find it busy."""
    with Listener(room, LISTEN + BESIDE) as listener:
        assert listener.told() == {"ready": True}
        child = child_of(listener.pid)
        descriptor = os.pidfd_open(child)
        if hangs:
            os.kill(child, signal.SIGSTOP)  # it can do nothing for it by itself
        listener.kill()
        assert select.select([descriptor], [], [], 2.0)[0], "it lives on"
        os.close(descriptor)


def test_a_daemon_that_was_stopped_goes_on_with_the_same_capture_process(room: Room) -> None:
    """What it missed is counted; that nothing came meanwhile is nobody's fault."""
    with Listener(room, LISTEN + BESIDE) as listener:
        assert listener.told() == {"ready": True}
        child = child_of(listener.pid)
        os.kill(listener.pid, signal.SIGSTOP)
        time.sleep(10)  # the pipe, and the 4 s of room in the capture process, must overflow
        os.kill(listener.pid, signal.SIGCONT)
        gap = listener.told()
        print(gap)
        assert gap["cause"] == "overflow"
        assert gap["seconds"] > 1.0
        assert child_of(listener.pid) == child
        listener.kill()
