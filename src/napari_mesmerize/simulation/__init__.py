"""Recordings with known truth, and scores of results against it."""

from napari_mesmerize.simulation.scores import (
    field_error,
    score_components,
    shift_error,
)
from napari_mesmerize.simulation.simulate import (
    Simulation,
    make_stimulus_epochs,
    simulate,
)
from napari_mesmerize.simulation.truth import Truth

__all__ = [
    "Simulation",
    "Truth",
    "field_error",
    "make_stimulus_epochs",
    "score_components",
    "shift_error",
    "simulate",
]
