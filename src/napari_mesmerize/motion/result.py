"""What a motion correction returns."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.motion.params import RigidParams
from napari_mesmerize.motion.resample.corrected import CorrectedFrames


class MotionWarning(UserWarning):
    """A recording could not be registered, though nothing failed."""


@dataclass(frozen=True, eq=False)
class MotionQuality:
    """How well a recording was corrected.

    Attributes
    ----------
    correlation_before, correlation_after : numpy.ndarray
        Shape (n_frames,): correlation of each frame's local contrast (2 x 2 binned)
        with the template, as recorded and moved back. NaN for lost frames.
    outliers : numpy.ndarray
        Shape (n_frames,) bool: frames that do not look like the template, or lost ones;
        their shift is interpolated where nothing could be found.
    crispness_before, crispness_after : float
        Norm of the mean image's gradient: higher is sharper.
    mean_before, mean_after : numpy.ndarray
        Mean image of the frames that made the template, raw and moved back.
    border : tuple of int
        Widest border that a shift left empty: (top, bottom, left, right), px.
    max_shift : tuple of int
        Search range in the end, (y, x) or (z, y, x), px.
    expected_error : float
        Standard error of a frame's shift that the noise allows, px.
    scan_phase : float
        How far odd rows were moved, px.
    registered : bool
        False where the frames have no structure in common, as in recordings without
        light or of dF/F: then nothing was moved, and a ``MotionWarning`` says so.
    """

    correlation_before: NDArray[np.float64]
    correlation_after: NDArray[np.float64]
    outliers: NDArray[np.bool_]
    crispness_before: float
    crispness_after: float
    mean_before: NDArray[np.float32]
    mean_after: NDArray[np.float32]
    border: tuple[int, int, int, int]
    max_shift: tuple[int, ...]
    expected_error: float
    scan_phase: float = 0.0
    registered: bool = True

    def summary(self) -> dict[str, Any]:
        """Return the numbers that fit on one page, JSON-safe."""
        return {
            "correlation_before": _mean(self.correlation_before),
            "correlation_after": _mean(self.correlation_after),
            "crispness_before": self.crispness_before,
            "crispness_after": self.crispness_after,
            "n_outliers": int(self.outliers.sum()),
            "border": list(self.border),
            "max_shift": list(self.max_shift),
            "expected_error": self.expected_error,
            "scan_phase": self.scan_phase,
            "registered": self.registered,
        }


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


@dataclass(frozen=True, eq=False)
class MotionResult:
    """Shifts, the corrected recording, and how good it is.

    Attributes
    ----------
    shifts : numpy.ndarray
        Shape (n_frames, 2), (y, x), or (n_frames, 3), (z, y, x): pixels to add to the
        place of a frame's pixels. For fields their mean over the frame.
    template : numpy.ndarray
        Mean of the aligned frames, in the unit of the recording.
    recording : xarray.DataArray
        The corrected recording: a view that moves frames back when they are read, or
        the frames stored at ``out``.
    quality : MotionQuality
        Correlations, crispness, outliers, border.
    params : RigidParams
        Parameters as given.
    history : list of dict
        Steps that led to ``recording``.

    Notes
    -----
    Look at ``quality`` before you go on: ``crispness_after`` should exceed
    ``crispness_before``, and ``outliers`` should be few. Pass ``recording`` to
    :func:`~napari_mesmerize.extract_components`. To move another channel, give the
    whole result to :func:`~napari_mesmerize.apply_motion`.

    Examples
    --------
    >>> from napari_mesmerize import correct_motion, simulate
    >>> recording, truth = simulate(
    ...     "2p-small", motion="rigid", seed=1, shape=(60, 48, 48), n_cells=4
    ... )
    >>> result = correct_motion(recording)
    >>> result.quality.crispness_after > result.quality.crispness_before
    True
    >>> list(result.table().columns[:2])
    ['shift_y', 'shift_x']
    """

    shifts: NDArray[np.float64]
    template: NDArray[np.float32]
    recording: xr.DataArray
    quality: MotionQuality
    params: RigidParams
    history: list[dict[str, Any]]
    frames: CorrectedFrames = dataclass_field(repr=False)

    @property
    def patch_centers(self) -> tuple[NDArray[np.float64], ...] | None:
        """Places of :attr:`field`, (y, x) or (z, y, x), px; None without fields."""
        motion = self.frames.motion
        return None if motion is None else motion.places

    @property
    def field(self) -> NDArray[np.float32] | None:
        """Shape (n_frames, n_y, n_x, 2): px to add at each patch; None without fields.

        The shift of the whole frame is included. Volumes: (n_frames, n_z, n_y, n_x, 3).
        Between the patch centers the field is linear to a good approximation.
        """
        motion = self.frames.motion
        return None if motion is None else motion.shifts()

    def table(self) -> pd.DataFrame:
        """Return one row a frame: shifts, correlations, outlier."""
        names = ("shift_z", "shift_y", "shift_x")[-self.shifts.shape[1] :]
        columns = dict(zip(names, self.shifts.T, strict=True))
        return pd.DataFrame(
            columns
            | {
                "correlation_before": self.quality.correlation_before,
                "correlation_after": self.quality.correlation_after,
                "outlier": self.quality.outliers,
            }
        ).rename_axis("frame")
