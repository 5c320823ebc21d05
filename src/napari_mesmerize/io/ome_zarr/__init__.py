"""OME-Zarr: reading and writing recordings."""
