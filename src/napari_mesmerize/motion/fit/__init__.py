"""Displacements of frames against a template."""
