"""A quick look: the motion correction of a few hundred frames."""

from typing import Any

import xarray as xr

from napari_mesmerize.data.recording import check_recording
from napari_mesmerize.motion.correct import correct_motion
from napari_mesmerize.motion.params import RigidParams
from napari_mesmerize.motion.result import MotionResult


def preview_motion(
    recording: xr.DataArray,
    params: RigidParams | None = None,
    *,
    n_frames: int = 300,
    start: int = -1,
    **options: Any,
) -> MotionResult:
    """Correct consecutive frames of a recording, to try parameters in seconds.

    Parameters
    ----------
    recording : xarray.DataArray
        The whole recording; only the chosen frames are read.
    params : RigidParams or PiecewiseParams, optional
        As in :func:`correct_motion`.
    n_frames : int, optional
        How many frames.
    start : int, optional
        The first one; -1: so that they lie in the middle.
    **options
        Further keywords of :func:`correct_motion`.
    """
    check_recording(recording, min_frames=2)
    total = int(recording.sizes["frame"])
    count = min(max(n_frames, 2), total)
    first = (total - count) // 2 if start < 0 else min(start, total - count)
    return correct_motion(recording[first : first + count], params, **options)
