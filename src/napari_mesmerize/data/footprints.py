"""Footprints: sparse weights of pixels, from masks, outlines and labels, and back."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.outlines import Outline, mask_from_outline, outline_from_mask
from napari_mesmerize.errors import ParameterError

THRESHOLD = 0.2
"""Pixels above this fraction of a footprint's maximum are drawn as the ROI."""


def footprints_from_masks(masks: ArrayLike | Iterable[ArrayLike]) -> Any:
    """Return masks or weight images as footprints; pieces and holes are kept.

    Parameters
    ----------
    masks : array_like
        Shape (n_rois, height, width) or (n_rois, n_planes, height, width); boolean, or
        weights of 0 and more.

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32, pixels in C order.

    Notes
    -----
    Use it where ROIs overlap, have weights, or consist of several pieces. For many
    large images, a label image or a sparse matrix needs less memory.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((2, 8, 8), bool)
    >>> masks[0, 1:4, 1:4] = masks[1, 3:6, 3:6] = True
    >>> footprints_from_masks(masks).shape
    (64, 2)
    """
    images = np.asarray(masks if hasattr(masks, "shape") else list(masks))  # type: ignore[arg-type]
    if images.ndim not in (3, 4):
        raise ParameterError(
            f"Masks have shape {images.shape}; expected (n_rois, height, width) or "
            "(n_rois, n_planes, height, width)."
        )
    flat = images.reshape(len(images), -1)
    rois, pixels = np.nonzero(flat)
    values = flat[rois, pixels].astype(np.float32)
    return footprint_matrix(pixels, rois, values, flat.shape[1], len(images))


def footprints_from_outlines(
    outlines: Iterable[ArrayLike], image_shape: Sequence[int]
) -> Any:
    """Return the pixels inside each outline as footprints.

    Parameters
    ----------
    outlines : iterable of array_like
        Each of shape (n_vertices, 2 or 3): (y, x) or (z, y, x), px.
    image_shape : sequence of int
        (height, width) or (n_planes, height, width).

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32, 1 inside each outline.

    Raises
    ------
    ParameterError
        If an outline is no polygon or covers no pixel's centre; the text says which.

    Notes
    -----
    Use it for polygons that were drawn or imported. An outline keeps no holes and no
    weights; where you have masks, use :func:`footprints_from_masks`.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import footprints_from_outlines
    >>> square = [(0.5, 0.5), (0.5, 3.5), (3.5, 3.5), (3.5, 0.5)]
    >>> float(footprints_from_outlines([square], (8, 8)).sum())
    9.0
    """
    shape = tuple(int(size) for size in image_shape)
    pixels: list[NDArray[np.int64]] = []
    for position, outline in enumerate(outlines):
        try:
            inside = np.flatnonzero(mask_from_outline(outline, shape))
        except ParameterError as error:
            raise ParameterError(f"ROI {position}: {error}") from error
        if inside.size == 0:
            raise ParameterError(
                f"ROI {position} covers the centre of no pixel of an image of shape "
                f"{shape}; draw it larger or inside the image."
            )
        pixels.append(inside)
    sizes = [len(inside) for inside in pixels]
    rois = np.repeat(np.arange(len(pixels)), sizes)
    rows = np.concatenate(pixels) if pixels else np.zeros(0, np.int64)
    ones = np.ones(len(rows), np.float32)
    return footprint_matrix(rows, rois, ones, int(np.prod(shape)), len(pixels))


