"""What only two settings together, or a setting and the machine, can get wrong."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.config.describe import join, number_text
from detector.config.document import Document
from detector.config.schema import Config, EvidenceConfig, MqttConfig, SoundConfig
from detector.config.values import suggestion
from detector.core.errors import Problem


def check(document: Document, config: Config) -> None:
    """Note every problem that a configuration has although each setting is right by itself."""
    for name, sound in config.sounds.items():
        check_sound(document, f"sounds.{name}", sound)
    _check_source(document, config)
    _check_broker(document, config)
    _check_tls(document, config)
    _check_files(document, config)


def check_sound(document: Document, key: str, sound: SoundConfig) -> None:
    """The same for one sound, whose settings stand below ``key``."""
    for low, high, unit in (
        ("release_threshold", "threshold", ""),
        ("confirm_seconds", "confirm_within_seconds", " s"),
    ):
        if getattr(sound, low) > getattr(sound, high):
            values = [number_text(getattr(sound, name)) + unit for name in (low, high)]
            _note_crossed(document, key, (low, high), values)
    for number, evidence in enumerate(sound.evidence):
        _check_kind(document, f"{key}.evidence[{number}]", evidence)
        _check_calibration(document, f"{key}.evidence[{number}]", evidence)
        _check_doubles(document, f"{key}.evidence[{number}].classes", evidence)


def _note_crossed(
    document: Document, key: str, names: tuple[str, str], values: Sequence[str]
) -> None:
    """Note, on the line of whichever is written, that the lower of two is above the other."""
    low, high = (join(key, name) for name in names)
    if document.wrong & {low, high}:
        return
    if document.is_written(low):
        document.problem_at(low, f"{values[0]} is above {names[1]} ({values[1]})")
    else:
        document.problem_at(high, f"{values[1]} is below {names[0]} ({values[0]}): set that too")


def _check_kind(document: Document, key: str, evidence: EvidenceConfig) -> None:
    """What a kind of evidence cannot do without."""
    name, right = ("classes", "a list of texts")
    if evidence.kind == "cadence":
        name, right = ("cadence", "t3 or t4")
    if not getattr(evidence, name) and not _any_wrong(document, f"{key}.{name}"):
        document.problem_at(f"{key}.{name}", f"is missing: {right}")


def _check_calibration(document: Document, key: str, evidence: EvidenceConfig) -> None:
    fitted = f"{key}.calibration.fitted_for"
    missing = evidence.calibration.method == "platt" and evidence.calibration.fitted_for is None
    needs = "needs the recogniser, hop_seconds and pooling it was fitted for"
    if missing and not _any_wrong(document, fitted):
        document.problem_at(fitted, f"is missing: `platt` {needs}")
    refinement, fitted = evidence.refinement, f"{key}.refinement.fitted_for"
    unfounded = (refinement.slope, refinement.offset) != (1.0, 0.0) and not refinement.fitted_for
    if unfounded and not _any_wrong(document, fitted):
        document.problem_at(fitted, f"is missing: a refinement {needs}")


def _check_doubles(document: Document, key: str, evidence: EvidenceConfig) -> None:
    for number, name in enumerate(evidence.classes):
        if name in evidence.classes[:number]:
            document.problem_at(f"{key}[{number}]", f'"{name}" stands twice in the family')


def _any_wrong(document: Document, above: str) -> bool:
    return any(key == above or key.startswith(f"{above}.") for key in document.wrong)


def _check_source(document: Document, config: Config) -> None:
    needed = config.audio.source == "file" and config.audio.path is None
    if needed and not document.wrong & {"audio.path", "audio.source"}:
        document.problem_at("audio.path", "is missing: `source: file` needs the file's path")


def _check_broker(document: Document, config: Config) -> None:
    if config.mqtt.host is not None or "mqtt.host" in document.wrong:
        return
    usual = MqttConfig()
    for name in ("username", "password_file", "tls"):
        key = f"mqtt.{name}"
        differs = getattr(config.mqtt, name) != getattr(usual, name)
        if differs and not _any_wrong(document, key):
            document.problem_at(key, "has no effect without mqtt.host: name the broker")


def _check_tls(document: Document, config: Config) -> None:
    tls, key = config.mqtt.tls, "mqtt.tls"
    for one, other in (("certificate_file", "key_file"), ("key_file", "certificate_file")):
        if getattr(tls, one) and not getattr(tls, other) and f"{key}.{other}" not in document.wrong:
            document.problem_at(f"{key}.{other}", f"is missing: {one} needs it")
    if tls.enabled or f"{key}.enabled" in document.wrong:
        return
    for name in ("ca_file", "certificate_file", "key_file", "insecure"):
        if getattr(tls, name):
            document.problem_at(f"{key}.{name}", f"has no effect without {key}.enabled: true")


def _check_files(document: Document, config: Config) -> None:
    for key, path in _files(config):
        reason = path and _why_unusable(path)
        if path and reason:
            secret = key == "mqtt.password_file" and not path.exists()
            document.problem_at(key, _no_password(path) if secret else f"{path}: {reason}")


def _no_password(path: Path) -> str:
    """What is no file may be the password itself, written into the wrong place: not repeated."""
    folder = next(above for above in path.parents if above.is_dir())
    return f"there is no such file in {folder}; write the name of the password's file here"


def _files(config: Config) -> Iterator[tuple[str, Path | None]]:
    tls = config.mqtt.tls
    if config.audio.source == "file":
        yield "audio.path", config.audio.path
    yield "model.path", config.model.path
    for name, sound in config.enabled_sounds.items():
        if sound.second_stage is not None:
            yield f"sounds.{name}.second_stage.classifier", sound.second_stage.classifier
    yield "mqtt.password_file", config.mqtt.password_file
    for name in ("ca_file", "certificate_file", "key_file"):
        yield join("mqtt.tls", name), getattr(tls, name)


def _why_unusable(path: Path) -> str | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"cannot be read: {os.strerror(error.errno or 0)}"
    if stat.S_ISDIR(status.st_mode):
        return "is a folder, not a file"
    # Asked, not tried: opening a named pipe would wait for its writer.
    if not os.access(path, os.R_OK):
        return "cannot be read: Permission denied"
    return "is empty" if stat.S_ISREG(status.st_mode) and status.st_size == 0 else None


def check_classes(config: Config, labels: Sequence[str]) -> list[Problem]:
    """Every class of the sounds' families that a model with these ``labels`` does not have."""
    known = set(labels)
    return [
        _unknown_class(config, f"{key}[{number}]", classes, number, labels)
        for key, classes in _families(config)
        for number, name in enumerate(classes)
        if name not in known
    ]


def _families(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    for sound_name, sound in config.sounds.items():
        for number, evidence in enumerate(sound.evidence):
            yield f"sounds.{sound_name}.evidence[{number}].classes", evidence.classes


def _unknown_class(
    config: Config, key: str, classes: tuple[str, ...], number: int, labels: Sequence[str]
) -> Problem:
    name = classes[number]
    whole = _torn(classes, number, labels)
    hint = (
        f'; its name holds a comma, so write it in quotes: "{whole}"'
        if whole
        else suggestion(name, labels) or "; see `detector model labels`"
    )
    origin = config.origins.get(key)
    message = f'"{name}" is not a class of the model{hint}'
    return Problem(str(origin) if origin else "", key, message)


def _torn(classes: tuple[str, ...], number: int, labels: Sequence[str]) -> str | None:
    """The label that was torn apart at its commas, of which this class is a part."""
    for first in range(max(0, number - 2), number + 1):
        for last in range(number, min(len(classes), number + 3)):
            joined = ", ".join(classes[first : last + 1])
            if first < last and joined in labels:
                return joined
    return None
