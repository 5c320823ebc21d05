"""Figures: pure functions that take data and axes, and return the axes."""

from collections.abc import Callable

from matplotlib.axes import Axes

from napari_mesmerize.plots.motion import (
    plot_bending,
    plot_crispness,
    plot_field,
    plot_motion,
    plot_template_correlation,
)
from napari_mesmerize.plots.outlines import plot_outlines
from napari_mesmerize.plots.projection import plot_projection
from napari_mesmerize.plots.shifts import plot_shifts
from napari_mesmerize.plots.traces import plot_traces

PLOTS: dict[str, Callable[..., Axes]] = {
    "bending": plot_bending,
    "crispness": plot_crispness,
    "field": plot_field,
    "outlines": plot_outlines,
    "projection": plot_projection,
    "shifts": plot_shifts,
    "template_correlation": plot_template_correlation,
    "traces": plot_traces,
}

__all__ = [
    "PLOTS",
    "plot_bending",
    "plot_crispness",
    "plot_field",
    "plot_motion",
    "plot_outlines",
    "plot_projection",
    "plot_shifts",
    "plot_template_correlation",
    "plot_traces",
]
