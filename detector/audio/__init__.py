"""Hear: a microphone, a file or standard input becomes blocks of 16 kHz mono and gaps."""
