"""Tools for sequences of frames: any projection over time, ranges, montage."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.recording import (
    check_recording,
    default_max_memory,
    frames_that_fit,
    image_shape,
    iter_batches,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.transforms.lazy import Transform, derived_recording, name_of


def reduce_frames(
    recording: xr.DataArray,
    function: Transform,
    *,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """Apply a function to the whole time course of each pixel, strip by strip.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    function : callable
        From an array (n_frames, n_pixels) to one (n_pixels,), such as
        ``lambda traces: np.percentile(traces, 20, axis=0)``.
    max_memory : int, optional
        Bytes for the traces of a strip; default a quarter of what is free. The
        recording is read once a strip.
    progress : Progress, optional
        Wraps the loop over strips.

    Returns
    -------
    numpy.ndarray
        Shape (height, width) or (n_planes, height, width).

    Raises
    ------
    ParameterError
        If the function returns another shape.

    Notes
    -----
    Use it for functions that need all frames of a pixel: a median, a percentile. For
    the mean, maximum, deviation and correlation, :func:`project` is faster: it reads
    the recording once, in any case.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import reduce_frames
    >>> recording = as_recording(np.ones((10, 8, 8)))
    >>> reduce_frames(recording, lambda traces: np.median(traces, axis=0)).shape
    (8, 8)
    """
    check_recording(recording)
    shape = image_shape(recording)
    n_pixels = int(np.prod(shape))
    out = np.empty(n_pixels)
    strips = _strips(recording, max_memory)
    for strip in progress(strips, desc="Reducing frames", total=len(strips)):
        traces = _traces(recording, strip)
        values = np.asarray(function(traces))
        if values.shape != (traces.shape[1],):
            raise ParameterError(
                f"The function returned shape {values.shape} for traces of shape "
                f"{traces.shape}; expected one number a pixel, {(traces.shape[1],)}."
            )
        out[strip] = values
    return out.reshape(shape)


def percentile_image(
    recording: xr.DataArray, percentile: float, **options: Any
) -> NDArray[np.float64]:
    """Return a percentile of each pixel over time; NaN does not count.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    percentile : float
        0 to 100.
    **options
        ``max_memory`` and ``progress``, as in :func:`reduce_frames`.

    Returns
    -------
    numpy.ndarray
        Shape (height, width) or (n_planes, height, width).

    Notes
    -----
    Use a low percentile as an image of the baseline, without activity. It needs whole
    time courses and may read the recording several times; for mean, maximum and
    standard deviation :func:`project` is much faster.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import percentile_image
    >>> frames = np.arange(101.0)[:, None, None] * np.ones((101, 8, 8))
    >>> float(percentile_image(as_recording(frames), 20)[0, 0])
    20.0
    """
    if not 0 <= percentile <= 100:
        raise ParameterError(f"percentile={percentile}; expected 0 to 100.")
    return reduce_frames(
        recording, lambda traces: _percentiles(traces, percentile), **options
    )


def _percentiles(traces: NDArray[Any], percentile: float) -> NDArray[np.float64]:
    """Return a percentile of each column, of the values that are there."""
    ordered = np.sort(traces, axis=0)  # NaN comes last
    n = np.count_nonzero(~np.isnan(ordered), axis=0)
    place = np.maximum(n - 1, 0) * (percentile / 100)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(n - 1, 0))
    low, high = (
        np.take_along_axis(ordered, at[np.newaxis], axis=0)[0].astype(np.float64)
        for at in (below, above)
    )
    return np.asarray(low + (high - low) * (place - below))


def map_pixels(
    recording: xr.DataArray,
    function: Transform,
    out: str | Path,
    *,
    overwrite: bool = False,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> xr.DataArray:
    """Apply a function to the time course of each pixel; the result lies on disk.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    function : callable
        From an array (n_frames, n_pixels) to one of the same shape, such as a filter
        in time.
    out : path
        The ``.npy`` file to write (float32).
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    max_memory, progress : optional
        As in :func:`reduce_frames`.

    Returns
    -------
    xarray.DataArray
        The result, memory-mapped, with the facts of ``recording``.

    Raises
    ------
    WriteError
        If the file is there already or can not be written; no half file stays.
    ParameterError
        If the function returns another shape.

    Notes
    -----
    Use it for filters and detrending in time, where a function needs all frames of a
    pixel. The result is as large as the recording in float32 and lies on disk. For
    functions of single frames :func:`map_frames` needs no disk.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import map_pixels
    >>> recording = as_recording(np.ones((10, 8, 8)))
    >>> centred = map_pixels(recording, lambda t: t - t.mean(axis=0), "centred.npy")
    >>> float(abs(centred.to_numpy()).max())
    0.0
    """
    check_recording(recording)
    out = Path(out)
    timer = StepTimer("map_pixels", {"function": name_of(function)}, inputs=[recording])
    with written_whole(out, overwrite=overwrite) as parts:
        _map_into(parts, recording, function, max_memory, progress)
    frames = np.asarray(np.load(out, mmap_mode="r"))
    return derived_recording(recording, frames, timer)


def _reserve(path: Path) -> None:
    """Take the room that a mapped file needs; on a full disk mapping would crash."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _map_into(
    path: Path,
    recording: xr.DataArray,
    function: Transform,
    max_memory: int | None,
    progress: Progress,
) -> None:
    written = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=recording.shape
    )
    _reserve(path)
    flat = written.reshape(len(recording), -1)
    strips = _strips(recording, max_memory)
    for strip in progress(strips, desc="Mapping pixels", total=len(strips)):
        traces = _traces(recording, strip)
        values = np.asarray(function(traces))
        if values.shape != traces.shape:
            raise ParameterError(
                f"The function returned shape {values.shape}, expected that of the "
                f"traces it got, {traces.shape}."
            )
        flat[:, strip] = values
    written.flush()


