"""What the recipe works with: parameters turned into pixels and frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# rms radius of the footprint of a round, slightly blurred cell, in units of its radius
RMS_RADIUS = 1.19 / np.sqrt(2)


@dataclass(frozen=True)
class Settings:
    """Numbers derived from a params model and the recording.

    Attributes
    ----------
    frame_rate : float
        Hz.
    decay_time_s, rise_time_s : float
        Time constants of the indicator's transient.
    radius : float
        Half the cell diameter, pixels.
    one_photon : bool
        Whether scattered light is strong (CNMF-E).
    largest_width : float
        Largest width of a component, pixels; 0 is that of a cell, or none where
        ``any_shape``.
    any_shape : bool
        Whether components are processes of any shape, perhaps in several pieces, rather
        than round cells.
    """

    frame_rate: float
    decay_time_s: float
    rise_time_s: float
    radius: float
    one_photon: bool = False
    largest_width: float = 0.0
    any_shape: bool = False

    @property
    def first_reach(self) -> float:
        """How far a first footprint reaches from its seed, pixels."""
        if self.largest_width:
            return self.largest_width / 2
        return 1e9 if self.any_shape else 1.7 * self.radius

    @property
    def reach(self) -> float:
        """How far a footprint may reach from its centroid, pixels."""
        if self.any_shape:
            return 1e9
        return self.largest_width / 1.7 if self.largest_width else 2.0 * self.radius

    @property
    def decay_frames(self) -> float:
        """Decay time in frames."""
        return self.decay_time_s * self.frame_rate

    @property
    def decay_factor(self) -> float:
        """Factor by which the indicator's signal falls in one frame."""
        return float(np.exp(-1 / max(self.decay_frames, 1e-3)))

    @property
    def rise_factor(self) -> float:
        """Factor by which the rise's remainder falls in one frame; 0 without a rise."""
        rise_frames = self.rise_time_s * self.frame_rate
        return float(np.exp(-1 / rise_frames)) if rise_frames > 0.05 else 0.0


def transient_kernel(settings: Settings) -> NDArray[np.float64]:
    """Return the response to one spike: shape (n,), six decay times long, maximum 1."""
    n_frames = max(2, int(np.ceil(6 * settings.decay_frames)))
    t = np.arange(1, n_frames + 1)
    decay, rise = settings.decay_factor, settings.rise_factor
    if abs(decay - rise) < 1e-3 * decay:
        kernel = t * decay**t
    else:
        kernel = (decay**t - rise**t) / (decay - rise)
    return np.asarray(kernel / kernel.max(), np.float64)


def matched_kernel(settings: Settings) -> FloatArray:
    """Return the transient cut at 2.2 decay times, shape (n,), with norm 1."""
    length = max(1, int(np.ceil(2.2 * settings.decay_frames)))
    kernel = transient_kernel(settings)[:length]
    return np.asarray(kernel / np.sqrt((kernel**2).sum()), np.float32)
