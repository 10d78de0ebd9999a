"""What workers are told, and the name of all that the events depend on."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from detector import __version__
from detector.config import Config
from detector.core.recognition import RecogniserSpec
from detector.scan.scanning import ScanSettings
from detector.service.fitted import InUse, in_force
from detector.service.headfile import HeadReader
from detector.service.heads import read_shipped


def settings_of(config: Config, *, model: Path, spec: RecogniserSpec, runtime: str) -> ScanSettings:
    """Settings for workers, of a configuration and a model from which a pipeline can be built.

    What of a calibration file cannot be used is left out, so that the digest is of what counts.

    Raises ConfigError where a head cannot be read.
    """
    config = in_force(config, InUse.of(spec)).config
    named = (
        __version__,
        runtime,
        spec.content_hash,
        spec.hop_samples,
        config.audio.channel,
        *_of_sounds(config),
    )
    # As plain dictionaries: the views that guard them cannot be pickled.
    sounds, origins = dict(config.sounds), dict(config.origins)
    return ScanSettings(
        config=replace(config, sounds=sounds, origins=origins, uncalibrated=None),
        model=model.absolute(),
        model_sha256=spec.content_hash,
        runtime=runtime,
        digest=hashlib.sha256(repr(named).encode()).hexdigest(),
    )


def _of_sounds(config: Config) -> Iterator[object]:
    reader = HeadReader()
    for name, sound in sorted(config.enabled_sounds.items()):
        origin = config.origins.get(f"sounds.{name}.threshold")
        yield name, sound, origin and origin.source
        for evidence in sound.evidence:
            if evidence.kind == "head" and evidence.head is not None:
                yield reader.read(evidence.head.parent, evidence.head.name).sha256
            elif evidence.kind == "head":
                yield read_shipped(name, reader).sha256
