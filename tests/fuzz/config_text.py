"""Target: the configuration, from the bytes of a file to a Config or a ConfigError."""

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

from detector.config.describe import Known, known_settings, walk
from detector.config.loader import load_config, parse_config
from detector.config.render import effective_config
from detector.config.schema import Config
from detector.core.errors import ConfigError
from tests.config.test_fuzz import DENSE, PIECES, SHIPPED, damaged
from tests.fuzz.mutations import damaged_bytes, odd_number, odd_text
from tests.fuzz.target import Target, require

SECTIONS = [*SHIPPED.split("\n\n"), DENSE, DENSE]
NAMES = sorted({part for path, _ in walk() for part in path.split(".")} | {"sounds", "baby_cry"})


class ConfigText(Target):
    """Accepts or refuses with problems of one line each, which all name the file."""

    name = "config"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "d.yaml"

    def make(self, rng: random.Random) -> bytes:
        """The content of a configuration file."""
        kinds = (_damaged_text, _damaged_text, _tree, _tree, _whole, _bomb, _noise)
        made = rng.choice(kinds)(rng)
        return made if isinstance(made, bytes) else made.encode(errors="surrogatepass")

    def feed(self, made: bytes) -> bool:
        """Load it from a file; what loads can be shown and loaded again."""
        self._path.write_bytes(made)
        try:
            config = load_config(self._path, environ={})
        except ConfigError as error:
            check_refusal(error, str(self._path))
            return False
        shown = parse_config(effective_config(config), "shown", folder=self.folder)
        require(shown == config, "what `config show` prints is another configuration")
        return True


def check_refusal(error: ConfigError, source: str) -> None:
    """Problems of one line each, of which each names a file that begins with ``source``."""
    lines = [str(problem) for problem in error.problems]
    require(lines, "a refusal without a problem")
    require(str(error) == "\n".join(lines), "a message that is not its problems")
    for line in lines:
        require(line.startswith(source), f"a problem that names no file: {line[:200]!r}")
        require(len(line) < 1000, f"a problem of {len(line)} characters")
        check_line(line)


def check_line(line: str) -> None:
    """What is told is one line of text."""
    strange = [c for c in line if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"}]
    require(not strange, f"no line of text: {line[:200]!r}")


def _damaged_text(rng: random.Random) -> str:
    return damaged(rng.choice(SECTIONS), rng)


def _whole(rng: random.Random) -> str | bytes:
    if rng.random() < 0.8:
        return damaged(rng.choice(SECTIONS[:8]), rng)
    return damaged_bytes(SHIPPED.encode(), rng)


def _noise(rng: random.Random) -> str | bytes:
    if rng.random() < 0.3:
        return rng.randbytes(rng.randint(0, 500))
    if rng.random() < 0.5:
        return odd_text(rng, most=200)
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 60)))


def _bomb(rng: random.Random) -> str:
    depth = rng.randint(2, 3000)
    return rng.choice(
        (
            lambda: _laughs(rng.randint(2, 40)),
            lambda: "sounds: " + "[" * depth,
            lambda: "sounds: " + "{a: " * depth + "}" * depth,
            lambda: "".join(f"{' ' * i}{rng.choice(NAMES)}:\n" for i in range(depth // 20)),
            lambda: "&a a: *a\n<<: *a\n",
            lambda: f"node: {'x' * rng.randint(1, 100_000)}\n",
            lambda: "sounds:\n" + "".join(_line(i, rng) for i in range(rng.randint(1, 300))),
            lambda: "".join(f"{odd_text(rng, most=8)!r}: 1\n" for _ in range(rng.randint(1, 200))),
            lambda: f"mqtt: {{port: {'9' * rng.randint(1, 5000)}}}\n",
            lambda: f"node: &{'a' * rng.randint(1, 3000)} x\nname: *{'a' * 50}\n",
            lambda: "? " * depth + "a",
            lambda: "- " * depth + "a",
            lambda: "--- a\n" * rng.randint(1, 50),
            lambda: "%YAML 9.9\n%TAG ! x\n---\nnode: !!python/object/apply:os.system [x]\n",
            lambda: 'node: "\\x0' + "\\U0011FFFF" * rng.randint(0, 3) + '"\n',
        )
    )()  # fmt: skip


def _laughs(levels: int) -> str:
    """Each line twice the one before, if somebody expanded it."""
    lines = (f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, levels))
    return "a0: &a0 [x]\n" + "".join(lines)


def _line(number: int, rng: random.Random) -> str:
    return f"  s{number}: {{threshold: {odd_number(rng)}}}\n"


def _tree(rng: random.Random) -> str:
    """A configuration in the shape of the schema, with values that are often wrong, as JSON."""
    document = section(Config, rng)
    if rng.random() < 0.9:
        document["sounds"] = {_sound_name(rng): _sound(rng) for _ in range(rng.randint(0, 4))}
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    return text if rng.random() < 0.7 else damaged(text, rng)


def _sound_name(rng: random.Random) -> str:
    return rng.choice(("baby_cry", "dog_bark", "own", "smoke_alarm", odd_text(rng, most=12)))


def _sound(rng: random.Random) -> Any:
    sound = next(k for k in known_settings(Config) if k.is_mapping)
    member = sound.members[0].__args__[1]
    return section(member, rng) if rng.random() < 0.9 else _value(rng)


def section(kind: type[Any], rng: random.Random) -> dict[str, Any]:
    """A section in the shape of the schema, with values that are often wrong."""
    share = rng.random() ** 2
    made = {k.name: _of(k, rng) for k in known_settings(kind) if rng.random() < share}
    if rng.random() < 0.05:
        made[rng.choice(NAMES) if rng.random() < 0.5 else odd_text(rng)] = _value(rng)
    return made


def _of(known: Known, rng: random.Random) -> Any:
    if rng.random() < 0.15:
        return _value(rng)
    if known.is_mapping:
        return {_sound_name(rng): _value(rng)}
    if known.section:
        return section(known.section, rng)
    if known.item:
        return [_item(known.item, rng) for _ in range(rng.randint(0, 3))]
    return _right(known, rng)


def _item(item: Any, rng: random.Random) -> Any:
    return section(item, rng) if hasattr(item, "__dataclass_fields__") else _value(rng)


def _right(known: Known, rng: random.Random) -> Any:
    """Likely a value of the right type; perhaps its default."""
    if isinstance(known.default, bool | int | float | str) and rng.random() < 0.5:
        return known.default
    for kind, value in (
        (bool, rng.random() < 0.5),
        (int, rng.randint(0, 70_000)),
        (float, round(rng.uniform(0, 2), 2)),
    ):
        if kind in known.members:
            return value
    return rng.choice(
        ("a.wav", "x", "mix", "auto", "Speech", "~/x", "~nobody-at-all/x", odd_text(rng))
    )


def _value(rng: random.Random) -> Any:
    return rng.choice(
        (
            lambda: rng.randint(-(10**9), 10**9),
            lambda: rng.uniform(-2, 2),
            lambda: None,
            lambda: rng.random() < 0.5,
            lambda: odd_text(rng),
            lambda: odd_number(rng),
            lambda: [_value(rng) for _ in range(rng.randint(0, 3))],
            lambda: {odd_text(rng, most=6): _value(rng) for _ in range(rng.randint(0, 3))},
            lambda: rng.choice((float("inf"), float("nan"), 10**400, "1e999", "", "~", "0x10")),
        )
    )()
