"""What the control socket answers: on the main thread, and from the worker's memory."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from detector import __version__
from detector.alerts.homeassistant import DeviceInfo
from detector.core.errors import ControlError
from detector.core.events import ClassScore
from detector.service.answers import Answers
from detector.service.control import Answer
from detector.service.desk import Desk
from detector.service.diary import Diary
from detector.service.monitor import ModelFacts
from detector.service.parts import LoadedModel, Parts, Surroundings, snapshot_document
from detector.service.pipeline import Snapshot
from tests.clocks import HandClock
from tests.service.bench import LABELS, YAML, Bench, configured, noise
from tests.service.fakes import ToldRecogniser, second


@pytest.fixture
def parts(short_path: Path) -> Parts:
    """All parts, put together around a file that is never opened."""
    recogniser = ToldRecogniser(LABELS)
    model = LoadedModel(recogniser, ModelFacts("yamnet", "told", recogniser.spec))
    recording = short_path / "recording.wav"
    recording.write_text("no audio, and never opened")
    audio = f"audio: {{source: file, path: {recording}}}"
    config = configured(f"{YAML}\n{audio}\nstate_directory: {short_path}\n")
    around = Surroundings(
        clock=HandClock(),
        environ={"RUNTIME_DIRECTORY": str(short_path)},
        device=DeviceInfo(software="1.2.3"),
        load_config=configured,
        load_model=lambda _config: model,
    )
    diary = Diary(short_path, config.node, around.clock)
    return Parts(config, model, around, on_command=lambda _command, _by: None, diary=diary)


def on_this_thread(work: Callable[[], None]) -> None:
    """The main thread, played by the test's own."""
    work()


def answering(parts: Parts) -> Callable[..., Answer]:
    """Asks by command and fields."""
    handlers = Answers(node="nursery", ask=on_this_thread, parts=lambda: parts).handlers()

    def ask(command: str, **fields: Any) -> Answer:
        return handlers[command](fields)

    return ask


def test_a_ping_says_who_answers(parts: Parts) -> None:
    """Without troubling the main thread."""
    assert answering(parts)("ping") == {"node": "nursery", "version": __version__}


def test_status_tells_everything_at_a_glance(parts: Parts) -> None:
    """For a person, for a script, and what is listened for."""
    answer = answering(parts)("status")
    assert answer["status"].startswith("microphone missing: ")
    assert answer["health"]["mic_state"] == "missing"
    assert answer["armed"] is True
    assert answer["sounds"] == ["dog_bark", "baby_cry"]
    assert answer["evidence"]["dog_bark"] == ["the scores of its classes, uncalibrated"]


@pytest.mark.parametrize(
    ("command", "fields", "done"),
    [
        ("test_alert", {}, "test alert for dog_bark: ON now, OFF in 3 s"),
        ("test_alert", {"sound": "baby_cry"}, "test alert for baby_cry: ON now, OFF in 3 s"),
        ("disarm", {}, "disarmed"),
        ("arm", {}, "armed already"),
        ("set_threshold", {"sound": "dog_bark", "value": 0.7}, "threshold of dog_bark is now 0.7"),
        ("set_threshold", {"sound": "dog_bark", "value": None}, "threshold of dog_bark is now 0.5"),
        ("set_threshold", {"sound": "dog_bark"}, "threshold of dog_bark is now 0.5"),
    ],
)
def test_commands_say_what_was_done(
    parts: Parts, command: str, fields: Mapping[str, Any], done: str
) -> None:
    """In a line for a person."""
    assert answering(parts)(command, **fields) == {"done": done}


