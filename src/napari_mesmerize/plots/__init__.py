"""Figures: pure functions that take data and axes, and return the axes."""

from collections.abc import Callable

from matplotlib.axes import Axes

from napari_mesmerize.plots.outlines import plot_outlines
from napari_mesmerize.plots.projection import plot_projection
from napari_mesmerize.plots.shifts import plot_shifts
from napari_mesmerize.plots.traces import plot_traces

PLOTS: dict[str, Callable[..., Axes]] = {
    "outlines": plot_outlines,
    "projection": plot_projection,
    "shifts": plot_shifts,
    "traces": plot_traces,
}

__all__ = ["PLOTS", "plot_outlines", "plot_projection", "plot_shifts", "plot_traces"]
