"""The recording cut into patches: planned, run, assembled."""
