"""Motion correction: recording -> shifts -> corrected recording."""

from napari_mesmerize.motion.correct import (
    correct_motion,
    correct_piecewise,
    correct_rigid,
)
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams
from napari_mesmerize.motion.result import MotionQuality, MotionResult

ENGINES = {"rigid": correct_rigid, "piecewise": correct_piecewise}

__all__ = [
    "ENGINES",
    "MotionQuality",
    "MotionResult",
    "PiecewiseParams",
    "RigidParams",
    "correct_motion",
    "correct_piecewise",
    "correct_rigid",
]
