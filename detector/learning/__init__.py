"""Learning that the running detector may need: numpy only, no files but those of the package."""
