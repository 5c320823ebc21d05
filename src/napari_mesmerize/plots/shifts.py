"""Shifts of the motion correction over time."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots._axes import axes_or_new


def plot_shifts(
    shifts: ArrayLike,
    *,
    times_s: ArrayLike | None = None,
    true_shifts: ArrayLike | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the shift of each frame along each axis.

    Parameters
    ----------
    shifts : array_like
        Shape (n_frames, 2) or (n_frames, 3): (y, x) or (z, y, x), pixels to add.
    times_s : array_like, optional
        Shape (n_frames,), seconds; without it the axis counts frames.
    true_shifts : array_like, optional
        The same shape; drawn in grey behind.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with a labelled line per axis.

    Notes
    -----
    Use it to see drift and jumps. A line that sticks at a limit means that
    ``max_shift`` was too small. For fields it shows the mean shift of each frame; see
    :func:`plot_bending`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.plots import plot_shifts
    >>> ax = plot_shifts(np.zeros((50, 2)), times_s=np.arange(50) / 10)
    >>> len(ax.lines)
    2
    """
    values = np.asarray(shifts, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] not in (2, 3):
        raise ParameterError(
            f"Shifts have shape (n_frames, 2 or 3); these have shape {values.shape}."
        )
    ax = axes_or_new(ax, (8.0, 2.5))
    times = np.arange(len(values)) if times_s is None else np.asarray(times_s)
    if true_shifts is not None:
        ax.plot(times, np.asarray(true_shifts), color="0.75", linewidth=2.5)
    names = ("z", "y", "x")[-values.shape[1] :]
    for axis, name in enumerate(names):
        style: dict[str, Any] = {"linewidth": 0.8, "label": name}
        ax.plot(times, values[:, axis], **(style | kwargs))
    ax.set(
        xlabel="frame" if times_s is None else "time (s)",
        ylabel="shift (pixels to add)",
    )
    ax.legend(loc="upper right", ncols=3, frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0)
    return ax
