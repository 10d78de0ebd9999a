"""Hear: microphone, file or standard input become 16 kHz mono blocks."""
