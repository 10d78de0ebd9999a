"""Hear: a microphone, a file or standard input becomes blocks of 16 kHz mono and gaps."""

from detector.audio.open import open_source

__all__ = ["open_source"]
