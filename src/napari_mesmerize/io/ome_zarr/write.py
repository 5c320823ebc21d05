"""Write recordings as OME-Zarr 0.5 (or 0.4), chunked by frames."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.recording import (
    FACTS,
    as_recording,
    batch_slices,
    check_recording,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import json_safe
from napari_mesmerize.progress import Progress, silent

VERSIONS = ("0.4", "0.5")
_CHUNK_BYTES = 2**22


def write_ome_zarr(
    recording: xr.DataArray | NDArray[Any],
    path: str | Path,
    *,
    version: str = "0.5",
    compress: bool = True,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a recording as an OME-Zarr folder, batch by batch.

    All facts go with it (key ``recording`` of the group's attributes), time stamps as
    the array ``time_s``; reading the folder returns the recording as it was.

    Parameters
    ----------
    recording : xarray.DataArray or array
        (frame, y, x) or (frame, z, y, x).
    path : path
        The folder to write; its name ends in ``.zarr``.
    version : {"0.5", "0.4"}, optional
        Of OME-Zarr: 0.5 is Zarr 3, 0.4 is Zarr 2, which older programs read.
    compress : bool, optional
        Zstandard; noise shrinks little, but nothing is lost.
    overwrite : bool, optional
        Whether a folder that is there may be replaced.
    progress : Progress, optional
        Wraps the loop over batches of frames.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ParameterError
        If an option does not fit.
    WriteError
        If the folder is there already or can not be written; no half folder stays.
    """
    recording = check_recording(as_recording(recording))
    path = Path(path)
    if version not in VERSIONS:
        raise ParameterError(f"version='{version}'; expected one of {VERSIONS}.")
    if not path.name.endswith(".zarr"):
        raise ParameterError(
            f"{path.name} does not end in .zarr, by which readers know the folder."
        )
    with written_whole(path, overwrite=overwrite) as parts:
        _write(recording, parts, version, compress, progress)
    return path


def _write(
    recording: xr.DataArray,
    path: Path,
    version: str,
    compress: bool,
    progress: Progress,
) -> None:
    zarr_format: Any = 2 if version == "0.4" else 3
    root = zarr.create_group(path, zarr_format=zarr_format)
    shape = image_shape(recording)
    frame_bytes = max(1, int(np.prod(shape)) * recording.dtype.itemsize)
    n_chunk = int(np.clip(_CHUNK_BYTES // frame_bytes, 1, recording.sizes["frame"]))
    array = root.create_array(
        "0",
        shape=recording.shape,
        dtype=recording.dtype,
        chunks=(n_chunk, *shape),
        compressors="auto" if compress else None,
        dimension_names=None if zarr_format == 2 else _names(recording),
    )
    batches = batch_slices(recording.sizes["frame"], n_chunk)
    for frames in progress(batches, desc="Writing OME-Zarr", total=len(batches)):
        array[frames] = recording[frames].to_numpy()
    if "time_s" in recording.coords:
        times = recording.coords["time_s"].to_numpy()
        root.create_array("time_s", data=times, chunks=times.shape)
    image = _multiscale(recording, version)
    if version == "0.4":
        root.attrs["multiscales"] = [image]
    else:
        root.attrs["ome"] = {"version": version, "multiscales": [image]}
    facts = {name: recording.attrs.get(name) for name in FACTS}
    root.attrs["recording"] = json_safe(facts | {"name": recording.name})


def _names(recording: xr.DataArray) -> list[str]:
    return ["t", "z", "y", "x"] if recording.ndim == 4 else ["t", "y", "x"]


def _multiscale(recording: xr.DataArray, version: str) -> dict[str, Any]:
    attrs = recording.attrs
    rate, size = attrs.get("frame_rate"), attrs.get("pixel_size_um")
    steps = {
        "t": 1 / rate if rate else None,
        "z": attrs.get("z_step_um"),
        "y": size[0] if size else None,
        "x": size[1] if size else None,
    }
    axes: list[dict[str, str]] = []
    for name in _names(recording):
        axis = {"name": name, "type": "time" if name == "t" else "space"}
        if steps[name]:
            axis["unit"] = "second" if name == "t" else "micrometer"
        axes.append(axis)
    scale = [float(steps[name] or 1.0) for name in _names(recording)]
    image: dict[str, Any] = {
        "axes": axes,
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        ],
        "name": str(recording.name or ""),
    }
    return image | {"version": version} if version == "0.4" else image
