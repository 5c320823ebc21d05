"""Motion correction: recording -> shifts -> corrected recording."""

from typing import TYPE_CHECKING

from napari_mesmerize.deferred import deferred
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams
from napari_mesmerize.motion.presets import PRESETS, suggest_params, suggest_preset

if TYPE_CHECKING:
    from napari_mesmerize.motion.correct import (
        apply_motion,
        correct_motion,
        preview_motion,
    )
    from napari_mesmerize.motion.patch_layout import PatchGrid, patch_grid
    from napari_mesmerize.motion.result import (
        MotionQuality,
        MotionResult,
        MotionWarning,
    )

__all__ = [
    "PRESETS",
    "MotionQuality",
    "MotionResult",
    "MotionWarning",
    "PatchGrid",
    "PiecewiseParams",
    "RigidParams",
    "apply_motion",
    "correct_motion",
    "patch_grid",
    "preview_motion",
    "suggest_params",
    "suggest_preset",
]

__getattr__, __dir__ = deferred(
    __name__,
    {
        "MotionQuality": "result",
        "MotionResult": "result",
        "MotionWarning": "result",
        "PatchGrid": "patch_layout",
        "apply_motion": "correct",
        "correct_motion": "correct",
        "patch_grid": "patch_layout",
        "preview_motion": "correct",
    },
)
