"""Recordings with known truth, and scores of results against it."""

from typing import TYPE_CHECKING

from napari_mesmerize.deferred import deferred
from napari_mesmerize.simulation.simulate import (
    Simulation,
    make_stimulus_epochs,
    simulate,
)
from napari_mesmerize.simulation.truth import Truth

if TYPE_CHECKING:
    from napari_mesmerize.simulation.scores import (
        field_error,
        score_components,
        shift_error,
    )

__all__ = [
    "Simulation",
    "Truth",
    "field_error",
    "make_stimulus_epochs",
    "score_components",
    "shift_error",
    "simulate",
]

__getattr__, __dir__ = deferred(
    __name__,
    {
        "field_error": "scores",
        "score_components": "scores",
        "shift_error": "scores",
    },
)
