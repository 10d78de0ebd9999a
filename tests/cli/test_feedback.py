"""``detector feedback``: said to the running service, and what it makes of it."""

import json

import pytest
import yaml

from tests.cli.tools import Commands, daemon


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "'nothing': say right, wrong or missed, and then the sound"),
        (("perhaps", "knock"), "'perhaps knock': say right, wrong or missed"),
        (("wrong", "knock", "twice"), "'wrong knock twice': say right, wrong or missed"),
        (("--undo",), "--undo: name one sound, and nothing else"),
        (("--undo", "knock", "--event", "x"), "--undo: name one sound, and nothing else"),
        (("--list", "knock", "bell"), "--list: name one sound, and nothing else"),
    ],
)
def test_words_that_make_no_request_are_one_clear_line(
    detector: Commands, words: tuple[str, ...], complaint: str
) -> None:
    """Before anybody is asked."""
    assert complaint in detector("feedback", *words).failed(7)


def test_without_a_service_nobody_can_be_told(detector: Commands) -> None:
    """And what to do."""
    assert "no running service found" in detector("feedback", "wrong", "knock").failed(7)


def test_a_service_is_told_and_answers(detector: Commands) -> None:
    """What was wrong is settled, listed, shown with its origin, and taken back."""
    with daemon(detector) as one:
        one.wait()
        assert detector("feedback", "--list").out == "nothing was said yet\n"
        assert "nothing was told since" in detector("feedback", "wrong").failed(7)
        one.hear()
        assert one.process.stdout is not None
        event = json.loads(one.process.stdout.readline())
        missed = detector("feedback", "missed", "knock", "--node", "here")
        assert "nothing of the last minute that was not told was like knock" in missed.failed(7)
        said = detector("feedback", "right", "knock")
        assert said.out.startswith("knock: right examples told: 1 of 1 → 1 of 1; threshold")
        assert detector("feedback", "wrong", "--event", event["id"]).code == 0
        listed = detector("feedback", "--list", "knock").out
        assert [line.split()[1] for line in listed.splitlines()[1:]] == ["wrong"]
        assert detector("feedback", "--undo", "knock").out.startswith("taken back: knock: ")
        assert " right " in detector("feedback", "--list").out.splitlines()[1]
        assert one.end().code == 0


def test_a_threshold_that_was_set_at_run_time_is_shown_with_who_did_it(detector: Commands) -> None:
    """It wins over the file; a damaged file of them shows nothing, and is left as it is."""
    state = detector.folder / "home" / ".local" / "state" / "detector"
    state.mkdir(parents=True)
    path = state / "overrides-here.json"
    shown = yaml.safe_load(detector("config", "show").out)["sounds"]["knock"]["threshold"]
    entry = {"value": 0.77, "replaced": shown, "origin": "feedback"}
    path.write_text(json.dumps({"armed": True, "thresholds": {"knock": entry}}))
    out = detector("config", "show").out
    (line,) = [line for line in out.splitlines() if line.strip().startswith("threshold: 0.77")]
    assert line.endswith(f"# set at run time by feedback, instead of {shown:g}")
    path.write_text("{")
    assert "set at run time" not in detector("config", "show").out
    assert path.read_text() == "{"
