"""Write recordings as OME-TIFF: BigTIFF where needed, with times and sizes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.recording import (
    as_recording,
    batch_slices,
    check_recording,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

COMPRESSIONS = ("none", "zlib", "zstd", "lzw")
_BATCH_BYTES = 2**25
_CLASSIC_BYTES = 2**32 - 2**25
_OME_TYPES = (
    "int8",
    "int16",
    "int32",
    "uint8",
    "uint16",
    "uint32",
    "float32",
    "float64",
)


def write_tiff(
    recording: xr.DataArray | NDArray[Any],
    path: str | Path,
    *,
    compression: str = "none",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a recording as OME-TIFF, batch by batch.

    Frame rate, time stamps, pixel size, z step, date and origin go into the OME-XML;
    the pixels are what they were. A file of more than 4 GB becomes a BigTIFF.

    Parameters
    ----------
    recording : xarray.DataArray or array
        (frame, y, x) or (frame, z, y, x). Types that OME-TIFF does not have: bool
        becomes uint8, 64-bit integers are refused.
    path : path
        The file to write.
    compression : {"none", "zlib", "zstd", "lzw"}, optional
        Uncompressed files are read fastest, and mapped.
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    progress : Progress, optional
        Wraps the loop over batches of frames.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ParameterError
        If the recording's type does not fit.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    recording = check_recording(as_recording(recording))
    path = Path(path)
    if compression not in COMPRESSIONS:
        raise ParameterError(
            f"compression='{compression}'; expected one of {', '.join(COMPRESSIONS)}."
        )
    dtype = _stored_dtype(recording.dtype)
    n_bytes = int(np.prod(recording.shape, dtype=object)) * dtype.itemsize
    with (
        written_whole(path, overwrite=overwrite) as parts,
        tifffile.TiffWriter(
            parts, bigtiff=n_bytes > _CLASSIC_BYTES, ome=True
        ) as writer,
    ):
        writer.write(
            _pages(recording, dtype, progress),
            shape=recording.shape,
            dtype=dtype,
            photometric="minisblack",
            compression=None if compression == "none" else compression,
            metadata=_metadata(recording),
        )
    return path


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    if dtype == np.float16:
        return np.dtype(np.float32)
    if dtype.name not in _OME_TYPES:
        raise ParameterError(
            f"OME-TIFF has no pixels of type {dtype}; expected one of "
            f"{', '.join(_OME_TYPES)}. Convert: recording.astype('float32')."
        )
    return dtype


def _pages(
    recording: xr.DataArray, dtype: np.dtype[Any], progress: Progress
) -> Iterator[NDArray[Any]]:
    """Yield the pages in the order T, Z."""
    height, width = image_shape(recording)[-2:]
    frame_bytes = int(np.prod(image_shape(recording))) * dtype.itemsize
    batches = batch_slices(
        recording.sizes["frame"], max(1, _BATCH_BYTES // max(1, frame_bytes))
    )
    for frames in progress(batches, desc="Writing TIFF", total=len(batches)):
        block = recording[frames].to_numpy().astype(dtype, copy=False)
        yield from np.ascontiguousarray(block).reshape(-1, height, width)


def _metadata(recording: xr.DataArray) -> dict[str, Any]:
    attrs = recording.attrs
    volumes = recording.ndim == 4
    meta: dict[str, Any] = {"axes": "TZYX" if volumes else "TYX"}
    if recording.name:
        meta["Name"] = str(recording.name)
    rate = attrs.get("frame_rate")
    if rate:
        meta |= {"TimeIncrement": 1 / rate, "TimeIncrementUnit": "s"}
    size = attrs.get("pixel_size_um")
    if size:
        meta |= {"PhysicalSizeY": size[0], "PhysicalSizeX": size[1]}
        meta |= {"PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm"}
    if volumes and attrs.get("z_step_um"):
        meta |= {"PhysicalSizeZ": attrs["z_step_um"], "PhysicalSizeZUnit": "µm"}
    if attrs.get("date"):
        meta["AcquisitionDate"] = str(attrs["date"])
    if attrs.get("origin"):
        meta["Creator"] = str(attrs["origin"])
    channel = (attrs.get("meta") or {}).get("channel")
    if channel:
        meta["Channel"] = {"Name": [str(channel)]}
    if "time_s" in recording.coords:
        times = recording.coords["time_s"].to_numpy()
        n_planes = recording.shape[1] if volumes else 1
        index = np.arange(len(times) * n_planes)
        meta["Plane"] = {
            "DeltaT": np.repeat(times, n_planes).tolist(),
            "DeltaTUnit": ["s"] * len(index),
            "TheT": (index // n_planes).tolist(),
            "TheZ": (index % n_planes).tolist(),
            "TheC": [0] * len(index),
        }
    return meta
