"""Hearing along: what the microphone hears, as lines of the control socket, and back."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from detector.core.audio import Block, Gap, GapCause
from detector.core.errors import ControlError


def audio_document(item: Block | Gap) -> dict[str, Any]:
    """A block's samples as signed 16 bit, little-endian, base64; or what is missing."""
    if isinstance(item, Gap):
        lost = {"samples_lost": item.samples_lost, "cause": str(item.cause)}
        return {"gap": {"start_sample": item.start_sample, **lost}}
    whole = np.asarray(np.clip(np.rint(item.samples * 32768.0), -32768, 32767), "<i2")
    samples = base64.b64encode(whole.tobytes()).decode()
    captured_s = item.captured_monotonic_s
    told = {"start_sample": item.start_sample, "samples": samples, "captured_s": captured_s}
    return {"audio": told}


def heard_in(document: Mapping[str, Any]) -> Block | Gap | None:
    """The same again; None for a line of another kind. Raises ControlError for a damaged one."""
    try:
        if "gap" in document:
            gap = document["gap"]
            return Gap(int(gap["start_sample"]), int(gap["samples_lost"]), GapCause(gap["cause"]))
        if "audio" not in document:
            return None
        told = document["audio"]
        whole = np.frombuffer(base64.b64decode(told["samples"], validate=True), "<i2")
        samples = np.asarray(whole / np.float32(32768.0), np.float32)
        return Block(int(told["start_sample"]), samples, float(told["captured_s"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ControlError("the service sent audio that makes no sense") from error
