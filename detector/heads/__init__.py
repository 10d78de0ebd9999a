"""Data, no code: the heads that come with the detector, one file for each sound that has one."""
