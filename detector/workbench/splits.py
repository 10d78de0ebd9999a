"""Who was fitted on what: so that nothing is measured on what it has learnt from unsaid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from detector.config import Config, SoundConfig
from detector.config.calibration import CALIBRATION_NAME, CalibratedSound, read_calibration
from detector.core.errors import DataError
from detector.service.headfile import HeadFile, HeadReader
from detector.service.heads import read_shipped, shipped_heads
from detector.workbench.dataset import Recording, group_mark, groups_of


@dataclass(frozen=True, slots=True)
class Split:
    """A configuration, and the groups to measure it on."""

    number: int
    config: Config
    held_out: frozenset[str]
    fitted_on: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """By sound: the groups that its evidence was fitted on, as marks or names."""

    def seen_groups(self, sound: str, recordings: Sequence[Recording]) -> int:
        """How many groups of these recordings it is measured on although it learnt from them."""
        measured = self.held_out & set(groups_of(recordings))
        learnt = set(map(group_mark, self.fitted_on.get(sound, frozenset())))
        return len(learnt & set(map(group_mark, measured)))


def as_configured(config: Config, recordings: Sequence[Recording]) -> tuple[Split, ...]:
    """Everything measured with what is in force, whatever it was fitted on."""
    held_out = frozenset(groups_of(recordings))
    return (Split(0, config, held_out, fitted_groups(config)),)


def out_of_fold(config: Config, recordings: Sequence[Recording], folder: Path) -> tuple[Split, ...]:
    """One split for each of the folder's folders of heads (``fold-0/baby_cry.json`` …).

    Each group is measured in the first split whose heads have not learnt from it.

    Raises DataError where there are no such folders, or every split has learnt from a group, and
    ConfigError for a head that is damaged.
    """
    folds = sorted(path for path in folder.glob("*") if any(path.glob("*.json")))
    if not folds:
        raise DataError(f"{folder} holds no folders of heads, such as {folder / 'fold-0'}")
    left = set(groups_of(recordings))
    splits = []
    for number, fold in enumerate(folds):
        ours = with_heads(config, fold)
        fitted = fitted_groups(ours)
        learnt = frozenset().union(*fitted.values())
        unheard = frozenset(group for group in left if group_mark(group) not in learnt)
        splits.append(Split(number, ours, unheard, fitted))
        left -= unheard
    if left:
        others = f" (and {len(left) - 1} other groups)" if len(left) > 1 else ""
        raise DataError(
            f"{min(left)} was learnt from in every fold of {folder}{others}: it cannot be measured "
            f"out of fold"
        )
    return tuple(splits)


def with_heads(config: Config, folder: Path) -> Config:
    """The configuration with the heads of a folder in place of those that are shipped.

    A calibration that lies beside them goes over all sounds: evidence and thresholds that were
    settled without what is held out.  Raises ConfigError for one that cannot be read.
    """
    sounds = {name: _with_head(name, sound, folder) for name, sound in config.sounds.items()}
    file = folder / CALIBRATION_NAME
    calibrated = read_calibration(file).sounds if file.is_file() else {}
    for name in sounds.keys() & calibrated.keys():
        sounds[name] = _calibrated(sounds[name], calibrated[name])
    return replace(config, sounds=MappingProxyType(sounds))


def _calibrated(sound: SoundConfig, by: CalibratedSound) -> SoundConfig:
    threshold = sound.threshold if by.threshold is None else by.threshold
    release = sound.release_threshold if by.release_threshold is None else by.release_threshold
    return replace(
        sound,
        evidence=by.evidence or sound.evidence,
        threshold=threshold,
        release_threshold=min(release, threshold),
    )


def _with_head(name: str, sound: SoundConfig, folder: Path) -> SoundConfig:
    file = folder / f"{name}.json"
    if not file.is_file():
        return sound
    evidence = tuple(
        replace(one, head=file) if one.kind == "head" else one for one in sound.evidence
    )
    return replace(sound, evidence=evidence)


def fitted_groups(config: Config) -> Mapping[str, frozenset[str]]:
    """By sound: the marks of the groups that its heads have learnt from, as they say themselves."""
    return MappingProxyType(
        {
            name: frozenset().union(*_groups_of_heads(name, sound))
            for name, sound in config.enabled_sounds.items()
        }
    )


def _groups_of_heads(name: str, sound: SoundConfig) -> Iterable[frozenset[str]]:
    reader = HeadReader()
    for evidence in sound.evidence:
        if evidence.kind == "head" and evidence.head is not None:
            yield _learnt_from(reader.read(evidence.head.parent, evidence.head.name))
        elif evidence.kind == "head" and name in shipped_heads():
            yield _learnt_from(read_shipped(name, reader))


def _learnt_from(head: HeadFile) -> frozenset[str]:
    """Marks, also of a head that names its groups."""
    groups = head.provenance.get("groups", ())
    return frozenset(group_mark(str(one)) for one in groups if not isinstance(groups, str))
