"""How good a motion correction is: correlations, outliers, fields, crispness."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.quality import bending
from napari_mesmerize.plots._axes import axes_or_new
from napari_mesmerize.plots.projection import plot_projection
from napari_mesmerize.plots.shifts import plot_shifts

if TYPE_CHECKING:
    from napari_mesmerize.motion import MotionResult

_BEFORE, _AFTER, _OUTLIER = "0.6", "C0", "C3"


def plot_template_correlation(
    result: "MotionResult", *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Draw how well each frame correlates with the template, before and after.

    Parameters
    ----------
    result : MotionResult
        What ``correct_motion`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, outlier frames marked.

    Notes
    -----
    Use it to find bad frames: outliers are closed shutters, debris, or motion out of
    the plane. A correlation that stays low throughout may only mean a dim recording.

    Examples
    --------
    >>> from napari_mesmerize import correct_motion, simulate
    >>> size = {"shape": (60, 48, 48), "n_cells": 4}
    >>> recording, truth = simulate("2p-small", "rigid", seed=1, **size)
    >>> from napari_mesmerize.plots import plot_template_correlation
    >>> ax = plot_template_correlation(correct_motion(recording))
    >>> len(ax.lines) >= 2
    True
    """
    quality = result.quality
    ax = axes_or_new(ax, (8.0, 2.5))
    style = {"linewidth": 0.8} | kwargs
    ax.plot(quality.correlation_before, color=_BEFORE, label="before", **style)
    ax.plot(quality.correlation_after, color=_AFTER, label="after", **style)
    outliers = np.flatnonzero(quality.outliers)
    if outliers.size:
        low = np.nanmin(quality.correlation_before)
        ax.plot(
            outliers,
            np.full(outliers.size, low),
            "x",
            color=_OUTLIER,
            label=f"{outliers.size} outliers",
        )
    ax.set(xlabel="frame", ylabel="correlation\nwith the template")
    ax.legend(loc="lower right", ncols=3, frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0)
    return ax