def data_range(
    recording: xr.DataArray,
    percentiles: Sequence[float] = (0, 100),
    *,
    n_frames: int = 100,
) -> tuple[float, ...]:
    """Return percentiles of the values in a sample of frames, spread evenly.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    percentiles : sequence of float, optional
        0 is the minimum, 100 the maximum.
    n_frames : int, optional
        Frames in the sample; fewer where memory is short.

    Returns
    -------
    tuple of float
        One value a percentile; NaN if no value is finite.

    Notes
    -----
    Use it for contrast limits. It looks at a sample: a rare bright frame may be missed.
    For exact extremes over all frames use :func:`project` with ``"max"``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import data_range
    >>> data_range(as_recording(np.arange(1000.0).reshape(10, 10, 10)))
    (0.0, 999.0)
    """
    check_recording(recording)
    n_frames = min(n_frames, len(recording), frames_that_fit(recording))
    picked = np.unique(np.linspace(0, len(recording) - 1, max(1, n_frames)).astype(int))
    values = recording[picked].to_numpy()
    values = values[np.isfinite(values)]
    if not values.size:
        return tuple(float("nan") for _ in percentiles)
    return tuple(float(v) for v in np.percentile(values, list(percentiles)))


def montage(
    recording: xr.DataArray,
    *,
    n_images: int = 16,
    n_columns: int = 4,
    contrast: tuple[float, float] = (1.0, 99.5),
    gap: int = 2,
) -> NDArray[np.float32]:
    """Return frames side by side, all with the same contrast.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording; of volumes the maximum over depth is shown.
    n_images, n_columns : int, optional
        Frames, spread evenly; frames in a row.
    contrast : tuple of float, optional
        Percentiles of the frames shown that become 0 and 1.
    gap : int, optional
        Pixels between frames, NaN.

    Returns
    -------
    numpy.ndarray
        2-D, float32, values 0 to 1; NaN between frames.

    Notes
    -----
    Use it as a contact sheet, to see at a glance whether light, focus or place change.
    All frames share one contrast, so they can be compared.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import montage
    >>> recording = as_recording(np.random.default_rng(1).random((100, 16, 16)))
    >>> montage(recording, n_images=4, n_columns=2, gap=2).shape
    (34, 34)
    """
    check_recording(recording)
    if n_images < 1 or n_columns < 1 or gap < 0:
        raise ParameterError(
            f"n_images={n_images}, n_columns={n_columns}, gap={gap}; expected at least "
            "1, 1 and 0."
        )
    n_images = min(n_images, len(recording))
    picked = np.linspace(0, len(recording) - 1, n_images).round().astype(int)
    images = recording[picked].to_numpy().astype(np.float32)
    images = images.max(axis=1) if images.ndim == 4 else images
    low, high = np.nanpercentile(images, contrast)
    images = np.clip((images - low) / max(high - low, 1e-12), 0, 1)
    height, width = images.shape[1:]
    n_columns = min(n_columns, n_images)
    n_rows = -(-n_images // n_columns)
    out = np.full(
        (n_rows * (height + gap) - gap, n_columns * (width + gap) - gap),
        np.nan,
        np.float32,
    )
    for i, image in enumerate(images):
        y, x = divmod(i, n_columns)
        top, left = y * (height + gap), x * (width + gap)
        out[top : top + height, left : left + width] = image
    return out


def _strips(recording: xr.DataArray, max_memory: int | None) -> list[slice]:
    """Cut the pixels so that the traces of a strip fit into memory (with one copy)."""
    if max_memory is None:
        max_memory = default_max_memory()
    n_pixels = int(np.prod(image_shape(recording)))
    width = int(np.clip(max_memory // (16 * len(recording)), 1, n_pixels))
    return [slice(i, min(i + width, n_pixels)) for i in range(0, n_pixels, width)]


def _traces(recording: xr.DataArray, strip: slice) -> NDArray[Any]:
    """Return the time courses of some pixels, shape (n_frames, n_pixels)."""
    dtype = np.result_type(recording.dtype, np.float32)
    out = np.empty((len(recording), strip.stop - strip.start), dtype)
    n_bytes = max(1, int(np.prod(image_shape(recording))) * recording.dtype.itemsize)
    for frames, block in iter_batches(recording, max(1, 2**26 // n_bytes)):
        out[frames] = block.reshape(len(block), -1)[:, strip]
    return out
