"""An evaluation as tables in Markdown, for people."""

from collections.abc import Iterator

from detector.workbench.cells import NOTHING, bold, groups, head, interval, latency, number, row
from detector.workbench.dueltables import duel_tables
from detector.workbench.evaluation import OURS, Evaluation
from detector.workbench.hardtables import calibration, everything_hard, foremost_hard, polyphonic
from detector.workbench.tally import ALL
from detector.workbench.telling import introduction, meaning


def markdown(result: Evaluation, command: str = "") -> str:
    """A whole page: what was done by which command, all tables, what the figures mean."""
    parts = (
        introduction(result, command),
        _overall(result),
        _by_sound(result),
        *duel_tables(result),
        _against(result),
        _clips(result),
        foremost_hard(result),
        everything_hard(result),
        calibration(result),
        polyphonic(result),
        meaning(result),
    )
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def _overall(result: Evaluation) -> Iterator[str]:
    """System by system."""
    ratios = result.order.plan.snrs_db
    heads = [f"recall at {snr_db:g} dB" for snr_db in ratios]
    yield "### All sounds together"
    yield ""
    yield from head(
        "system", *heads, "false alarms/h in scenes", "in evenings", "latency p50 / p95"
    )
    for system in result.systems:
        recalls = [interval(result.tally.at(system, "scenes", ALL, snr).recall) for snr in ratios]
        scenes = result.tally.at(system, "scenes")
        evenings = result.tally.at(system, "evenings")
        rates = (interval(one.rate(result.distinct_hours)) for one in (scenes, evenings))
        yield row(bold(system), *recalls, *rates, latency(scenes))


def _by_sound(result: Evaluation) -> Iterator[str]:
    """Ours, sound by sound and ratio by ratio."""
    yield "### Sound by sound"
    yield ""
    ratios = result.order.plan.snrs_db
    yield from head(
        "sound",
        "groups",
        *(f"recall at {snr_db:g} dB" for snr_db in ratios),
        "false alarms/h in scenes",
        "in evenings",
        "latency p50 / p95",
    )
    for sound in result.order.sounds:
        counts = [result.tally.at(OURS, "scenes", sound, snr) for snr in ratios]
        scenes = result.tally.at(OURS, "scenes", sound)
        rates = (
            interval(result.tally.at(OURS, part, sound).rate(result.distinct_hours))
            for part in ("scenes", "evenings")
        )
        recalls = (interval(count.recall) for count in counts)
        yield row(sound, groups(result, sound), *recalls, *rates, latency(scenes))


def _against(result: Evaluation) -> Iterator[str]:
    """Ours against every other, sound by sound: recall, and false alarms per hour of all parts."""
    yield "### Against the others: recall in scenes (false alarms per hour in scenes and evenings)"
    yield ""
    yield from head("sound", "dB", *(bold(system) for system in result.systems))
    for sound in (*result.order.sounds, ALL):
        for snr_db in (*result.order.plan.snrs_db, None):
            cells = [_cell(result, system, sound, snr_db) for system in result.systems]
            yield row(sound, NOTHING if snr_db is None else f"{snr_db:g}", *cells)


def _cell(result: Evaluation, system: str, sound: str, snr_db: float | None) -> str:
    """The false alarms of one ratio are those in its scenes; of all together, evenings as well."""
    count = result.tally.at(system, "scenes", sound, snr_db)
    false_alarms, hours = count.false_alarms, count.hours
    if snr_db is None:
        evenings = result.tally.at(system, "evenings", sound)
        false_alarms, hours = false_alarms + evenings.false_alarms, hours + evenings.hours
    if not count.events and not hours:
        return NOTHING
    rate = f"{false_alarms / hours:.1f}" if hours else NOTHING
    return f"{number(count.recall.value)} ({rate})"


def _clips(result: Evaluation) -> Iterator[str]:
    """Recordings by themselves, as they are labelled."""
    for part, title in (("clips", "Clips by themselves"), ("recordings", "Recordings with times")):
        if not any(
            place.part == part and count.hours for place, count in result.tally.counts.items()
        ):
            continue
        yield f"### {title}: recall [95 %], false alarms per hour"
        yield ""
        yield from head("sound", "groups", *(bold(system) for system in result.systems))
        for sound in (*result.order.sounds, ALL):
            counts = [result.tally.at(system, part, sound) for system in result.systems]
            cells = [f"{interval(one.recall)}, {number(one.rate().value, 1)}" for one in counts]
            yield row(sound, groups(result, sound) if sound != ALL else "", *cells)
        yield ""
