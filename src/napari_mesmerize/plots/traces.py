"""Traces above each other, with stimulus epochs as bands."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots._axes import axes_or_new


def plot_traces(
    traces: ArrayLike,
    *,
    times_s: ArrayLike | None = None,
    epochs: pd.DataFrame | None = None,
    colors: Sequence[Any] | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw traces above each other, each scaled to its own range.

    Parameters
    ----------
    traces : array_like
        Shape (n_rois, n_frames).
    times_s : array_like, optional
        Shape (n_frames,), seconds; without it the axis counts frames, and epochs can
        not be drawn.
    epochs : pandas.DataFrame, optional
        Columns ``start_s``, ``stop_s``, ``colour``, ``name``: bands behind the traces.
    colors, labels : sequence, optional
        One per trace.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``LineCollection``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with one collection of as many lines as there are traces.

    Notes
    -----
    Use it for some dozen traces at most. Each is scaled to its own range, so heights
    cannot be compared between ROIs. Long traces are thinned to what a screen can show,
    peaks kept.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.epochs import make_epochs
    >>> from napari_mesmerize.plots import plot_traces
    >>> ax = plot_traces(
    ...     np.random.default_rng(1).random((3, 100)),
    ...     times_s=np.arange(100) / 10,
    ...     epochs=make_epochs([("odour", "rose", 2, 4)]),
    ... )
    >>> len(ax.collections[-1].get_paths())
    3
    """
    values = np.atleast_2d(np.asarray(traces, dtype=np.float64))
    n_rois, n_frames = values.shape
    if times_s is None:
        if epochs is not None and len(epochs):
            raise ParameterError(
                "Epochs are in seconds, but no times_s was given for the frames; give "
                "frame_times(recording), or leave the epochs out."
            )
        times, label = np.arange(n_frames, dtype=np.float64), "frame"
    else:
        times, label = np.asarray(times_s, dtype=np.float64), "time (s)"
    if times.shape != (n_frames,):
        raise ParameterError(
            f"times_s has shape {times.shape}, the traces have {n_frames} frames."
        )
    ax = axes_or_new(ax, (8.0, 4.0))
    low = np.nanmin(values, axis=1, keepdims=True, initial=np.inf)
    high = np.nanmax(values, axis=1, keepdims=True, initial=-np.inf)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    levels = np.arange(n_rois)[::-1]
    lines = [
        np.column_stack([times, 0.95 * y + k])
        for y, k in zip(scaled, levels, strict=True)
    ]
    options = {"linewidths": 0.8, "colors": list(colors) if colors else "black"}
    ax.add_collection(LineCollection(lines, **(options | kwargs)))
    if epochs is not None:
        for epoch in epochs.to_dict("records"):
            ax.axvspan(
                epoch["start_s"],
                epoch["stop_s"],
                color=epoch["colour"],
                alpha=0.25,
                lw=0,
            )
    if n_frames:
        ax.set_xlim(times[0], max(times[-1], times[0] + 1e-9))
    ax.set(ylim=(-0.1, max(n_rois, 1) + 0.05), xlabel=label, yticks=[])
    if labels is not None:
        ax.set_yticks(levels + 0.3, labels, fontsize=7)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
