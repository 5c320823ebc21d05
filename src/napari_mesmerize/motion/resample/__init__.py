"""Frames moved back by displacements."""
