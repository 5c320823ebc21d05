"""Recordings to recordings or images: lazy transforms, projections, reductions."""
