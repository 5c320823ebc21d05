"""Docks, readers and sample data; the only package that imports Qt or napari."""
