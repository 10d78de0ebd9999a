"""Where the model is on this machine, and where its bytes are published."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detector.core.errors import ModelError
from detector.model.download import FetchError, Progress, fetch
from detector.model.meantime import Patience, fetched_in_time
from detector.model.modelfile import sha256_of

_log = logging.getLogger(__name__)

OFFICIAL_SHA256 = "10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de"
"""Of YAMNet/classification, Google's int8 TFLite conversion."""
OFFICIAL_SIZE = 4_126_810
OFFICIAL_URLS = (
    "https://tfhub.dev/google/lite-model/yamnet/classification/tflite/1?lite-format=tflite",
    "https://storage.googleapis.com/mediapipe-assets/yamnet_audio_classifier_with_metadata.tflite?generation=1661875980774466",
    "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/audio_classification/rpi/lite-model_yamnet_classification_tflite_1.tflite",
    "https://raw.githubusercontent.com/tensorflow/tflite-support/f606e3f59240d71fd37d23316822ff0bd1d531ef/tensorflow_lite_support/cc/test/testdata/task/audio/yamnet_audio_classifier_with_metadata.tflite",
)
"""Where the same bytes are published; tried in order."""

TIMEOUT_S = 20.0
"""How long an address may be silent."""
MODEL_VARIABLE = "DETECTOR_MODEL"
"""Environment variable that names a model file."""

SYSTEM_CACHE = Path("/var/cache/detector")
"""The cache that the service and all users share."""


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that can be fetched, known by its content."""

    sha256: str
    size: int
    urls: Sequence[str]

    @property
    def file_name(self) -> str:
        """What it is called in a cache."""
        return f"yamnet-{self.sha256[:8]}.tflite"


OFFICIAL = PublishedModel(OFFICIAL_SHA256, OFFICIAL_SIZE, OFFICIAL_URLS)


def cache_candidates(
    environ: Mapping[str, str], published: PublishedModel = OFFICIAL
) -> list[Path]:
    """Files in which a fetched model may lie: the service's cache, the user's, the system's."""
    folders = []
    if service := environ.get("CACHE_DIRECTORY"):
        folders += [Path(folder) for folder in service.split(":")]
    if (user := environ.get("XDG_CACHE_HOME", "")).startswith("/"):
        folders.append(Path(user) / "detector")
    elif home := environ.get("HOME"):
        folders.append(Path(home) / ".cache" / "detector")
    folders.append(SYSTEM_CACHE)
    return [folder / published.file_name for folder in dict.fromkeys(folders)]


def cache_destination(candidates: Sequence[Path]) -> Path:
    """Where a fetched model is put: the first of the candidates that this user may write.

    Raises ModelError where there is none.
    """
    for path in candidates:
        if _is_writable(path.parent):
            return path
    folders = ", ".join(str(path.parent) for path in candidates)
    raise ModelError(f"no folder to keep the model in: cannot write to {folders}")


def find_model(
    *,
    option: Path | None = None,
    configured: Path | None = None,
    environ: Mapping[str, str],
    published: PublishedModel = OFFICIAL,
) -> Path | None:
    """Find the model: ``option``, else $DETECTOR_MODEL, else ``configured``, else the caches.

    A file that is named is taken whatever it holds: a model of one's own is welcome.  One in a
    cache is taken only with the published content; any other is warned about and passed over.
    Raises ModelError where a file is named but is not there.
    """
    named = _named_model(option, configured, environ)
    if named is not None:
        return _require_there(*named)
    for path in cache_candidates(environ, published):
        if _is_intact(path, published):
            return path
    return None


