"""``detector doctor``: is everything in order, and what to do if not."""

import argparse
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load,
    load_model,
    running_service,
)
from detector.core.errors import ConfigError, DetectorError

if TYPE_CHECKING:
    from detector.config import Config

_DESCRIPTION = """\
Check everything a listener needs: the machine, the model, the microphone, the broker and
what it permits, the clock, the service. Each check ends with a verdict and, where there is
something to be done, a remedy. Exit code 1 if any check failed.

It sends a ping to the node's own command topic and waits for it to come back, and opens the
microphone for a second (where the service runs, it asks the service instead).
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "doctor",
        summary="is everything in order, and what to do if not",
        description=_DESCRIPTION,
        handler=run,
    )
    add_config_option(parser)
    add_model_option(parser)


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    verdict: Verdict
    detail: str
    remedy: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Check everything; 1 if anything failed."""
    failed = False
    for name, check in _checks(arguments):
        try:
            finding = check()
        except DetectorError as error:
            finding = Finding(Verdict.FAILED, str(error))
        failed |= finding.verdict is Verdict.FAILED
        _print(name, finding)
    return int(failed)


def _print(name: str, finding: Finding) -> None:
    first, *rest = finding.detail.splitlines() or [""]
    print(f"{name:<12} {finding.verdict:<8} {first}")
    for line in rest:
        print(f"{'':<21} {line}")
    if finding.remedy:
        print(f"{'':<21} → {finding.remedy}", flush=True)


def _checks(
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, Callable[[], Finding]]]:
    yield "machine", _machine
    try:
        config = load(arguments)
    except ConfigError as error:
        lines = str(error)
        yield "config", lambda: Finding(Verdict.FAILED, lines, "mend these lines, then run again")
        return
    yield "config", lambda: _config(config)
    yield "model", lambda: _model(arguments, config)
    yield "microphone", lambda: _microphone(config)
    yield "broker", lambda: _broker(config)
    yield "clock", _clock
    yield "service", lambda: _service(config)


def _machine() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if struct.calcsize("P") != 8:
        return Finding(
            Verdict.FAILED,
            f"Python {version}, 32 bit: there is no TFLite runtime for it",
            "install the 64-bit Raspberry Pi OS",
        )
    return Finding(Verdict.OK, f"Python {version}, {os.uname().machine}, {os.cpu_count()} cores")


def _config(config: "Config") -> Finding:
    sounds = ", ".join(config.enabled_sounds)
    return Finding(Verdict.OK, f"{config.origins['']}: node {config.node}, sounds {sounds}")


def _model(arguments: argparse.Namespace, config: "Config") -> Finding:
    from detector.service.build import build_sounds

    model = load_model(arguments, config)
    sounds = build_sounds(config, model.recogniser.spec)
    facts = model.facts
    detail = f"{facts.name}, {len(facts.spec.labels)} classes, on {facts.runtime}"
    reasons = dict.fromkeys(reason for sound in sounds for reason in sound.refused)
    if facts.stands_in:
        return Finding(Verdict.WARNING, f"{detail}: {facts.stands_in}", _FETCH_REMEDY)
    if reasons:
        count = sum(bool(sound.refused) for sound in sounds)
        detail += f"; {count} sounds not as configured: {'; '.join(reasons)}"
        return Finding(Verdict.WARNING, detail, _HEAD_REMEDY)
    return Finding(Verdict.OK, detail)


_FETCH_REMEDY = (
    "it finds less and tells more falsely (docs/crnn.md): detector model fetch, or bring the file; "
    "the next start uses it"
)
_HEAD_REMEDY = (
    "these were fitted for the published model and a hop of 0.48 s: use those, or fit to yours "
    "with `detector calibrate`"
)


