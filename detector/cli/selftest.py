"""``detector selftest``: prove the way from the microphone, through the model, to the broker."""

import argparse

from detector.cli.common import Subparsers, add_command, required_service

_DESCRIPTION = """\
Have the running service prove, step by step, that it would hear and tell a sound:

  microphone   carries a tone that is played through selftest.output; without a loudspeaker,
               that it is in order
  model        its scores answer to that tone
  broker       an event `self_test` is acknowledged by everybody who is to be told

It takes less than 15 s, during which sounds go on being told. Home Assistant shows the result, has
a button for it, and it runs once a day (selftest.at).

exit codes: 0 passed, 1 failed, 7 no service runs
"""

ANSWER_WITHIN_S = 20.0


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "selftest",
        summary="prove the way from the microphone to the broker",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("--json", action="store_true", help="the result as one JSON document")
    parser.add_argument("--node", help="which service, if several run here")


def run(arguments: argparse.Namespace) -> int:
    """Ask for it, and print each step."""
    from detector.service.control_client import ControlClient

    path = required_service(arguments.node).path
    result = ControlClient(path, timeout_s=ANSWER_WITHIN_S).request("selftest")["selftest"]
    if arguments.json:
        import json

        print(json.dumps(result))
    else:
        for name, step in result["steps"].items():
            print(f"{name:<11} {_verdict(step)}  {step['detail']}")
        print(f"self-test   {_verdict(result)}")
    return 0 if result["passed"] else 1


def _verdict(result: dict[str, object]) -> str:
    return "passed" if result["passed"] else "FAILED"
