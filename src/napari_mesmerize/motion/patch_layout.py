"""Geometry of the patches, to be drawn over an image while parameters change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import Grid
from napari_mesmerize.motion.params import PiecewiseParams, resolve


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """The patches of a piecewise correction.

    Attributes
    ----------
    rectangles : numpy.ndarray
        Shape (n_patches, 4, 2): corners (y, x) of each patch, px, clipped to the image.
    centers : numpy.ndarray
        Shape (n_patches, 2), (y, x), px.
    spacing : tuple of float
        Distance of the centers along y and x, px.
    """

    rectangles: NDArray[np.float64]
    centers: NDArray[np.float64]
    spacing: tuple[float, float]


def patch_grid(params: PiecewiseParams, image_shape: tuple[int, ...]) -> PatchGrid:
    """Return the patches that ``params`` make on an image.

    A patch reaches half a stride and half an overlap from its center to each side.

    Parameters
    ----------
    params : PiecewiseParams
        ``strides`` and ``overlaps``, or what follows from ``cell_diameter``.
    image_shape : tuple of int
        (height, width), or (n_planes, height, width).

    Returns
    -------
    PatchGrid
        Rectangles, centers and spacing of the patches.

    Raises
    ------
    ParameterError
        If the strides exceed the image.

    Notes
    -----
    Use it to see what ``strides`` and ``overlaps`` mean before a run. A patch should be
    wider than a cell and hold structure; too small patches follow noise.

    Examples
    --------
    >>> from napari_mesmerize import PiecewiseParams
    >>> from napari_mesmerize.motion import patch_grid
    >>> grid = patch_grid(PiecewiseParams(strides=32), (128, 128))
    >>> grid.rectangles.shape[1:], len(grid.centers) == len(grid.rectangles)
    ((4, 2), True)
    """
    settings = resolve(params, image_shape)
    grid = Grid.make(settings, automatic=params.strides == 0)
    sides = image_shape[-2:]
    axes = [
        np.linspace(0, size - 1, cells + 1)
        for size, cells in zip(sides, grid.cells[1:], strict=True)
    ]
    spacing = [
        (size - 1) / cells for size, cells in zip(sides, grid.cells[1:], strict=True)
    ]
    stretch = settings.prior_length / settings.knot_spacing
    reach = [0.5 * gap * stretch for gap in spacing]
    y, x = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    edges = [
        np.clip(place + sign * half, -0.5, size - 0.5)
        for place, half, size in zip((y, x), reach, sides, strict=True)
        for sign in (-1, 1)
    ]
    top, bottom, left, right = edges
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    rectangles = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    return PatchGrid(rectangles, np.stack([y, x], axis=1), (spacing[0], spacing[1]))
