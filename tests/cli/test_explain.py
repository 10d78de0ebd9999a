"""``detector explain``: why a sound fired, or did not."""

import itertools
import json
import re
from pathlib import Path

import pytest

from detector.cli.explained import explained, lines
from tests.cli.tools import KNOCK, Commands, daemon, knocking, wav

TWO = f"{KNOCK}  ring: {{evidence: [{{classes: [ring]}}], threshold: 0.95, release_threshold: 0}}\n"


def window(end_s: float, knock: float, ring: float = 0.0, state: str = "idle") -> dict[str, object]:
    """A window of two sounds."""
    sounds = [
        {"sound": name, "probability": p, "threshold": 0.5, "state": state, "why": f"{p} of it"}
        for name, p in (("knock", knock), ("ring", ring))
    ]
    return {"end_s": end_s, "level_dbfs": -20.0, "classes": [], "sounds": sounds}


def test_a_recording_says_when_each_sound_fired(detector: Commands, recording: Path) -> None:
    """The one that did, and the one that came near."""
    config = detector.config(TWO)
    told = detector("explain", recording, "--config", config)
    assert told.code == 0
    assert re.search(r"^knock: fired at 0:01\.\d\n", told.out, re.MULTILINE)
    assert re.search(r"ring: did not fire: 0\.90 < 0\.95 at best", told.out)
    assert "next best: knock 0.90" in told.out


def test_one_sound_can_be_asked_for(detector: Commands, recording: Path) -> None:
    """As one JSON object; a name that is none is refused."""
    config = detector.config(TWO)
    told = detector("explain", recording, "--config", config, "--sound", "ring", "--json")
    assert json.loads(told.out)["sound"] == "ring"
    refused = detector("explain", recording, "--config", config, "--sound", "rin")
    assert refused.failed(1) == "rin is not listened for; did you mean ring?"


def test_a_sound_that_was_never_near_is_named_in_one_line(detector: Commands) -> None:
    """It is worth no moment."""
    path = wav(detector.folder / "quiet.wav", knocking() * 0)
    assert detector("explain", path).out == "never above 0.05: knock\n"


def test_the_moments_lie_apart_and_the_best_come_first() -> None:
    """Where it fired is always among them."""
    heard = [window(i * 0.5, 0.3 + i / 100) for i in range(20)]
    heard[3] = window(1.5, 0.2, state="on")
    told = explained(heard, "knock")
    at = [one["end_s"] for one in told["moments"]]
    assert told["fired_at_s"] == [1.5]
    assert 1.5 in at
    assert 9.5 in at
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(at))


def test_above_the_threshold_but_too_short_says_so() -> None:
    """It must not read as if the threshold were to blame."""
    (verdict, *_) = lines([explained([window(1.0, 0.9)], "knock")], str)
    assert verdict == "knock: did not fire: above its threshold, but not for long enough"


def test_a_file_that_is_not_there_is_one_line(detector: Commands) -> None:
    """As for every command that takes one."""
    assert "none.wav cannot be opened" in detector("explain", "none.wav").failed(4)


def test_without_a_service_there_is_no_last(bare: Commands) -> None:
    """And it says how to have one."""
    assert "no running service found" in bare("explain").failed(7)


def test_an_event_without_a_history_is_one_line(detector: Commands) -> None:
    """Which says where it was looked for."""
    told = detector("explain", "here-1767225611042-5f0c2a")
    assert told.failed(1).startswith("no history at ")
    assert len(told.err.splitlines()) == 1


@pytest.mark.timeout(60)
def test_the_running_service_explains_what_it_heard_and_its_events(detector: Commands) -> None:
    """The last seconds, and an event by its id."""
    with daemon(detector) as running:
        running.wait()
        running.hear()
        while not (events := detector("history", "--json").out):
            pass
        last = detector("explain", "--last", "60").out
        event = json.loads(events.splitlines()[0])
        told = detector("explain", event["id"]).out
    assert last.startswith("knock: fired at")
    assert event["why"].startswith("0.90 ≥ 0.50")
    assert f"fired: {event['why']}, uncalibrated" in told
    missing = detector("explain", event["id"][:-6] + "000000")
    assert "no such event in the history" in missing.failed(1)
