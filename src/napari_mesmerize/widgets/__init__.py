"""Docks, readers and sample data in napari; the only package that imports Qt or napari."""
