"""``detector feedback``: say that a sound was told rightly, wrongly, or not at all."""

import argparse
from typing import Any

from detector.cli.common import Subparsers, add_command, required_service

_DESCRIPTION = """\
Tell the running service that a sound was right, wrong, or missed. It keeps what the model made of
that moment, never audio, settles the sound anew on all that was said of it, and shows what changed.

  detector feedback wrong baby_cry      the last one was none
  detector feedback wrong --event ID    an event of the past; see `detector history --json`
  detector feedback right               the last sound that was told was one
  detector feedback missed doorbell     it rang within the last minute, and was not told
  detector feedback --undo baby_cry     take the last step back
  detector feedback --list              all that was said, and how it stands

What was wrong moves the sound's threshold a little, or, where that would cost recall, has what is
like it passed over. Alarms told by the beeps of a standard (smoke_alarm, co_alarm) are left alone,
and no critical sound is ever told less often.
"""
_JUDGEMENTS = ("right", "wrong", "missed")
ANSWER_WITHIN_S = 25.0


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "feedback",
        summary="say that a sound was right, wrong, or missed",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument(
        "what", nargs="*", metavar="right|wrong|missed SOUND", help="what it was, and of which"
    )
    parser.add_argument("--event", metavar="ID", help="of this event; default: the latest")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--undo", action="store_true", help="take the last step of a sound back")
    either.add_argument("--list", action="store_true", help="all that was said")
    parser.add_argument("--node", help="which service, if several run here")


def run(arguments: argparse.Namespace) -> int:
    """Say it, and print what changed."""
    from detector.service.control_client import ControlClient

    request = _request(arguments)
    path = required_service(arguments.node).path
    client = ControlClient(path, timeout_s=ANSWER_WITHIN_S)
    if arguments.list:
        sounds = client.request("feedback_list")["sounds"]
        print("\n".join(_rows(sounds, arguments.what)) or "nothing was said yet")
    else:
        print(client.request("feedback", **request)["done"])
    return 0


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    """What to ask for; raises DetectorError for words that make none."""
    from detector.core.errors import ControlError

    words = list(arguments.what)
    if arguments.undo or arguments.list:
        judgement = "undo" if arguments.undo else "list"
        if arguments.event is not None or len(words) > 1 or (arguments.undo and not words):
            raise ControlError(f"--{judgement}: name one sound, and nothing else")
        return {"judgement": judgement, "sound": words[0] if words else None}
    if not words or words[0] not in _JUDGEMENTS or len(words) > 2:
        given = " ".join(words) or "nothing"
        raise ControlError(f"{given!r}: say right, wrong or missed, and then the sound")
    sound = words[1] if len(words) == 2 else None
    return {"judgement": words[0], "sound": sound, "event": arguments.event}


def _rows(sounds: list[dict[str, Any]], only: list[str]) -> list[str]:
    rows = []
    for one in sounds:
        if only and one["sound"] not in only:
            continue
        rows.append(f"{one['sound']}: {_setting(one)}")
        rows += [_example(example) for example in one["examples"]]
    return rows


def _setting(one: dict[str, Any]) -> str:
    threshold = f"threshold {one['threshold']:g}"
    if one["threshold"] != one["configured"]:
        threshold += f" (configured: {one['configured']:g})"
    if one["likeness"] is None:
        return threshold
    return f"{threshold}; what is like the wrong ones from {one['likeness']:.2f} on is passed over"


def _example(example: dict[str, Any]) -> str:
    now = "told" if example["is_told"] else "not told"
    event = f"  {example['event']}" if example["event"] else ""
    reached = f"reached {example['told_at']:.2f}, now {now}"
    return f"  {example['at']}  {example['judgement']:<6}  {reached}{event}"