def _microphone(config: "Config") -> Finding:
    client = running_service(config.node)
    if client is not None:
        health = client.request("status")["health"]
        detail = f"the service says {health['mic_state']}: {health['mic_detail']}"
        if health["mic_state"] == "ok":
            return Finding(Verdict.OK, detail)
        if health["mic_state"] == "muted":
            remedy = "disarmed, no sound is told: detector arm, or the switch in Home Assistant"
            return Finding(Verdict.WARNING, detail, remedy)
        if health["mic_state"] == "clipping":
            return Finding(Verdict.WARNING, detail, "turn the capture volume down: alsamixer, F4")
        return Finding(Verdict.FAILED, detail, _MICROPHONE_REMEDY)
    if config.audio.source != "microphone":
        return Finding(Verdict.SKIPPED, f"the source is {config.audio.source}")
    return _open_microphone(config)


_MICROPHONE_REMEDY = (
    "see that it is plugged in, not muted, and that this user is in the group `audio`; "
    "`detector devices` lists what there is"
)


def _open_microphone(config: "Config") -> Finding:
    from detector.audio.check import open_check
    from detector.core.errors import AudioError
    from detector.core.level import FLOOR_DBFS
    from detector.service.clock import SystemClock

    try:
        heard = open_check(config.audio, clock=SystemClock())
    except AudioError as error:
        return Finding(Verdict.FAILED, str(error), _MICROPHONE_REMEDY)
    if heard.level_dbfs <= FLOOR_DBFS:
        remedy = "a hardware mute switch, or a capture volume of zero (alsamixer, F4)"
        return Finding(Verdict.WARNING, f"{heard}: nothing but digital zeros", remedy)
    return Finding(Verdict.OK, str(heard))


def _broker(config: "Config") -> Finding:
    if config.mqtt.host is None:
        remedy = "set mqtt.host for Home Assistant; without it, events are JSON lines"
        return Finding(Verdict.SKIPPED, "no broker is configured", remedy)
    client = running_service(config.node)
    if client is not None:
        health = client.request("status")["health"]["mqtt"]
        if health["denied"]:
            detail = f"the broker denied {health['denied']} messages of the service, see its log"
            return Finding(Verdict.FAILED, detail, _ACCESS_REMEDY)
    return _try_broker(config)


_ACCESS_REMEDY = "compare the broker's access rules with the list in the README, under Broker"


def _try_broker(config: "Config") -> Finding:
    from detector.alerts.broker_check import check_broker
    from detector.service.clock import SystemClock

    result = check_broker(config.mqtt, node=config.node, clock=SystemClock(), environ=os.environ)
    if result.denied:
        detail = f"{result.address}: we may not {', '.join(result.denied)}"
        return Finding(Verdict.FAILED, detail, _ACCESS_REMEDY)
    detail = f"{result.address}: a message came back in {result.round_trip_ms:.0f} ms"
    return Finding(Verdict.OK, detail)


def _clock() -> Finding:
    from detector.service.clock import SystemClock

    match SystemClock().synchronised():
        case True:
            return Finding(Verdict.OK, "synchronised")
        case False:
            remedy = "see that the network time service is reached: timedatectl"
            return Finding(Verdict.WARNING, "not synchronised yet: event times may be off", remedy)
    return Finding(Verdict.SKIPPED, "no systemd-timesyncd here to ask")


_ANEW_REMEDY = "once the model is in order, see above, start the service anew"


def _service(config: "Config") -> Finding:
    client = running_service(config.node)
    if client is not None:
        status = client.request("status")
        warned = bool(status["health"].get("model_warning"))
        verdict, remedy = (Verdict.WARNING, _ANEW_REMEDY) if warned else (Verdict.OK, "")
        return Finding(verdict, f"runs: {status['status']}", remedy)
    remedy = f"sudo {Path(sys.argv[0]).absolute()} service install"
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return Finding(Verdict.SKIPPED, "no systemd on this machine")
    state = subprocess.run(  # noqa: S603 - the system's own tool, fixed arguments
        [systemctl, "is-active", "detector"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if state == "active":
        remedy = "join its group to see more: sudo usermod -aG detector $USER"
        return Finding(Verdict.WARNING, "active, but its control socket does not answer", remedy)
    if state in ("failed", "activating"):
        remedy = "see why: journalctl -u detector"
    return Finding(Verdict.WARNING, f"not running ({state or 'unknown'})", remedy)
