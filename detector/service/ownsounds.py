"""Sounds of one's own on the disk: what the daemon listens by, and what it was learnt from.

Two files a sound in the state directory's ``sounds``: ``my_bell.json``, the file of a head with
settings beside it, which the configuration takes in, and ``my_bell.takes.json``, embeddings of the
takes, to learn from again.  Audio is never kept.  Each is written whole or not at all, the takes
first: a head without its takes could not be learnt anew.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.config.own import TAKES_SUFFIX, digest_of
from detector.config.setting import NAME_PATTERN, SHA256_MEANS, SHA256_PATTERN
from detector.core.errors import DataError
from detector.learning.augmenting import Heard
from detector.service.headfile import HeadFile, HeadReader
from detector.service.headwrite import head_document
from detector.service.jsondoc import Value, packed, read_document

TAKES_FORMAT, BUNDLE_FORMAT, VERSION = "detector-takes", "detector-sounds", 1
MOST_BUNDLE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptTake:
    """What is kept of a take."""

    name: str
    """For people."""
    digest: str
    """SHA-256 of its audio, or of its embeddings where no audio was there."""
    heard: Heard


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


class OwnSounds:
    """The sounds in a folder. For one thread; two programs that write at once may lose a change.

    Every method raises DataError or ConfigError, in one line, for what cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Those that are there."""
        found = (path.name for path in self.folder.glob("*.json"))
        return sorted(
            name.removesuffix(".json") for name in found if not name.endswith(TAKES_SUFFIX)
        )

    def read(self, name: str) -> OwnSound:
        """One of them."""
        path = self._path(name)
        if not path.exists():
            there = ", ".join(self.names()) or "none at all"
            raise DataError(f"{name}: there is no such sound of your own ({there})")
        document = read_document(str(path), _content(path))
        head = HeadReader().read(self.folder, path.name)
        return OwnSound(head, dict(document.field("settings").raw), self.takes(name))

    def read_all(self) -> list[OwnSound]:
        """All of them."""
        return [self.read(name) for name in self.names()]

    def write(self, sounds: Sequence[OwnSound]) -> None:
        """Write some of them; all drafts lie on the disk before the first takes its place."""
        takes = [(self._takes_path(one.name), _takes_text(one.name, one.takes)) for one in sounds]
        heads = [(self._path(one.name), _encoded(sound_document(one))) for one in sounds]
        _write_all(self.folder, [*takes, *heads])

    def takes(self, name: str) -> tuple[KeptTake, ...]:
        """The takes of a sound, also of one that has too few to be learnt yet."""
        path = self._takes_path(name)
        if not path.exists():
            return ()
        return takes_in(read_document(str(path), _content(path)))

    def keep_takes(self, name: str, takes: Sequence[KeptTake]) -> None:
        """Keep takes of a sound that has too few yet; nothing is listened for."""
        _write_all(self.folder, [(self._takes_path(name), _takes_text(name, takes))])

    def forget(self, name: str) -> None:
        """Remove one, damaged or not: what is listened by first."""
        paths = [path for path in (self._path(name), self._takes_path(name)) if path.exists()]
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
        if self._path(new).exists():
            raise DataError(f"{new}: there is one of that name already; forget that first")
        self.write([sound.renamed(new)])
        self.forget(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _takes_path(self, name: str) -> Path:
        return self.folder / f"{name}{TAKES_SUFFIX}"


def sound_document(sound: OwnSound) -> dict[str, Any]:
    """The file of a sound: of its head, with settings beside it."""
    document = json.loads(head_document(sound.head))
    document["settings"] = dict(sound.settings)
    return {**document, "digest": digest_of(document)}


def _takes_document(name: str, takes: Sequence[KeptTake]) -> dict[str, Any]:
    documents = [
        {
            "name": take.name,
            "digest": take.digest,
            "embeddings": packed(take.heard.embeddings),
            "versions": take.heard.versions.tolist(),
            "around": packed(take.heard.around) if len(take.heard.around) else None,
        }
        for take in takes
    ]
    return {"format": TAKES_FORMAT, "version": VERSION, "sound": name, "takes": documents}


def _takes_text(name: str, takes: Sequence[KeptTake]) -> bytes:
    return _encoded(_takes_document(name, takes))


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
    nothing = np.zeros((0, embeddings.shape[1]), np.float32)
    return KeptTake(
        value.field("name").text(),
        value.field("digest").matching(SHA256_PATTERN, SHA256_MEANS),
        Heard(embeddings, versions, nothing if around is None else around.array(2)),
    )


def bundle_of(sounds: Sequence[OwnSound]) -> bytes:
    """Sounds for another machine with the same model: labels, heads, and the takes' embeddings."""
    return _encoded(
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
    try:
        content = _content(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    root = read_document(str(path), content)
    known = root.optional("format")
    if known is None or known.raw != BUNDLE_FORMAT:
        raise DataError(f"{path} is no file of `detector sounds export`")
    if root.field("version").whole() != VERSION:
        root.field("version").fail(f"{root.raw['version']} is not known here: {VERSION} is")
    return [_sound(path, one) for one in root.field("sounds").items()]


def _sound(path: Path, value: Value) -> OwnSound:
    document = value.field("sound")
    if document.field("digest").text() != digest_of(document.raw):
        raise DataError(f"{path} is damaged: {document.key} is not what was written")
    name = document.field("sound").matching(NAME_PATTERN, "the name of a sound")
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / f"{name}.json"
        beside.write_text(json.dumps(document.raw), encoding="utf-8")
        head = HeadReader().read(beside.parent, beside.name)
    return OwnSound(head, dict(document.field("settings").raw), takes_in(value.field("takes")))


def write_file(path: Path, content: bytes) -> None:
    """A file of one's own, whole or not at all; raises DataError where it cannot be written."""
    _write_all(path.parent, [(path, content)])


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BUNDLE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BUNDLE_BYTES:
        raise DataError(f"{path} is larger than any file of sounds")
    return content


def _encoded(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_all(folder: Path, texts: Iterable[tuple[Path, bytes]]) -> None:
    drafts: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in texts:
            drafts.append((_draft(folder, path.name, content), path))
        for draft, path in drafts:
            draft.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{folder} cannot be written: {reason}; nothing was changed") from error
    finally:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)


def _draft(folder: Path, name: str, content: bytes) -> Path:
    """A file beside, safely on the disk, for the folder's owner alone."""
    handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(PermissionError):  # of root, for the service's user
            owner = folder.stat()
            shutil.chown(beside, owner.st_uid, owner.st_gid)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return Path(beside)