def footprints_from_labels(labels: ArrayLike) -> Any:
    """Return the areas of a label image as footprints.

    Column ``i`` is the ``i``-th smallest label above 0 that is there.

    Parameters
    ----------
    labels : array_like
        Shape (height, width) or (n_planes, height, width), whole numbers; 0 is no ROI.

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32, 1 inside each ROI.

    Notes
    -----
    Use it for label images of Cellpose, StarDist or napari. A label image cannot hold
    overlapping ROIs; use masks or outlines for those.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import footprints_from_labels
    >>> labels = np.array([[0, 7, 7], [0, 0, 9]])
    >>> footprints_from_labels(labels).toarray().T.tolist()
    [[0.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    image = np.asarray(labels)
    if image.ndim not in (2, 3) or image.dtype.kind not in "bui":
        raise ParameterError(
            f"Labels have shape {image.shape} and dtype {image.dtype}; expected an "
            "image of whole numbers, 0 where nothing is."
        )
    pixels = np.flatnonzero(image > 0)
    found, rois = np.unique(image.ravel()[pixels], return_inverse=True)
    ones = np.ones(len(pixels), np.float32)
    return footprint_matrix(pixels, rois.ravel(), ones, image.size, len(found))


def labels_from_footprints(
    footprints: Any,
    image_shape: Sequence[int] | None = None,
    *,
    threshold: float = THRESHOLD,
) -> NDArray[np.int32]:
    """Return an image that shows which component is where.

    Parameters
    ----------
    footprints : Components or scipy.sparse.csc_array
        What to show; of a matrix, ``image_shape`` must be given.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width).
    threshold : float, optional
        Only pixels above this fraction of a footprint's maximum are drawn.

    Returns
    -------
    numpy.ndarray
        0 where nothing is, otherwise position + 1 of the component that is strongest
        there, relative to its maximum (of equals, the first).

    Notes
    -----
    Use it to look at ROIs. Do not measure on the result: where ROIs overlap only the
    strongest is left, and weights are gone. :func:`rois_at` tells all ROIs at a pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import (
    ...     footprints_from_masks,
    ...     labels_from_footprints,
    ... )
    >>> masks = np.zeros((2, 4, 4))
    >>> masks[0, :2], masks[1, 3] = 1, 1
    >>> labels_from_footprints(footprints_from_masks(masks), (4, 4))[:, 0].tolist()
    [1, 1, 0, 2]
    """
    matrix, shape = matrix_and_shape(footprints, image_shape)
    columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    relative = relative_weights(matrix)
    strong = np.flatnonzero(relative > threshold)
    order = strong[np.lexsort((-columns[strong], relative[strong]))]
    labels = np.zeros(int(np.prod(shape)), np.int32)
    labels[matrix.indices[order]] = columns[order] + 1  # of repeated pixels, the last
    return labels.reshape(shape)


def outlines_from_footprints(
    footprints: Any,
    image_shape: Sequence[int] | None = None,
    *,
    threshold: float = THRESHOLD,
) -> list[Outline]:
    """Return the outline of each footprint where it is above a fraction of its maximum.

    An outline keeps the largest piece and no holes
    (:mod:`napari_mesmerize.data.outlines`); a footprint without weights has an
    empty one.

    Parameters
    ----------
    footprints : Components or scipy.sparse.csc_array
        The ROIs; with a matrix, ``image_shape`` must be given.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width).
    threshold : float, optional
        An outline surrounds what is above this fraction of its footprint's maximum.

    Returns
    -------
    list of list of list of float
        For each footprint its vertices (y, x) or (z, y, x), px.

    Notes
    -----
    Use it to draw or to export ROIs. Do not convert back and forth: holes, small pieces
    and weights are lost. Keep the footprints for measurements.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import (
    ...     footprints_from_masks,
    ...     outlines_from_footprints,
    ... )
    >>> masks = np.zeros((1, 8, 8))
    >>> masks[0, 2:5, 2:5] = 1
    >>> (outline,) = outlines_from_footprints(footprints_from_masks(masks), (8, 8))
    >>> np.mean(outline, axis=0).tolist()
    [3.0, 3.0]
    """
    matrix, shape = matrix_and_shape(footprints, image_shape)
    relative = relative_weights(matrix)
    outlines: list[Outline] = []
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        pixels = matrix.indices[start:stop][relative[start:stop] > threshold]
        if pixels.size == 0:
            outlines.append([])
            continue
        at = np.array(np.unravel_index(pixels, shape))
        origin = at.min(1)
        patch = np.zeros(at.max(1) - origin + 1, bool)
        patch[tuple(at - origin[:, None])] = True
        outlines.append(outline_from_mask(patch, origin=origin.tolist()))
    return outlines


def outline_from_footprint(
    footprint: ArrayLike, *, threshold: float = THRESHOLD
) -> Outline:
    """Return the outline of one footprint given as an image of weights.

    Parameters
    ----------
    footprint : array_like
        Shape (height, width) or (n_planes, height, width), weights of 0 and more.
    threshold : float, optional
        The outline surrounds what is above this fraction of the maximum.

    Returns
    -------
    list of list of float
        Vertices (y, x) or (z, y, x), px; empty for a footprint without weights.

    Notes
    -----
    Use it for one image of weights. For the sparse footprints of components use
    :func:`outlines_from_footprints`. A lower threshold draws a wider outline.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import outline_from_footprint
    >>> image = np.zeros((8, 8))
    >>> image[3, 3] = 1.0
    >>> np.mean(outline_from_footprint(image), axis=0).tolist()
    [3.0, 3.0]
    """
    weights = np.asarray(footprint, dtype=np.float32)
    return outline_from_mask(weights > threshold * weights.max(initial=0))


def rois_at(
    footprints: Any,
    position: Sequence[float],
    image_shape: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Return which footprints cover a pixel, the relatively strongest first.

    Parameters
    ----------
    footprints : Components or scipy.sparse.csc_array
        What to look into; of a matrix, ``image_shape`` must be given.
    position : sequence of float
        (y, x) or (z, y, x), px; rounded to the nearest pixel. Outside the image
        nothing is.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width).

    Returns
    -------
    numpy.ndarray
        Positions of the footprints, int64; empty where no footprint covers the pixel.

    Notes
    -----
    Use it to find out what was clicked, also where ROIs overlap. A label image shows
    only the strongest ROI of a pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import footprints_from_masks, rois_at
    >>> masks = np.zeros((2, 8, 8))
    >>> masks[0, 1:5, 1:5] = masks[1, 3:7, 3:7] = 1
    >>> rois_at(footprints_from_masks(masks), (4, 4), (8, 8)).tolist()
    [0, 1]
    """
    matrix, shape = matrix_and_shape(footprints, image_shape)
    at = np.floor(np.asarray(position, dtype=float) + 0.5).astype(int)
    if at.shape != (len(shape),):
        raise ParameterError(f"position={position}; expected {len(shape)} numbers, px.")
    if (at < 0).any() or (at >= shape).any():
        return np.zeros(0, np.int64)
    entries = np.flatnonzero(matrix.indices == np.ravel_multi_index(tuple(at), shape))
    relative = relative_weights(matrix)[entries]
    entries = entries[np.argsort(-relative, kind="stable")]
    columns = np.searchsorted(matrix.indptr, entries, side="right") - 1
    return np.asarray(columns[matrix.data[entries] > 0], np.int64)


