"""Calcium-imaging analysis in napari, from a script and on the command line."""
