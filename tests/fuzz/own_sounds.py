"""Target: a sound of one's own: a bundle that is taken in, or a file that lies in the folder."""

import copy
import json
import logging
import random
from pathlib import Path

from detector.config.loader import load_config
from detector.config.own import digest_of
from detector.core.errors import ConfigError, DataError
from detector.service.build import build_sounds
from detector.service.fitted import InUse, warnings_of
from detector.service.ownsounds import OwnSounds, bundle_of, sounds_in
from tests.fuzz.config_text import check_line
from tests.fuzz.fitted_files import spoil
from tests.fuzz.mutations import damaged_bytes
from tests.fuzz.target import Target, require
from tests.service.soundmaking import SPEC, own_sound


class OwnSoundFiles(Target):
    """Taken in, it is listened for; refused, it is in one line; lying there, it never stops us."""

    name = "ownsound"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._store = OwnSounds(folder / "sounds")
        self._bundle, self._config = folder / "bundle.json", folder / "detector.yaml"
        self._config.write_text(
            f"state_directory: {folder}\nsounds: {{siren: {{evidence: [{{classes: [Noise]}}]}}}}\n"
        )
        self._base = json.loads(bundle_of([own_sound("my_bell")]))

    def make(self, rng: random.Random) -> bytes:
        """The content of a bundle; mostly with digests that fit."""
        document = copy.deepcopy(self._base)
        (one,) = document["sounds"]
        for _ in range(rng.randint(0, 3)):
            part = rng.choice((one, one["sound"], one["sound"], one["sound"]["settings"]))
            if isinstance(part, dict) and part:
                spoil(part, rng)
            if not all(isinstance(one.get(key), dict) for key in ("sound", "takes")):
                break
            if not isinstance(one["sound"].get("settings"), dict):
                break
        if isinstance(one.get("sound"), dict) and rng.random() < 0.9:
            one["sound"]["digest"] = digest_of(one["sound"])
        raw = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        return damaged_bytes(raw, rng, most=4) if rng.random() < 0.2 else raw

    def feed(self, made: bytes) -> bool:
        """Take it in; and lay its sound into the folder, as whoever may write there could."""
        self._lay(made)
        self._bundle.write_bytes(made)
        self._store.forget("my_bell") if "my_bell" in self._store.names() else None
        try:
            found = sounds_in(self._bundle)
            good = [one for one in found if not one.misfit(SPEC)]
            self._store.write(good)
        except (ConfigError, DataError) as error:
            for line in str(error).splitlines():
                check_line(line)
            return False
        listened = self._listened()
        for one in good:
            require(one.name in listened, f"{one.name} was taken in, and is not listened for")
            again = self._store.read(one.name)
            require(again.settings == one.settings, "its settings are others")
            self._store.forget(one.name)
        return bool(good)

    def _lay(self, made: bytes) -> None:
        try:
            content = json.dumps(json.loads(made)["sounds"][0]["sound"]).encode()
        except (ValueError, TypeError, LookupError):
            content = made
        self._store.folder.mkdir(exist_ok=True)
        (self._store.folder / "my_bell.json").write_bytes(content)
        self._store.read_all()
        self._listened()

    def _listened(self) -> list[str]:
        config = load_config(self._config, environ={})
        for line in warnings_of(config, InUse.of(SPEC)):
            check_line(line)
        listened = [one.detector.sound for one in build_sounds(config, SPEC)]
        require("siren" in listened, "a sound of one's own keeps the others from being heard")
        return listened
