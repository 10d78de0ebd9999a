"""Sounds of one's own on the disk: what the daemon listens by, and what it was learnt from.

Two files a sound in the state directory's ``sounds``: ``my_bell.json``, the file of a head with
settings beside it, which the configuration takes in, and ``my_bell.takes.json``, embeddings of the
takes, to learn from again.  Audio is never kept.  Each is written whole or not at all, the takes
first: a head without its takes could not be learnt anew.
"""

import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.config.own import (
    TAKES_SUFFIX,
    Unusable,
    begun_names,
    digest_of,
    learnt_sound,
    own_names,
)
from detector.config.setting import NAME_PATTERN, SHA256_MEANS, SHA256_PATTERN
from detector.core.errors import ConfigError, DataError
from detector.core.recognition import EMBEDDING, Array, RecogniserSpec
from detector.learning.augmenting import Heard
from detector.learning.takes import are_alike
from detector.service.headfile import HeadFile, HeadReader
from detector.service.headwrite import head_document
from detector.service.jsondoc import Value, packed, read_document
from detector.service.ownfiles import content_of, encoded, is_there, kept_content, write_all

_log = logging.getLogger(__name__)

TAKES_FORMAT, BUNDLE_FORMAT, VERSION = "detector-takes", "detector-sounds", 1
FIGURES = ("takes", "takes_found", "false_alarms", "hours")
"""What is told of a sound, of its provenance's figures."""
_NO_LINE_PATTERN = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
_LONGEST_TAKE_NAME = 300


@dataclass(frozen=True, slots=True)
class KeptTake:
    """What is kept of a take."""

    name: str
    """For people."""
    digest: str
    """SHA-256 of its audio, or of its embeddings where no audio was there."""
    heard: Heard
    sketch: Array | None = None
    """By which a copy at another level is told, where audio was there."""

    def is_copy(self, other: "KeptTake") -> bool:
        """Whether both are of one recording."""
        return self.digest == other.digest or are_alike(self.sketch, other.sketch)


