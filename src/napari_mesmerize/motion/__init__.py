"""Motion correction: recording -> shifts -> corrected recording."""

from napari_mesmerize.motion.correct import (
    apply_motion,
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
    "apply_motion",
    "correct_motion",
    "correct_piecewise",
    "correct_rigid",
]