def plot_field(
    result: "MotionResult", frame: int, *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Draw one frame's field over the template, less the shift of the whole frame.

    Parameters
    ----------
    result : MotionResult
        Of a piecewise correction of planes.
    frame : int
        Which frame.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``quiver``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with the template and an arrow for each point of the field.

    Raises
    ------
    ParameterError
        If the correction has no field, or the recording is one of volumes.

    Notes
    -----
    Use it to look at single frames that :func:`plot_bending` shows to bend. Arrows at
    dim places are pulled towards the rest of the frame.

    Examples
    --------
    >>> from napari_mesmerize import PiecewiseParams, correct_motion, simulate
    >>> size = {"shape": (60, 48, 48), "n_cells": 4}
    >>> recording, truth = simulate("2p-small", "rigid", seed=1, **size)
    >>> from napari_mesmerize.plots import plot_field
    >>> ax = plot_field(correct_motion(recording, PiecewiseParams()), frame=5)
    >>> len(ax.images)
    1
    """
    field, places = result.field, result.patch_centers
    if field is None or places is None or len(places) != 2:
        raise ParameterError(
            "There is no field to draw: the correction was rigid, or of volumes. "
            "Correct planes with PiecewiseParams."
        )
    ax = plot_projection(result.template, ax=ax)
    bend = field[frame] - field[frame].mean(axis=(0, 1))
    y, x = places
    style = {"angles": "xy", "scale_units": "xy", "scale": 0.2, "color": "C1"} | kwargs
    ax.quiver(x, y, bend[..., 1], bend[..., 0], **style)
    largest = float(np.sqrt((bend**2).sum(axis=-1)).max())
    ax.set_title(f"frame {frame}: up to {largest:.1f} px, drawn x 5")
    return ax


def plot_bending(
    result: "MotionResult", *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Draw how much each frame bends: its field less the shift of the whole frame.

    Parameters
    ----------
    result : MotionResult
        Of a piecewise correction.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: root mean square and largest difference over the patches.

    Raises
    ------
    ParameterError
        If the correction was rigid.

    Notes
    -----
    Use it to decide between the engines: if the bending stays below about a tenth of a
    pixel, one shift a frame is enough.

    Examples
    --------
    >>> from napari_mesmerize import PiecewiseParams, correct_motion, simulate
    >>> size = {"shape": (60, 48, 48), "n_cells": 4}
    >>> recording, truth = simulate("2p-small", "rigid", seed=1, **size)
    >>> from napari_mesmerize.plots import plot_bending
    >>> ax = plot_bending(correct_motion(recording, PiecewiseParams()))
    >>> len(ax.lines)
    2
    """
    field = result.field
    if field is None:
        raise ParameterError(
            "There is no bending to draw: the correction was rigid. Correct with "
            "PiecewiseParams."
        )
    largest, typical = bending(field)
    ax = axes_or_new(ax, (8.0, 2.5))
    style = {"linewidth": 0.8} | kwargs
    ax.plot(largest, color=_BEFORE, label="largest", **style)
    ax.plot(typical, color=_AFTER, label="typical", **style)
    ax.set(xlabel="frame", ylabel="bending (px)", ylim=(0, None))
    ax.legend(loc="upper right", ncols=2, frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0)
    return ax


def plot_crispness(
    result: "MotionResult", *, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Draw the crispness of the mean image, before and after.

    Parameters
    ----------
    result : MotionResult
        What ``correct_motion`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    **kwargs
        Passed to ``barh``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with a bar each.

    Notes
    -----
    Use it to compare two corrections of the same frames. Crispness of different
    recordings cannot be compared: it depends on brightness and tissue.

    Examples
    --------
    >>> from napari_mesmerize import correct_motion, simulate
    >>> size = {"shape": (60, 48, 48), "n_cells": 4}
    >>> recording, truth = simulate("2p-small", "rigid", seed=1, **size)
    >>> from napari_mesmerize.plots import plot_crispness
    >>> len(plot_crispness(correct_motion(recording)).patches)
    2
    """
    quality = result.quality
    values = [quality.crispness_after, quality.crispness_before]
    ax = axes_or_new(ax, (4.0, 1.4))
    style: dict[str, Any] = {"color": [_AFTER, _BEFORE]} | kwargs
    bars = ax.barh(["after", "before"], values, **style)
    ax.bar_label(bars, fmt="%.3g", padding=3)
    ax.set(xlabel="crispness of the mean image")
    ax.margins(x=0.15)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_motion(result: "MotionResult", *, figure: Figure | None = None) -> Figure:
    """Draw a page about a correction: mean images, shifts, correlations.

    Parameters
    ----------
    result : MotionResult
        What ``correct_motion`` returned.
    figure : matplotlib.figure.Figure, optional
        An empty figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; ``figure.savefig("motion.png")`` writes it.

    Notes
    -----
    Use it as the page to look at after each correction. For one of its parts in a
    figure of your own, the other ``plot_...`` functions take ``ax``.

    Examples
    --------
    >>> from napari_mesmerize import correct_motion, simulate
    >>> size = {"shape": (60, 48, 48), "n_cells": 4}
    >>> recording, truth = simulate("2p-small", "rigid", seed=1, **size)
    >>> from napari_mesmerize.plots import plot_motion
    >>> figure = plot_motion(correct_motion(recording))
    >>> len(figure.axes) > 3
    True
    """
    figure = figure or Figure(figsize=(9.0, 6.5), layout="constrained")
    bends = result.field is not None
    grid = figure.add_gridspec(3 + bends, 2, height_ratios=(2.4, 1, 1, 1)[: 3 + bends])
    quality = result.quality
    pages = (
        ("before", quality.mean_before, quality.crispness_before),
        ("after", quality.mean_after, quality.crispness_after),
    )
    for column, (name, image, crisp) in enumerate(pages):
        ax = figure.add_subplot(grid[0, column])
        middle = image if image.ndim == 2 else image[len(image) // 2]
        plot_projection(middle, ax=ax)
        ax.set_title(f"mean {name}, crispness {crisp:.0f}")
    plot_shifts(result.shifts, ax=figure.add_subplot(grid[1, :]))
    plot_template_correlation(result, ax=figure.add_subplot(grid[2, :]))
    if bends:
        plot_bending(result, ax=figure.add_subplot(grid[3, :]))
    return figure
