"""Pictures of ROIs: the smooth area of a footprint, and which ROI lies on top."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, sparse

from napari_mesmerize.data.components import Components

_SAMPLED_FRAMES = 8
_SAMPLED_PIXELS = 2**18

EDGE = 0.35  # of the smoothed maximum: where the drawn outline lies
MOST_FAST = 2**16 - 2  # ROIs that a picture of 16 bits can tell apart


def drawn_areas(components: Components, edge: float = EDGE) -> sparse.csc_array:
    """Return the pixels that stand for each ROI in a picture.

    Footprints of weak cells are noisy; smoothed over 3 x 3 pixels, without holes and
    specks, they have an outline that can be looked at. Masks keep their shape.

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), True where an ROI is drawn.
    """
    smooth = sparse.csc_array(_smoother(components.image_shape) @ components.footprints)
    columns = np.repeat(np.arange(smooth.shape[1]), np.diff(smooth.indptr))
    top = np.zeros(smooth.shape[1], np.float32)
    np.maximum.at(top, columns, smooth.data)
    keep = (smooth.data > edge * top[columns]) & (smooth.data > 0)
    bounds = np.searchsorted(columns[keep], np.arange(smooth.shape[1] + 1))
    pixels = smooth.indices[keep]
    tidied = [
        _tidy(pixels[start:stop], components.image_shape)
        for start, stop in pairwise(bounds)
    ]
    indptr = np.concatenate([[0], np.cumsum([len(area) for area in tidied])])
    indices = np.concatenate([np.zeros(0, np.int64), *tidied])
    parts = (np.ones(len(indices), bool), indices, indptr)
    return sparse.csc_array(parts, shape=smooth.shape)


def areas_of_exchanged(
    areas: sparse.csc_array, old_ids: Sequence[str], new: Components, fresh: set[str]
) -> sparse.csc_array:
    """Return the areas after an exchange of ROIs: only ``fresh`` ones are drawn."""
    place = {name: i for i, name in enumerate(old_ids)}
    came = [i for i, name in enumerate(new.roi_ids) if name in fresh]
    place |= {new.roi_ids[i]: len(old_ids) + n for n, i in enumerate(came)}
    order = [place[name] for name in new.roi_ids]
    both = sparse.hstack([areas, drawn_areas(new.select(came))], format="csc")
    return sparse.csc_array(both[:, order])


def _tidy(
    pixels: NDArray[np.integer], image_shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return the largest piece of an area without holes; pixels are flat, sorted."""
    if pixels.size < 2:
        return pixels.astype(np.int64)
    where = np.stack(np.unravel_index(pixels, image_shape))
    corner = where.min(axis=1)
    mask = np.zeros(where.max(axis=1) - corner + 1, bool)
    mask[tuple(where - corner[:, None])] = True
    pieces, n_pieces = ndimage.label(mask)
    if n_pieces > 1:
        mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    mask = ndimage.binary_fill_holes(mask)
    tidy = np.stack(np.nonzero(mask)) + corner[:, None]
    return np.sort(np.ravel_multi_index(tuple(tidy), image_shape)).astype(np.int64)


def _smoother(image_shape: tuple[int, ...]) -> sparse.csr_array:
    """Return the matrix that smooths images by (1, 2, 1) / 4 along y and x."""
    height, width = image_shape[-2:]
    lateral = sparse.kron(_smooth_1d(height), _smooth_1d(width), format="csr")
    if len(image_shape) == 3:
        planes = sparse.identity(image_shape[0], dtype=np.float32)
        lateral = sparse.kron(planes, lateral, format="csr")
    return sparse.csr_array(lateral)


def _smooth_1d(n: int) -> sparse.dia_array:
    side = np.full(n, 0.25, np.float32)
    middle = np.full(n, 0.5, np.float32)
    middle[0] += 0.25
    middle[-1] += 0.25
    return sparse.dia_array((np.stack([side, middle, side]), (-1, 0, 1)), shape=(n, n))


def label_picture(
    areas: sparse.csc_array, accepted: NDArray[np.bool_], image_shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return a label image: position + 1 of the ROI on top, 0 where none is.

    Accepted ROIs lie over rejected ones and small over large ones, so that outlines
    stay whole where ROIs overlap. Numbers have 16 bits where that suffices: napari
    hands those to the graphics card as they are, and larger ones translated.
    """
    sizes = np.diff(areas.indptr)
    columns = np.repeat(np.arange(areas.shape[1]), sizes)
    depth = np.empty(areas.shape[1], np.intp)
    depth[np.lexsort((-sizes, accepted))] = np.arange(areas.shape[1])
    order = np.argsort(depth[columns], kind="stable")
    dtype = np.uint16 if areas.shape[1] <= MOST_FAST else np.int32
    picture = np.zeros(int(np.prod(image_shape)), dtype)
    picture[areas.indices[order]] = columns[order] + 1  # of repeated pixels, the last
    return picture.reshape(image_shape)


def area_mask(
    areas: sparse.csc_array, position: int, image_shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return one area cut out of the image, and the place of the cut's corner (px).

    Inside is 1, the pixels around it are 2 (not in volumes), all else 0.
    """
    pixels = areas.indices[areas.indptr[position] : areas.indptr[position + 1]]
    ndim = len(image_shape)
    if pixels.size == 0:
        return np.zeros((1,) * ndim, np.uint8), np.zeros(ndim, np.int64)
    where = np.stack(np.unravel_index(pixels, image_shape)).astype(np.int64)
    # a margin lets outlines close; it stays inside the image and in the planes of the
    # ROI, since a layer that is larger than the recording would move the sliders
    margin = np.array((0,) * (ndim - 2) + (2, 2))
    corner = np.maximum(where.min(axis=1) - margin, 0)
    stop = np.minimum(where.max(axis=1) + 1 + margin, image_shape)
    mask = np.zeros(stop - corner, np.uint8)
    mask[tuple(where - corner[:, None])] = 1
    if ndim == 3:
        return mask, corner
    around = ndimage.binary_dilation(
        mask, ndimage.generate_binary_structure(ndim, ndim)
    )
    mask[around & (mask == 0)] = 2
    return mask, corner


def contrast_limits(recording: xr.DataArray) -> tuple[float, float]:
    """Return display limits from a few frames, spread over the recording."""
    return image_limits(sample_pixels(recording))


def image_limits(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return display limits for some pixels; what is not finite does not count."""
    pixels = pixels[np.isfinite(pixels)]
    if pixels.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(pixels, (0.5, 99.8))
    if not high > low:
        low, high = float(pixels.min()), float(pixels.max())
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def sample_pixels(recording: xr.DataArray) -> NDArray[Any]:
    """Return pixels of a few frames as one array, at most about 2 million."""
    n_frames = recording.sizes["frame"]
    frames = np.unique(np.linspace(0, n_frames - 1, _SAMPLED_FRAMES).astype(int))
    parts = []
    for frame in frames:
        pixels = recording[frame].to_numpy().ravel()
        parts.append(pixels[:: max(1, pixels.size // _SAMPLED_PIXELS)])
    return np.concatenate(parts)
