"""Data, no code: the units and the system user that ``detector service install`` puts in place."""
