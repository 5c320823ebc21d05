"""The dock for motion correction."""
