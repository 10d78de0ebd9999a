"""Composition and life: build, start in order, watch, reload, stop in reverse."""
