"""Thousands of damaged configurations: each loads or is refused with a line, none crashes."""

import random
from pathlib import Path

import pytest

from detector.config.loader import parse_config
from detector.config.render import effective_config
from detector.config.schema import Config
from detector.core.errors import ConfigError

SHIPPED = (Path(__file__).parents[2] / "config" / "detector.yaml").read_text(encoding="utf-8")
DENSE = """\
node: n1
audio: {source: file, path: a.wav, channel: 2, block_seconds: 0.1, realtime: no}
model: {hop_seconds: 0.24, sha256: null, threads: 2}
sounds:
  baby_cry: {threshold: 0.4, release_threshold: 0.2}
  own:
    label: Own
    evidence:
      - {kind: family, classes: [Bark, "Yip"], pooling: mean}
      - classes: [Siren]
        calibration: {method: platt, slope: 1.5, fitted_for: {hop_seconds: 0.48, pooling: max}}
mqtt: {host: h, port: 1883, tls: {enabled: true, ca_file: x.pem}}
"""
PIECES = [
    "\t", "\0", ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!int ", "!x ", "|\n", ">-\n",
    "'", '"', "#", "\n", "\n\n  ", "---\n", "...\n", "? ", "<<: ", "~", "null", ".nan", "-.inf",
    "1e400", "9" * 400, "0x10", "010", "1_000", "1__0", "yes", "%", "@", "`", "\\", "\x85",
    "\u2028", "\ufeff", "é", "\U0001f388", "\ud800", "sounds:", "mqtt:", "  ", "=", "2001-13-99",
    "!!binary ", "!!set ",
]  # fmt: skip


def damaged(text: str, rng: random.Random) -> str:
    """The text after a few cuts, insertions, swaps and repetitions."""
    for _ in range(rng.randint(1, 6)):
        at, to = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        to = min(to, at + rng.randint(0, 30))
        text = rng.choice(
            [
                text[:at] + text[to:],
                text[:at] + rng.choice(PIECES) + text[at:],
                text[:at] + rng.choice(PIECES) + text[to:],
                text[:to] + text[at:],
                text[at:to].join([text[to:], text[:at]]),
            ]
        )
    return text


def attempt(text: str) -> tuple[Config | None, str]:
    """The configuration, or why there is none; anything but ConfigError goes through."""
    try:
        return parse_config(text, "d.yaml"), ""
    except ConfigError as error:
        return None, str(error)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_configuration_never_crashes_the_loader(seed: int) -> None:
    """Only ConfigError, every problem one line, and what loads can be shown and loaded again."""
    rng = random.Random(seed)
    loaded = refused = 0
    for _ in range(500):
        text = damaged(rng.choice([DENSE, DENSE, DENSE, SHIPPED[-2500:], SHIPPED[:1500]]), rng)
        config, refusal = attempt(text)
        if config is None:
            refused += 1
            assert all(line.startswith("d.yaml") for line in refusal.split("\n"))
        else:
            loaded += 1
            assert parse_config(effective_config(config), "shown") == config
    assert loaded > 5
    assert refused > 250
