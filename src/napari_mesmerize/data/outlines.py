"""Outlines: polygons of (y, x) or (z, y, x) vertices, to masks and back.

The centre of pixel (i, j) is at (i, j). A mask holds the pixels whose centre lies
inside the polygon or on it. An outline is one polygon, in volumes one a plane: of a
mask in several pieces it keeps the largest piece (pixels that touch by a corner hang
together), and it has no holes. What must keep pieces and holes is a footprint.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mesmerize.errors import ParameterError

Outline = list[list[float]]
_CORNERS_TOUCH = np.ones((3, 3), bool)


def check_outline(outline: ArrayLike, ndim: int) -> NDArray[np.float64]:
    """Return the vertices of an outline as an array, shape (n_vertices, ndim).

    Raises
    ------
    ParameterError
        If there are fewer than three vertices (in a plane), or they are not finite.
    """
    try:
        vertices = np.asarray(outline, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"An outline is a list of points: {error}.") from error
    if vertices.ndim != 2 or vertices.shape[1] != ndim:
        axes = "(y, x)" if ndim == 2 else "(z, y, x)"
        raise ParameterError(
            f"The outline has shape {vertices.shape}; expected (n_vertices, {ndim}), "
            f"points {axes} in px."
        )
    if not np.isfinite(vertices).all():
        raise ParameterError("The outline has vertices that are not finite.")
    planes = np.rint(vertices[:, 0]) if ndim == 3 else np.zeros(len(vertices))
    counts = np.unique(planes, return_counts=True)[1]
    fewest = int(counts.min()) if counts.size else 0
    if fewest < 3:
        raise ParameterError(
            f"The outline has {fewest} vertices"
            f"{' in a plane' if ndim == 3 else ''}; a polygon needs at least 3."
        )
    return vertices


def mask_from_outline(
    outline: ArrayLike, image_shape: Sequence[int]
) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies inside an outline or on it.

    What lies outside the image is cut off. A polygon that crosses itself is filled by
    the even-odd rule. In volumes, the vertices with one (rounded) z are a polygon.

    Parameters
    ----------
    outline : array_like
        Shape (n_vertices, 2 or 3): (y, x) or (z, y, x), px.
    image_shape : sequence of int
        (height, width) or (n_planes, height, width).

    Returns
    -------
    numpy.ndarray
        Boolean image of ``image_shape``.

    Raises
    ------
    ParameterError
        If the outline is not a polygon.

    Notes
    -----
    Use it for one outline; :func:`footprints_from_outlines` does it for many and keeps
    them sparse. A polygon so small that it covers no pixel's centre gives an empty
    mask.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import mask_from_outline
    >>> square = [(0.5, 0.5), (0.5, 3.5), (3.5, 3.5), (3.5, 0.5)]
    >>> int(mask_from_outline(square, (8, 8)).sum())
    9
    """
    from skimage.draw import polygon

    shape = tuple(int(size) for size in image_shape)
    vertices = check_outline(outline, len(shape))
    mask = np.zeros(shape, bool)
    if len(shape) == 2:
        mask[polygon(vertices[:, 0], vertices[:, 1], shape)] = True
        return mask
    planes = np.rint(vertices[:, 0]).astype(int)
    for z in np.unique(planes):
        if 0 <= z < shape[0]:
            y, x = vertices[planes == z, 1:].T
            mask[z][polygon(y, x, shape[1:])] = True
    return mask


def outline_from_mask(
    mask: ArrayLike, *, origin: Sequence[float] | None = None
) -> Outline:
    """Return the outline of a mask: of its largest piece, without holes.

    It runs between pixel centres, so that :func:`mask_from_outline` gives these pixels
    back exactly.

    Parameters
    ----------
    mask : array_like
        Boolean image (height, width) or (n_planes, height, width).
    origin : sequence of float, optional
        Position of the mask's first pixel; the default is 0.

    Returns
    -------
    list of list of float
        Vertices (y, x) or (z, y, x), px; the last is not the first again.

    Raises
    ------
    ParameterError
        If no pixel is set.

    Notes
    -----
    Use it for a mask of one piece. Only the largest piece is kept: an ROI of several
    pieces, or with holes, should stay a mask.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.rois import mask_from_outline, outline_from_mask
    >>> mask = np.zeros((8, 8), bool)
    >>> mask[2:5, 3:6] = True
    >>> bool((mask_from_outline(outline_from_mask(mask), (8, 8)) == mask).all())
    True
    """
    pixels = np.asarray(mask, dtype=bool)
    if pixels.ndim not in (2, 3) or not pixels.any():
        raise ParameterError(
            f"A mask of shape {pixels.shape} with {int(pixels.sum())} pixels has no "
            "outline; expected an image with at least one pixel set."
        )
    start = np.zeros(pixels.ndim) if origin is None else np.asarray(origin, float)
    if pixels.ndim == 2:
        return _as_lists(_trace_plane(pixels) + start)
    vertices = []
    for z in np.flatnonzero(pixels.any(axis=(1, 2))):
        plane = _trace_plane(pixels[z])
        vertices.append(np.column_stack([np.full(len(plane), z), plane]) + start)
    return _as_lists(np.concatenate(vertices))


def _as_lists(vertices: NDArray[np.float64]) -> Outline:
    return [[float(value) for value in vertex] for vertex in vertices]


def _trace_plane(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the vertices around the largest piece of a plane's mask."""
    from skimage.measure import find_contours

    piece = ndimage.binary_fill_holes(largest_piece(mask))
    padded = np.pad(piece, 1).astype(np.float32)
    contour = find_contours(padded, 0.5, fully_connected="high")[0][:-1] - 1
    before, after = np.roll(contour, 1, axis=0), np.roll(contour, -1, axis=0)
    a, b = contour - before, after - contour
    turns = a[:, 0] * b[:, 1] != a[:, 1] * b[:, 0]
    return np.asarray(contour[turns], dtype=np.float64)


def largest_piece(mask: ArrayLike) -> NDArray[np.bool_]:
    """Return the piece of a plane's mask with the most pixels; of equals the first."""
    pixels = np.asarray(mask, dtype=bool)
    pieces, n_pieces = ndimage.label(pixels, structure=_CORNERS_TOUCH)
    if n_pieces <= 1:
        return pixels
    sizes = np.bincount(pieces.ravel())[1:]
    return np.asarray(pieces == 1 + int(np.argmax(sizes)))
