"""What an evaluation says of itself: how it was made, and what its figures rest on."""

import math
from collections.abc import Iterator

from detector import __version__
from detector.workbench.cells import FEW_GROUPS
from detector.workbench.evaluation import OURS, Evaluation
from detector.workbench.metrics import zero_bound


def introduction(result: Evaluation, command: str) -> Iterator[str]:
    """What was measured, and by which command."""
    order = result.order
    yield "# Evaluation"
    yield ""
    if command:
        yield f"Printed by detector {__version__}, and not edited by hand:"
        yield ""
        yield f"    {command}"
        yield ""
    yield from _data(result)
    if order.clips:
        yield "Clips are the recordings by themselves, labelled as a whole."
    yield (
        "In the detector's own documents the recordings are those of "
        "[recordings.md](recordings.md), and [heads.md](heads.md) tells how heads and thresholds "
        "were made."
    )
    yield (
        f"Sounds: {len(order.sounds)}. Everybody hears the same audio in the same run; "
        "the last section says what the figures rest on."
    )


def _data(result: Evaluation) -> Iterator[str]:
    order = result.order
    ratios = ", ".join(f"{snr_db:g}" for snr_db in order.plan.snrs_db)
    yield (
        f"{result.recordings} recordings of {result.recording_groups} groups (a group: one baby, "
        f"dog, device or session). {order.hours:g} h of scenes with sounds mixed into backgrounds "
        f"at {ratios} dB, {order.evening_hours:g} h of evenings without any of them; "
        f"seed {order.seed}."
    )
    if result.folds > 1:
        yield (
            f"Out of fold by group, {result.folds} folds pooled: each recording is heard by "
            "heads, calibrations and thresholds that were made without its group."
        )
    elif any(result.seen.values()):
        yield "**Not out of fold**: see † below."


def meaning(result: Evaluation) -> Iterator[str]:
    """What the figures rest on."""
    yield "### What the figures rest on"
    yield ""
    yield (
        "- In brackets stand intervals of 95 %: Wilson's for shares, the exact Poisson interval "
        "for rates."
    )
    yield from _zero(result)
    yield (
        "- An event is found where its sound is told between its onset and 3 s after its end. "
        "Latency is from the onset to that moment, in the audio's own time."
    )
    yield (
        "- Systems that classify window after window are run from four beginnings and averaged "
        "(the half-overlap loop from two)."
    )
    yield from _caveats(result)


def _zero(result: Evaluation) -> Iterator[str]:
    """What it means that there was no false alarm."""
    rendered = result.tally.at(OURS, "evenings").hours
    distinct = min(rendered, result.distinct_hours)
    if distinct <= 0:
        return
    again = ""
    if rendered > distinct:
        again = (
            f" The {rendered:.1f} h of evenings are made of these {distinct:.2f} h, which come "
            "again in them: counted as so many hours they would prove more than was heard."
        )
    yield (
        f"- **What a zero means.** The backgrounds are {result.distinct_hours:.2f} h of distinct "
        f"audio, and intervals of rates rest on no more than that.{again} No false alarm in "
        f"{distinct:.2f} h means: at 95 %, fewer than {zero_bound(distinct):.1f} an hour "
        f"(−ln 0.05 ÷ {distinct:.2f} h; the two-sided interval reaches to "
        f"{-math.log(0.025) / distinct:.1f}), not none. To show less than one in ten hours takes "
        f"{zero_bound(1.0) * 10.0:.0f} h of distinct audio without any."
    )


def _caveats(result: Evaluation) -> Iterator[str]:
    few = [sound for sound in result.order.sounds if 0 < result.groups[sound] < FEW_GROUPS]
    if few:
        thin = ", ".join(few)
        yield f"- Thin evidence, fewer than {FEW_GROUPS} groups of recordings (*): {thin}."
    if result.synthetic:
        names = ", ".join(result.synthetic)
        yield f"- Made by code, for want of recordings (s): {names}: no evidence of real ones."
    none = [
        sound
        for sound in result.order.sounds
        if not result.groups[sound] and sound not in result.synthetic
    ]
    if none:
        yield f"- No recordings at all of {', '.join(none)}: only false alarms are told of them."
    seen = [sound for sound in result.order.sounds if result.seen.get(sound)]
    if seen:
        yield (
            f"- **Seen (†)**: the evidence for {', '.join(seen)} was fitted on recordings that it "
            f"is measured on here. Give heads that were not, with --heads."
        )