@pytest.mark.parametrize(
    ("command", "fields", "complaint"),
    [
        ("test_alert", {"sound": 7}, "sound: 7: must be text"),
        ("test_alert", {"sound": "doorbell"}, "'doorbell' is not listened for"),
        ("set_threshold", {}, "sound: is missing"),
        ("set_threshold", {"sound": "dog_bark", "value": "0.7"}, "value: '0.7': must be a number"),
        ("set_threshold", {"sound": "dog_bark", "value": True}, "value: True: must be a number"),
        ("set_threshold", {"sound": "dog_bark", "value": 2}, "threshold 2: must be a number from"),
        ("feedback", {}, "judgement: None: must be right, wrong, missed or undo"),
        ("feedback", {"judgement": 1}, "judgement: 1: must be text"),
        ("feedback", {"judgement": "undo"}, "sound: is missing: of which"),
        ("feedback", {"judgement": "wrong", "sound": "doorbell"}, "'doorbell' is not listened for"),
        ("recent", {"seconds": "all"}, "seconds: 'all': must be a number"),
        ("recent", {"seconds": True}, "seconds: True: must be a number"),
        ("explain", {"seconds": "all"}, "seconds: 'all': must be a number"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    parts: Parts, command: str, fields: Mapping[str, Any], complaint: str
) -> None:
    """With the field, the value, and what would be right."""
    with pytest.raises(ControlError) as caught:
        answering(parts)(command, **fields)
    assert str(caught.value).startswith(complaint)


class Heard:
    """Parts whose worker runs, and has heard forty seconds."""

    def __init__(self, parts: Parts, bench: Bench) -> None:
        parts.worker = bench.worker
        bench.hear(*[second(index, 0.1, 0.9, 0.2, index / 100) for index in range(40)])
        self._bench = bench
        self._answers = Answers(node="nursery", ask=on_this_thread, parts=lambda: parts).handlers()

    def ask(self, command: str = "recent", **fields: Any) -> list[dict[str, Any]]:
        """The windows of an answer; asked on another thread, as a client's would."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self._answers[command], fields)
            while not future.done():
                self._bench.serve()
            windows: list[dict[str, Any]] = future.result()["windows"]
        return windows


def test_recent_windows_come_from_the_workers_memory(parts: Parts, bench: Bench) -> None:
    """The last 30 s, oldest first, with the best three classes of each."""
    windows = Heard(parts, bench).ask()
    assert [window["end_s"] for window in windows] == [float(end) for end in range(10, 41)]
    assert windows[-1]["classes"] == [
        {"class": "Bark", "score": 0.9},
        {"class": "Rain", "score": 0.39},
        {"class": "Baby cry, infant cry", "score": 0.2},
    ]


@pytest.mark.parametrize(("seconds", "count"), [(0, 1), (2.5, 3), (1e9, 40), (-1, 0)])
def test_as_many_seconds_as_are_asked_for(
    parts: Parts, bench: Bench, seconds: float, count: int
) -> None:
    """As far as they are remembered."""
    assert len(Heard(parts, bench).ask(seconds=seconds)) == count


def test_before_anything_was_heard_there_is_nothing_recent(parts: Parts) -> None:
    """No invented window."""
    heard = Bench()
    heard.worker.start()
    parts.worker = heard.worker
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(answering(parts), "recent")
        while not future.done():
            heard.serve()
        assert future.result() == {"windows": []}
    heard.worker.stop()


def test_an_answer_that_does_not_come_is_a_control_error(parts: Parts) -> None:
    """The main thread is busy: whoever asks is not kept for ever."""
    answers = Answers(
        node="nursery", ask=lambda _work: None, parts=lambda: parts, within_s=0.01
    ).handlers()
    with pytest.raises(ControlError, match=r"did not answer within 0\.01 s"):
        answers["status"]({})


def test_a_self_test_is_answered_with_its_result(parts: Parts, bench: Bench) -> None:
    """As the retained message has it; the daemon goes on meanwhile."""
    parts.worker = bench.worker
    parts.desk = Desk(
        configured(),
        overrides=parts.overrides,
        worker=bench.worker,
        outputs=parts.outputs,
        clock=HandClock(),
        tell=lambda _events: None,
    )
    bench.hear(noise(0))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(answering(parts), "selftest")
        while not future.done():
            bench.serve()
    result = future.result()["selftest"]
    assert (result["passed"], result["trigger"]) == (True, "command")
    assert list(result["steps"]) == ["microphone", "model", "broker"]


def test_the_last_seconds_are_explained(parts: Parts, bench: Bench) -> None:
    """Window by window, each sound with why."""
    windows = Heard(parts, bench).ask("explain", seconds=1.5)
    assert [one["end_s"] for one in windows] == [39.0, 40.0]
    whys = {one["sound"]: one["why"] for one in windows[-1]["sounds"]}
    assert whys["dog_bark"].startswith("on for ")


def test_a_snapshot_is_told_with_rounded_figures(parts: Parts) -> None:
    """Each class, each sound, and why it did or did not fire."""
    parts.worker.pipeline.feed(second(0, 0.0, 0.41))
    readings = tuple(one.reading() for one in parts.worker.pipeline.detectors.values())
    classes = (ClassScore("Bark", 0.41004), ClassScore("Dog", 0.0))
    document = snapshot_document(Snapshot(0.00049, 1.0, -20.04, classes, readings[:1]))
    assert document == {
        "start_s": 0.0,
        "end_s": 1.0,
        "level_dbfs": -20.0,
        "classes": [{"class": "Bark", "score": 0.41}, {"class": "Dog", "score": 0.0}],
        "sounds": [
            {
                "sound": "dog_bark",
                "probability": 0.41,
                "threshold": 0.5,
                "state": "idle",
                "why": "0.41 < 0.50",
            }
        ],
    }


def test_a_reload_is_asked_for_and_answered_before_it_is_done(parts: Parts) -> None:
    """It may end the socket that was asked at."""
    asked: list[str] = []
    handlers = Answers(
        node="nursery", ask=on_this_thread, parts=lambda: parts, reload=lambda: asked.append("now")
    ).handlers()
    assert "read anew" in handlers["reload"]({})["done"]
    assert asked == ["now"]


def test_a_take_of_an_event_that_is_not_in_the_history_is_refused(parts: Parts) -> None:
    """By its id."""
    with pytest.raises(ControlError, match=r"^nothing: no such event in the history"):
        answering(parts)("take", event="nothing")
