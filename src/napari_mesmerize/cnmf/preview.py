"""Extract from a region and a stretch of time, to try parameters within seconds."""

import dataclasses
import math
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.cnmf.extract import extract_components
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.resolve import default_params, settings_for
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.outlines import mask_from_outline
from napari_mesmerize.data.recording import as_recording, image_shape
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent

_MARGIN = 1.5  # cell diameters around the region that are looked at, too
_SMALLEST = 5.0  # cell diameters: the least width that background and noise need


def preview_components(
    recording: xr.DataArray,
    params: Params | None = None,
    *,
    region: ArrayLike | None = None,
    frames: slice | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Components:
    """Run the extraction on a part of a recording.

    The movie is cut out with a margin, so that cells at the region's edge are whole;
    what is centred outside of the region is left out again.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    params : CnmfParams, CnmfeParams or Cnmf3dParams, optional
        As for :func:`extract_components`.
    region : array_like, optional
        Corners (y, x) of a polygon, px, shape (n_corners, 2), or a bool mask (height,
        width); default the whole field. Volumes are cut through all planes.
    frames : slice, optional
        Which frames, [start, stop); default all.
    max_memory, workers, progress, seed
        As for :func:`extract_components`.

    Returns
    -------
    Components
        On the whole image; traces are as long as ``frames``. Without background.

    Raises
    ------
    ParameterError
        If the region lies outside the image or there are no frames.

    Notes
    -----
    Use it to try parameters in seconds. Numbers differ a little from those of the whole
    run: noise and the typical cell are learned from fewer pixels. Choose a region with
    several active cells and some hundred frames.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> from napari_mesmerize import CnmfParams
    >>> from napari_mesmerize.cnmf.preview import preview_components
    >>> part = preview_components(
    ...     recording, CnmfParams(cell_diameter=9), frames=slice(0, 100)
    ... )
    >>> part.n_frames, part.image_shape
    (100, (48, 48))
    """
    recording = as_recording(recording)
    shape = image_shape(recording)
    part = recording if frames is None else recording[frames]
    if part.sizes["frame"] < 2:
        raise ParameterError(
            f"frames={frames} selects {part.sizes['frame']} of "
            f"{recording.sizes['frame']} frames; choose a longer window."
        )
    params = params if params is not None else default_params(recording)
    mask = None if region is None else _mask(region, shape)
    diameter = 2 * settings_for(part, params).radius
    rows, columns = _box(mask, shape, diameter)
    step: dict[str, Any] = {"rows": [rows.start, rows.stop]}
    step["columns"] = [columns.start, columns.stop]
    step["frames"] = None if frames is None else [frames.start, frames.stop]
    timer = StepTimer("preview_components", step, inputs=[recording])
    found = extract_components(
        part[..., rows, columns],
        params,
        max_memory=max_memory,
        workers=workers,
        progress=progress,
        seed=seed,
    )
    placed = _place(found, (rows, columns), shape)
    if mask is not None:
        placed = _inside(placed, mask)
    return dataclasses.replace(placed, history=timer.extend(placed.history))


def _mask(region: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a region as a mask (height, width)."""
    given, size = np.asarray(region), shape[-2:]
    if given.dtype == bool and given.shape == size:
        mask = given
    elif given.ndim == 2 and given.shape[1] in (2, 3) and len(given) >= 3:
        mask = mask_from_outline(given[:, -2:].astype(np.float64), size)
    else:
        raise ParameterError(
            f"region has shape {given.shape}; expected at least three corners (y, x), "
            f"or a mask of {size[0]} x {size[1]} px."
        )
    if not mask.any():
        raise ParameterError(
            f"The region lies outside the image of {size[0]} x {size[1]} px; draw it "
            "on the recording."
        )
    return mask


def _box(
    mask: NDArray[np.bool_] | None, shape: tuple[int, ...], diameter: float
) -> tuple[slice, slice]:
    """Return rows and columns that hold the region and a margin, not too few."""
    if mask is None:
        return slice(0, shape[-2]), slice(0, shape[-1])
    sides = []
    for axis in (0, 1):
        inside = np.flatnonzero(mask.any(axis=1 - axis))
        low, high = int(inside[0]), int(inside[-1])
        width = max(high - low + 2 * _MARGIN * diameter, _SMALLEST * diameter)
        middle = (low + high) / 2
        start = max(0, math.floor(middle - width / 2))
        stop = min(mask.shape[axis], math.ceil(middle + width / 2) + 1)
        sides.append(slice(start, stop))
    return sides[0], sides[1]


def _place(
    found: Components, box: tuple[slice, slice], shape: tuple[int, ...]
) -> Components:
    """Return components of a part of the image as those of the whole image."""
    numbers = np.arange(math.prod(shape)).reshape(shape)[(..., *box)].ravel()
    footprints = found.footprints
    parts = (footprints.data, numbers[footprints.indices], footprints.indptr)
    matrix: sparse.csc_array[Any] = sparse.csc_array(
        parts, shape=(math.prod(shape), len(found))
    )
    matrix.sort_indices()
    return dataclasses.replace(
        found, footprints=matrix, image_shape=shape, background=None
    )


def _inside(components: Components, mask: NDArray[np.bool_]) -> Components:
    """Return the components whose centroid lies in a mask."""
    shape = components.image_shape
    matrix = components.footprints
    y, x = np.divmod(np.arange(math.prod(shape)) % mask.size, shape[-1])
    total = np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1e-12)
    rows = np.rint(matrix.T @ y / total).astype(int)
    columns = np.rint(matrix.T @ x / total).astype(int)
    return components.select(mask[rows, columns])