@dataclass(frozen=True, slots=True)
class OwnSound:
    """A sound of one's own, as it lies on the disk."""

    head: HeadFile
    settings: Mapping[str, Any]
    """``label``, ``classes``, ``threshold`` …, see ``detector.config.own``."""
    takes: tuple[KeptTake, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.head.sound

    def renamed(self, name: str) -> "OwnSound":
        """Under another name."""
        label = name.replace("_", " ").capitalize()
        return OwnSound(
            replace(self.head, sound=name), {**self.settings, "label": label}, self.takes
        )

    def misfit(self, spec: RecogniserSpec) -> str:
        """Why it cannot be used, or learnt anew, beside a recogniser; nothing where it can."""
        if misfit := self.head.misfit(spec):
            return misfit
        if unknown := [one for one in self.settings["classes"] if one not in spec.labels]:
            return f'"{unknown[0]}" is not a class of the model'
        return takes_misfit(self.takes, spec)


class OwnSounds:
    """The sounds in a folder. For one thread; two programs that write at once may lose a change.

    Every method raises DataError or ConfigError, in one line, for what cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Those that are there, damaged or not."""
        return self._listed(own_names)

    def begun(self) -> list[str]:
        """Those of which takes are kept, but too few yet: nothing is listened for."""
        return sorted(set(self._listed(begun_names)) - set(self.names()))

    def _listed(self, names: Callable[[Path], Iterable[str]]) -> list[str]:
        try:
            return list(names(self.folder))
        except PermissionError:
            raise DataError(
                f"{self.folder} cannot be listed: it is the service's; say it again with sudo"
            ) from None
        except OSError as error:
            raise DataError(f"{self.folder} cannot be listed: {error.strerror}") from error

    def read(self, name: str) -> OwnSound:
        """One of them."""
        path = self._path(name)
        if not is_there(path):
            there = ", ".join(self.names()) or "none at all"
            raise DataError(f"{name}: there is no such sound of your own ({there})")
        head, settings = _checked(name, kept_content(path), str(path))
        return OwnSound(head, settings, self.takes(name))

    def read_all(self) -> list[OwnSound]:
        """All that can be read; what is damaged is logged."""
        found = []
        for name in self.names():
            try:
                found.append(self.read(name))
            except (ConfigError, DataError) as error:
                _log.warning("%s is left out: %s", name, error)
        return found

    def write(self, sounds: Sequence[OwnSound]) -> None:
        """Write some of them; all drafts lie on the disk before the first takes its place.

        Nothing is written of what could not be read again.
        """
        takes = [(self._takes_path(one.name), _takes_text(one.name, one.takes)) for one in sounds]
        heads = [(self._path(one.name), encoded(sound_document(one))) for one in sounds]
        for path, content in heads:
            _check(path.stem, content, str(path))
        write_all(self.folder, [*takes, *heads])

    def takes(self, name: str) -> tuple[KeptTake, ...]:
        """The takes of a sound, also of one that has too few to be learnt yet."""
        path = self._takes_path(name)
        if not is_there(path):
            return ()
        return takes_in(read_document(str(path), kept_content(path)))

    def keep_takes(self, name: str, takes: Sequence[KeptTake]) -> None:
        """Keep takes of a sound that has too few yet; nothing is listened for."""
        write_all(self.folder, [(self._takes_path(name), _takes_text(name, takes))])

    def forget(self, name: str) -> None:
        """Remove one, damaged or not: what is listened by first."""
        paths = [path for path in (self._path(name), self._takes_path(name)) if is_there(path)]
        if not paths:
            self.read(name)  # which says that there is none
        for path in paths:
            try:
                path.unlink()
            except OSError as error:
                raise DataError(f"{path} cannot be removed: {error.strerror}") from error

    def rename(self, name: str, new: str) -> None:
        """Give one another name."""
        sound = self.read(name)
        if is_there(self._path(new)) or is_there(self._takes_path(new)):
            raise DataError(
                f"{new}: there is one of that name already, or takes for one; forget that first"
            )
        self.write([sound.renamed(new)])
        self.forget(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{_good(name)}.json"

    def _takes_path(self, name: str) -> Path:
        return self.folder / f"{_good(name)}{TAKES_SUFFIX}"


def _good(name: str) -> str:
    """A name that stays in its folder."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise DataError(f"{name!r} is not the name of a sound")
    return name


def _checked(name: str, content: bytes, where: str) -> tuple[HeadFile, Mapping[str, Any]]:
    """Head and settings of a file that can be listened by; ``where`` tells people of it."""
    document = read_document(where, content)
    _check(name, content, where)
    figures = document.field("provenance").field("figures")
    for figure in FIGURES:
        figures.field(figure).number(0.0)
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / f"{name}.json"
        beside.write_bytes(content)
        try:
            head = HeadReader().read(beside.parent, beside.name)
        except ConfigError as error:
            damage = error.problems[0]
            raise DataError(f"{where} is damaged: {damage.key} {damage.message}") from None
    return head, dict(document.field("settings").raw)


def _check(name: str, content: bytes, where: str) -> None:
    """Raise DataError for what the configuration would leave out."""
    try:
        learnt_sound(Path(f"{name}.json"), content)
    except Unusable as error:
        raise DataError(f"{where} is damaged: {error}") from None


def sound_document(sound: OwnSound) -> dict[str, Any]:
    """The file of a sound: of its head, with settings beside it."""
    document = json.loads(head_document(sound.head))
    document["settings"] = dict(sound.settings)
    return {**document, "digest": digest_of(document)}


def _takes_document(name: str, takes: Sequence[KeptTake]) -> dict[str, Any]:
    documents = [
        {
            "name": re.sub(_NO_LINE_PATTERN, "?", take.name)[-_LONGEST_TAKE_NAME:],
            "digest": take.digest,
            "embeddings": packed(take.heard.embeddings),
            "versions": take.heard.versions.tolist(),
            "around": packed(take.heard.around) if len(take.heard.around) else None,
            "sketch": None if take.sketch is None else packed(take.sketch),
        }
        for take in takes
    ]
    return {"format": TAKES_FORMAT, "version": VERSION, "sound": name, "takes": documents}


def _takes_text(name: str, takes: Sequence[KeptTake]) -> bytes:
    return encoded(_takes_document(name, takes))


def takes_in(root: Value) -> tuple[KeptTake, ...]:
    """The takes of a document; raises ConfigError for a damaged one."""
    if root.field("format").raw != TAKES_FORMAT or root.field("version").raw != VERSION:
        root.fail("is no file of takes that is known here")
    return tuple(_take(one) for one in root.field("takes").items())


def _take(value: Value) -> KeptTake:
    embeddings = value.field("embeddings").array(2)
    versions = np.array([one.whole() for one in value.field("versions").items()], np.intp)
    around = value.optional("around")
    if len(versions) != len(embeddings):
        value.field("versions").fail(f"has {len(versions)} numbers for {len(embeddings)} windows")
    windows = np.zeros((0, embeddings.shape[1]), np.float32) if around is None else around.array(2)
    if around is not None and windows.shape[1] != embeddings.shape[1]:
        around.fail(f"has {windows.shape[1]} numbers a window, not {embeddings.shape[1]}")
    sketch = value.optional("sketch")
    return KeptTake(
        re.sub(_NO_LINE_PATTERN, "?", value.field("name").text())[-_LONGEST_TAKE_NAME:],
        value.field("digest").matching(SHA256_PATTERN, SHA256_MEANS),
        Heard(embeddings, versions, windows),
        None if sketch is None else sketch.array(1),
    )


def takes_misfit(takes: Sequence[KeptTake], spec: RecogniserSpec) -> str:
    """Why takes cannot be learnt from with a recogniser; nothing where they can."""
    wanted = spec.outputs.get(EMBEDDING, (0,))[0]
    sizes = {take.heard.embeddings.shape[1] for take in takes} - {wanted}
    return f"its takes have {sizes.pop()} numbers a window, not {wanted}" if sizes else ""


def bundle_of(sounds: Sequence[OwnSound]) -> bytes:
    """Sounds for another machine with the same model: labels, heads, and the takes' embeddings."""
    return encoded(
        {
            "format": BUNDLE_FORMAT,
            "version": VERSION,
            "labels": [sound.name for sound in sounds],
            "sounds": [
                {
                    "sound": sound_document(sound),
                    "takes": _takes_document(sound.name, sound.takes),
                }
                for sound in sounds
            ],
        }
    )


def sounds_in(path: Path) -> list[OwnSound]:
    """The sounds of such a file; raises DataError or ConfigError for one that cannot be used."""
    root = read_document(str(path), content_of(path))
    known = root.optional("format")
    if known is None or known.raw != BUNDLE_FORMAT:
        raise DataError(f"{path} is no file of `detector sounds export`")
    if root.field("version").whole() != VERSION:
        root.field("version").fail(f"{root.raw['version']} is not known here: {VERSION} is")
    found = [_sound(path, one) for one in root.field("sounds").items()]
    names = [one.name for one in found]
    if doubles := {name for name in names if names.count(name) > 1}:
        raise DataError(f"{path}: {min(doubles)} stands in it twice")
    return found


def _sound(path: Path, value: Value) -> OwnSound:
    document = value.field("sound")
    name = document.field("sound").matching(NAME_PATTERN, "the name of a sound")
    try:
        content = encoded(document.raw)
    except ValueError:  # half a character
        document.fail("holds what is no text")
    head, settings = _checked(name, content, f"{path}: {name}")
    return OwnSound(head, settings, takes_in(value.field("takes")))
