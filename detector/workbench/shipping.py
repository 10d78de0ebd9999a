"""Heads and thresholds as files, with what they rest on."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from detector import __version__
from detector.config import CalibrationConfig, EvidenceConfig, FittedFor, SoundConfig
from detector.config.calibration import (
    CALIBRATION_NAME,
    VERSION,
    CalibratedSound,
    CalibrationFile,
    Provenance,
)
from detector.config.calibration_text import calibration_text
from detector.core.recognition import RecogniserSpec
from detector.events.curves import Sigmoid
from detector.events.refit import Line
from detector.service.headfile import HeadFile
from detector.service.headwrite import TrunkFile, head_document, trunk_document
from detector.workbench.course import FOLDS
from detector.workbench.dataset import Recording, group_mark, groups_of
from detector.workbench.metrics import Interval
from detector.workbench.settling import Figures, Settled
from detector.workbench.training import Learnt

_SPLIT = (
    f"{FOLDS} folds by group; curve and threshold on groups that the head has not heard; figures "
    "on groups that none of the three has"
)
_UNMEASURED = {"told_by": "detector evaluate --heads, on the groups that were left out"}
_METHOD = (
    "heads and logistic curves learnt out of fold by group; the lowest threshold that keeps within "
    "a budget of false alarms in generated scenes"
)


@dataclass(frozen=True, slots=True)
class Made:
    """One sound, settled."""

    sound: str
    config: SoundConfig
    has_head: bool
    settled: Settled
    figures: Figures | None
    """None where nobody asked, or there is nothing to measure on."""
    events: bool = True
    """Whether recordings of it were there to fit a curve on."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that goes into one folder."""

    made: Sequence[Made]
    learnt: Learnt
    recordings: Sequence[Recording]
    """That the heads were learnt from."""
    spec: RecogniserSpec
    seed: int


def write(folder: Path, work: Work) -> None:
    """A file for each head, one for the layer that they share, and the calibration of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("trunk-*.json"):
        old.unlink()
    trunk = trunk_document(work.learnt.trunk)
    name = f"trunk-{sha256(trunk).hexdigest()[:8]}.json"
    (folder / name).write_bytes(trunk)
    file = TrunkFile(name, sha256(trunk).hexdigest())
    for one in work.made:
        if one.has_head:
            document = head_document(_head(work, one), [file])
            (folder / f"{one.sound}.json").write_bytes(document)
    text = calibration_text(_calibration(work, folder), folder)
    (folder / CALIBRATION_NAME).write_text(text, encoding="utf-8")


def _head(work: Work, one: Made) -> HeadFile:
    learnt, line = work.learnt, one.settled.line
    return HeadFile(
        sound=one.sound,
        recogniser=work.spec.content_hash,
        hop_s=work.spec.hop_s,
        trunks=(learnt.trunk, learnt.families[one.sound]),
        weights=learnt.weights[one.sound],
        bias=learnt.bias[one.sound],
        curve=Sigmoid(line.slope, line.offset),
        provenance={
            "data": sources_of(work.recordings),
            "groups": sorted(map(group_mark, groups_of(work.recordings))),
            "split": f"{_SPLIT}; seed {work.seed}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "code_version": __version__,
            "figures": told(one.figures, one.settled.threshold) if one.figures else _UNMEASURED,
        },
    )


def sources_of(recordings: Sequence[Recording]) -> list[dict[str, Any]]:
    """Where recordings come from, under which licences, and how many."""
    found: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for one in recordings:
        found[one.source, re.split(r" ?[(,;]", one.licence)[0]].append(one)
    return [
        {"source": source, "licence": licence, "recordings": len(of), "groups": len(groups_of(of))}
        for (source, licence), of in sorted(found.items())
    ]


def told(figures: Figures, threshold: float) -> dict[str, Any]:
    """Figures as a head's file has them."""
    return {
        "threshold": threshold,
        "recall_by_snr_db": {f"{snr:g}": _interval(r) for snr, r in figures.recalls.items()},
        "events_by_snr_db": figures.events,
        "false_alarms": figures.false_alarms,
        "hours": round(figures.hours, 2),
        "false_alarms_per_hour": _interval(figures.per_hour),
    }


def _interval(of: Interval) -> list[float]:
    """Value, and its interval of 95 %."""
    return [round(one, 3) for one in (of.value, of.low, of.high)]


def _calibration(work: Work, folder: Path) -> CalibrationFile:
    groups = len(groups_of(work.recordings))
    provenance = Provenance(
        made_by=f"detector {__version__}",
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        target="few false alarms in scenes full of other sounds, none in evenings",
        data=(f"{len(work.recordings)} recordings, {groups} groups",),
        method=_METHOD,
    )
    sounds = {one.sound: _calibrated(work, one, folder) for one in work.made}
    return CalibrationFile(version=VERSION, provenance=provenance, sounds=MappingProxyType(sounds))


def _calibrated(work: Work, one: Made, folder: Path) -> CalibratedSound:
    return CalibratedSound(
        evidence=evidence_of(work.spec, one, folder / f"{one.sound}.json"),
        threshold=one.settled.threshold,
        release_threshold=one.settled.release_threshold,
        basis=basis(one),
    )


def evidence_of(spec: RecogniserSpec, one: Made, head: Path) -> tuple[EvidenceConfig, ...]:
    """The sound's evidence: its head, or its family with a curve; and whatever else it had."""
    first, *rest = one.config.evidence
    if one.has_head:
        mine = EvidenceConfig(kind="head", classes=first.classes, pooling=first.pooling, head=head)
        return (mine, *rest)
    line = one.settled.line
    if line == Line():
        return (EvidenceConfig(classes=first.classes, pooling=first.pooling), *rest)
    fitted = FittedFor(recogniser=spec.content_hash, hop_seconds=spec.hop_s, pooling=first.pooling)
    curve = CalibrationConfig(
        method="platt",
        slope=round(line.slope, 4),
        offset=round(line.offset, 4),
        fitted_for=fitted,
    )
    mine = EvidenceConfig(classes=first.classes, pooling=first.pooling, calibration=curve)
    return (mine, *rest)


def basis(one: Made) -> str:
    """What a threshold rests on, in one line."""
    figures = one.figures
    if figures is None:
        return "no recordings of it: the threshold keeps false alarms away, and no more is known"
    recalls = "/".join(f"{recall.value:.2f}" for recall in figures.recalls.values())
    return (
        f"recall {recalls} at 20/10/3 dB of {figures.events} events each; "
        f"{figures.false_alarms} false alarms in {figures.hours:.1f} h of scenes"
    )
