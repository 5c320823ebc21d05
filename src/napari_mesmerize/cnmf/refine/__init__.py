"""Footprints, traces and background, updated in turns."""
