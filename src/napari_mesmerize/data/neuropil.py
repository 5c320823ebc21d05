"""Neuropil rings: the surroundings of each ROI that no ROI covers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mesmerize.data.footprints import (
    THRESHOLD,
    footprint_matrix,
    labels_from_footprints,
    matrix_and_shape,
    relative_weights,
)
from napari_mesmerize.errors import ParameterError


def neuropil_rings(
    footprints: Any,
    image_shape: Sequence[int] | None = None,
    *,
    inner: float = 2.0,
    width: float = 4.0,
    min_pixels: int = 30,
    threshold: float = THRESHOLD,
) -> Any:
    """Return a ring around each ROI that no ROI covers; in volumes, in its planes.

    Parameters
    ----------
    footprints : Components or scipy.sparse.csc_array
        The ROIs; of a matrix, ``image_shape`` must be given.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width).
    inner : float, optional
        Distance between ROI and ring, px.
    width : float, optional
        Thickness of the ring, px. Doubled, and again, where fewer than ``min_pixels``
        pixels are free.
    min_pixels : int, optional
        Pixels a ring should have.
    threshold : float, optional
        An ROI is where it is above this fraction of its maximum.

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32, 1 in the ring.

    Raises
    ------
    ParameterError
        If the ROIs leave no pixel free, or a distance is out of range.

    Notes
    -----
    Use it with plain ROIs of two-photon recordings, to subtract the light of the
    surrounding tissue (commonly 0.7 times the ring's trace). Do not use it with
    components of CNMF or CNMF-E: they have a background of their own already.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import footprints_from_masks, neuropil_rings
    >>> masks = np.zeros((1, 32, 32))
    >>> masks[0, 14:18, 14:18] = 1
    >>> ring = neuropil_rings(footprints_from_masks(masks), (32, 32))
    >>> ring = ring.toarray().reshape(32, 32)
    >>> float(ring[15, 15]), float(ring[15, 22])
    (0.0, 1.0)
    """
    if inner < 0 or width <= 0:
        raise ParameterError(
            f"inner={inner}, width={width}; expected inner of 0 or more and width "
            "above 0, px."
        )
    matrix, shape = matrix_and_shape(footprints, image_shape)
    covered = labels_from_footprints(matrix, shape, threshold=threshold) > 0
    relative = relative_weights(matrix)
    rings: list[NDArray[np.int64]] = []
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        pixels = matrix.indices[start:stop][relative[start:stop] > threshold]
        ring = _ring(np.unravel_index(pixels, shape), covered, inner, width, min_pixels)
        if ring.size == 0:
            raise ParameterError(
                f"No pixel around ROI {len(rings)} is free for its neuropil ring; the "
                f"ROIs cover {covered.sum()} of {covered.size} pixels."
            )
        rings.append(ring)
    rois = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    rows = np.concatenate(rings) if rings else np.zeros(0, np.int64)
    return footprint_matrix(rows, rois, np.ones(len(rows), np.float32), *matrix.shape)


def _ring(
    at: tuple[NDArray[np.int64], ...],
    covered: NDArray[np.bool_],
    inner: float,
    width: float,
    min_pixels: int,
) -> NDArray[np.int64]:
    """Return the flat indices of the free pixels around those at ``at``."""
    if at[0].size == 0:
        return np.zeros(0, np.int64)
    low = np.array([a.min() for a in at])
    high = np.array([a.max() for a in at]) + 1
    lateral = np.array((0,) * (len(at) - 2) + (1, 1))
    size = np.array(covered.shape)
    while True:
        reach = int(np.ceil(inner + width)) * lateral
        start, stop = np.maximum(low - reach, 0), np.minimum(high + reach, size)
        window = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        away = np.ones(stop - start, bool)
        away[tuple(a - b for a, b in zip(at, start, strict=True))] = False
        planes = away[None] if away.ndim == 2 else away
        distance = np.stack(
            [
                ndimage.distance_transform_edt(plane)
                if not plane.all()
                else np.full(plane.shape, np.inf)
                for plane in planes
            ]
        ).reshape(away.shape)
        ring = (distance > inner) & (distance <= inner + width) & ~covered[window]
        everything = ((start == 0) & (stop == size))[-2:].all()
        if ring.sum() >= min_pixels or (everything and width > sum(covered.shape)):
            inside = [a + b for a, b in zip(np.nonzero(ring), start, strict=True)]
            return np.asarray(np.ravel_multi_index(tuple(inside), covered.shape))
        width *= 2
