"""Displacements filtered over frames."""
