"""Recordings and ROIs as napari layers."""
