"""Outlines of ROIs over an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots._axes import axes_or_new


def plot_outlines(
    outlines: Sequence[ArrayLike],
    *,
    ax: Axes | None = None,
    colors: Sequence[Any] | None = None,
    numbers: bool = False,
    **kwargs: Any,
) -> Axes:
    """Draw closed outlines.

    Parameters
    ----------
    outlines : sequence of array_like
        Each (n_points, 2): y, x in pixels; of volumes (n_points, 3): z, y, x.
    ax : matplotlib.axes.Axes, optional
        Where to draw, often over a projection.
    colors : sequence, optional
        A colour per outline; default cycles through a qualitative map.
    numbers : bool, optional
        Write each position beside its outline.
    **kwargs
        Passed to ``LineCollection``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with one collection of as many lines as there are outlines.

    Notes
    -----
    Use it over :func:`plot_projection`, with ``ax`` of that. Outlines of volumes are
    drawn on one plane, on top of each other.

    Examples
    --------
    >>> from napari_mesmerize.plots import plot_outlines
    >>> ax = plot_outlines([[(2, 2), (2, 8), (8, 8)], [(10, 10), (10, 14), (14, 14)]])
    >>> len(ax.collections[0].get_paths())
    2
    """
    ax = axes_or_new(ax)
    if colors is None:
        cycle = colormaps["tab10"].colors  # type: ignore[attr-defined]
        colors = [cycle[i % len(cycle)] for i in range(len(outlines))]
    if len(colors) != len(outlines):
        raise ParameterError(
            f"There are {len(colors)} colours for {len(outlines)} outlines; "
            "give one each."
        )
    lines = []
    for outline in outlines:
        points = np.asarray(outline, dtype=np.float64)
        points = points.reshape(-1, points.shape[-1] if points.size else 2)[:, -2:]
        lines.append(np.vstack([points, points[:1]])[:, ::-1])
    options = {"linewidths": 1.0} | kwargs
    ax.add_collection(LineCollection(lines, colors=list(colors), **options))
    ax.autoscale_view()
    if numbers:
        for i, line in enumerate(lines):
            if len(line):
                x, y = line[:, 0].max(), line[:, 1].min()
                ax.text(x, y, str(i), color=colors[i], fontsize=6)
    return ax