def as_footprints(rois: Any, image_shape: Sequence[int]) -> Any:
    """Return ROIs, however they are given, as footprints.

    Parameters
    ----------
    rois : object
        Components; a sparse matrix (n_pixels, n_rois); an ROI table; masks or weights
        (n_rois, ...image); one boolean mask; a label image of whole numbers; or a list
        of outlines.
    image_shape : sequence of int
        (height, width) or (n_planes, height, width).

    Returns
    -------
    scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32, pixels in C order of ``image_shape``.

    Raises
    ------
    ParameterError
        If they do not fit the image, have negative weights, or cover no pixel.

    Notes
    -----
    Use it in a function that accepts ROIs in any form. A 2-D array of whole numbers is
    taken for a label image, a 2-D boolean array for one mask; if you know the form, the
    functions ``footprints_from_...`` leave nothing to guess.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import as_footprints
    >>> labels = np.zeros((8, 8), int)
    >>> labels[:2, :3], labels[5:, 5:] = 1, 2
    >>> footprints = as_footprints(labels, (8, 8))
    >>> footprints.shape, footprints.sum(axis=0).tolist()
    ((64, 2), [6.0, 9.0])
    """
    shape = tuple(int(size) for size in image_shape)
    matrix = _as_matrix(rois, shape)
    if matrix.shape[0] != int(np.prod(shape)):
        raise ParameterError(
            f"Footprints have {matrix.shape[0]} pixels, but an image of shape {shape} "
            f"has {int(np.prod(shape))}."
        )
    if not (matrix.data >= 0).all():
        raise ParameterError(
            "Footprints have weights below 0 or NaN; weights must be 0 or more."
        )
    weight = np.asarray(matrix.sum(0)).ravel()
    empty = np.flatnonzero(weight == 0)
    if empty.size:
        raise ParameterError(
            f"{empty.size} of {matrix.shape[1]} ROIs cover no pixel, the first is ROI "
            f"{empty[0]}; remove or redraw them."
        )
    return matrix


def _as_matrix(rois: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(rois, Components):
        return rois.footprints
    if sparse.issparse(rois):
        return sparse.csc_array(rois)  # type: ignore[call-overload]
    if isinstance(rois, pd.DataFrame):
        return footprints_from_outlines(rois["outline"], shape)
    if not hasattr(rois, "shape"):
        rois = list(rois)
        if all(np.shape(roi) == shape for roi in rois) and rois:
            return footprints_from_masks(rois)
        return footprints_from_outlines(rois, shape)
    images = np.asarray(rois)
    if images.shape == shape:
        is_mask = images.dtype == bool
        return (
            footprints_from_masks(images[None])
            if is_mask
            else footprints_from_labels(images)
        )
    if images.shape[1:] != shape:
        raise ParameterError(
            f"Masks have shape {images.shape}; expected (n_rois, *{shape})."
        )
    return footprints_from_masks(images)


def matrix_and_shape(
    footprints: Any, image_shape: Sequence[int] | None
) -> tuple[Any, tuple[int, ...]]:
    """Return the sparse matrix and the image shape of components or of both given."""
    if isinstance(footprints, Components):
        return footprints.footprints, footprints.image_shape
    matrix = sparse.csc_array(footprints)
    if image_shape is None or matrix.shape[0] != int(np.prod(image_shape)):
        raise ParameterError(
            f"Footprints of {matrix.shape[0]} pixels need the shape of their image; "
            f"image_shape={image_shape}."
        )
    return matrix, tuple(int(size) for size in image_shape)


def relative_weights(matrix: Any) -> NDArray[np.float32]:
    """Return each stored weight relative to its footprint's maximum."""
    columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    top = np.zeros(matrix.shape[1], np.float32)
    np.maximum.at(top, columns, matrix.data)
    return np.asarray(matrix.data / np.where(top > 0, top, 1)[columns], np.float32)


def footprint_matrix(
    pixels: NDArray[Any], rois: NDArray[Any], values: Any, n_pixels: int, n_rois: int
) -> Any:
    """Return pixels, ROIs and weights as a matrix of shape (n_pixels, n_rois)."""
    entries = (values, (pixels, rois))
    matrix = sparse.csc_array(entries, shape=(n_pixels, n_rois), dtype=np.float32)
    matrix.sort_indices()
    return matrix
