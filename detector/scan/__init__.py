"""Archives of any length: every recording through the daemon's own pipeline, on all cores."""
