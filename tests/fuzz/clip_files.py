"""Target: the file of a clip classifier, as a second stage has it."""

import copy
import json
import logging
import math
import random
from pathlib import Path

import numpy as np

from detector.core.errors import ConfigError
from detector.core.recognition import EMBEDDING, Observation
from detector.service.clipfile import clip_document, read_clip_file
from detector.service.secondstage import Stage
from tests.fuzz.config_text import check_line, check_refusal
from tests.fuzz.fitted_files import spoil
from tests.fuzz.mutations import damaged_bytes
from tests.fuzz.target import Target, require
from tests.service.clipmaking import by_embedding, by_loudness


class ClipFiles(Target):
    """Probabilities of a clip, or a ConfigError that names the file."""

    name = "clip"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._path = folder / "clip.json"
        self._bases = [json.loads(clip_document(one)) for one in (by_loudness(), by_embedding())]
        self._samples = np.random.default_rng(1).normal(0.0, 0.1, 16_000).astype(np.float32)

    def make(self, rng: random.Random) -> bytes:
        """The content of a file."""
        document = copy.deepcopy(rng.choice(self._bases))
        for _ in range(rng.randint(0, 3)):
            if document:
                spoil(document, rng)
        raw = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        return damaged_bytes(raw, rng, most=4) if rng.random() < 0.3 else raw

    def feed(self, made: bytes) -> bool:
        """Read it, and ask it about a clip of noise."""
        self._path.write_bytes(made)
        try:
            file = read_clip_file(self._path)
        except ConfigError as error:
            check_refusal(error, str(self.folder))
            return False
        size = len(file.classifier.mean)
        window = Observation(0.0, 1.0, {EMBEDDING: np.ones(size, np.float32)})
        answer = Stage(file, 1.0).answer(self._samples, [window])
        for one in answer.labels:
            check_line(one.label)
            require(math.isfinite(one.probability), f"a probability of {one.probability}")
        total = sum(one.probability for one in answer.labels)
        require(abs(total - 1.0) < 1e-6, f"probabilities of {total} together")
        return True