def is_named(option: Path | None, configured: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether somebody names a model, so that no other will do."""
    return _named_model(option, configured, environ) is not None


def resolve_model(
    *,
    option: Path | None = None,
    configured: Path | None = None,
    environ: Mapping[str, str],
    published: PublishedModel = OFFICIAL,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
    patience: Patience | None = None,
) -> Path:
    """Find the model as ``find_model`` does, or fetch it into a cache.

    ``timeout_s`` is how long an address may be silent; ``patience`` how long all of it may take
    before it is left to go on aside, which is LateError.
    Raises ModelError: a first line that says what is wrong, then where it was looked for, what
    each address answered, and how to put the file there by hand.
    """
    found = find_model(option=option, configured=configured, environ=environ, published=published)
    if found is not None:
        return found
    candidates = cache_candidates(environ, published)
    destination = cache_destination(candidates)

    def get(report: Progress | None) -> None:
        _fetch(published, destination, progress=report, timeout_s=timeout_s)

    try:
        if patience is None:
            get(progress)
        else:
            fetched_in_time(get, patience, progress=progress)
    except FetchError as error:
        raise ModelError(_nowhere(candidates, error)) from error
    return destination


def fetch_model(
    *,
    urls: Sequence[str] | None = None,
    system: bool = False,
    environ: Mapping[str, str],
    published: PublishedModel = OFFICIAL,
    system_cache: Path = SYSTEM_CACHE,
    progress: Progress | None = None,
) -> Path:
    """Put the published model into a cache, unless it is there already; where it is now.

    ``urls`` stand in for the published addresses, with the same content; ``system`` takes the
    system's cache instead of the first that can be written.
    Raises ModelError where no address gives the file, or it cannot be written.
    """
    candidates = cache_candidates(environ, published)
    wanted = replace(published, urls=urls) if urls else published
    destination = system_cache / wanted.file_name if system else cache_destination(candidates)
    if _is_intact(destination, wanted):
        _log.info("the model is there already; nothing was fetched")
        return destination
    try:
        _fetch(wanted, destination, progress=progress)
    except FetchError as error:
        if urls:
            raise  # whoever named the addresses needs no advice on addresses
        raise ModelError(_nowhere(candidates, error)) from error
    return destination


def _fetch(
    published: PublishedModel,
    destination: Path,
    *,
    progress: Progress | None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    _log.info("fetching the model, %.1f MB, to %s", published.size / 1e6, destination)
    url = fetch(
        published.urls,
        destination,
        sha256=published.sha256,
        size=published.size,
        progress=progress,
        timeout_s=timeout_s,
    )
    _log.info("fetched the model from %s", url)


def _named_model(
    option: Path | None, configured: Path | None, environ: Mapping[str, str]
) -> tuple[Path, str] | None:
    """The file that is named, and by what."""
    if option is not None:
        return option, "--model"
    if variable := environ.get(MODEL_VARIABLE):
        return Path(variable).expanduser(), MODEL_VARIABLE
    if configured is not None:
        return configured, "model.path"
    return None


def _require_there(named: Path, origin: str) -> Path:
    try:
        named.stat()
    except OSError as error:
        raise ModelError(
            f"{named}: cannot read the model that {origin} names: {error.strerror}"
        ) from error
    return named


def _is_intact(path: Path, published: PublishedModel) -> bool:
    """Whether a cached file holds the published content; says so where it holds another."""
    try:
        actual = sha256_of(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        _log.warning("passing over the cached model %s: %s", path, error.strerror or error)
        return False
    if actual != published.sha256:
        _log.warning(
            "refusing the cached model %s: its SHA-256 is %s instead of %s; it is damaged",
            path,
            actual,
            published.sha256,
        )
    return actual == published.sha256


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder that is there, or that can be made."""
    existing = next(place for place in (folder, *folder.parents) if os.access(place, os.F_OK))
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _nowhere(candidates: Sequence[Path], error: FetchError) -> str:
    lines = [
        "there is no model on this machine, and it could not be fetched",
        "looked for it at:",
        *(f"  {path}" for path in candidates),
        f"  (--model, ${MODEL_VARIABLE} and model.path are not set)",
        "tried to fetch it from:",
        *error.lines(),
        "to put it there by hand, fetch one of these addresses on another machine, then:",
        "  detector model fetch --url file:///media/usb/yamnet.tflite",
        f"or name the file: --model FILE, {MODEL_VARIABLE}=FILE or model.path in the configuration",
    ]
    return "\n".join(lines)
