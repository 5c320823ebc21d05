"""What the commands make of the words on their line: recordings, images, bytes."""

from pathlib import Path
from typing import Any

import xarray as xr

from napari_mesmerize.io import read_recording
from napari_mesmerize.transforms.projections import project


def open_recording(file: Path, selection: str, frame_rate: float) -> xr.DataArray:
    """Open a recording; a selection of "" and a frame rate of 0 say nothing."""
    return read_recording(
        file, selection=selection or None, frame_rate=frame_rate or None
    )


def read_image(file: Path | None, kind: str) -> Any:
    """Return an image; of a file with several frames their mean or maximum."""
    if file is None:
        return None
    image = project(read_recording(file), (kind,))[kind]
    return image > 0 if kind == "max" else image


def to_bytes(gigabytes: float) -> int | None:
    """Return a memory in bytes; 0 says nothing."""
    return int(gigabytes * 1e9) if gigabytes else None
