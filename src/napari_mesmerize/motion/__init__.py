"""Motion correction: recording -> shifts -> corrected recording."""

from napari_mesmerize.motion.correct import (
    apply_motion,
    correct_motion,
    correct_piecewise,
    correct_rigid,
    preview_motion,
)
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams
from napari_mesmerize.motion.patch_grid import PatchGrid, patch_grid
from napari_mesmerize.motion.presets import PRESETS, suggest_params, suggest_preset
from napari_mesmerize.motion.result import MotionQuality, MotionResult, MotionWarning

ENGINES = {"rigid": correct_rigid, "piecewise": correct_piecewise}

__all__ = [
    "ENGINES",
    "PRESETS",
    "MotionQuality",
    "MotionResult",
    "MotionWarning",
    "PatchGrid",
    "PiecewiseParams",
    "RigidParams",
    "apply_motion",
    "correct_motion",
    "correct_piecewise",
    "correct_rigid",
    "patch_grid",
    "preview_motion",
    "suggest_params",
    "suggest_preset",
]
