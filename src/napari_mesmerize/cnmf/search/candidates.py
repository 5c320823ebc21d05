"""Seeds on correlation and PNR images: all candidates once, thresholds at once."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.cnmf.search.correlation_image import (
    CorrelationPnr,
    correlation_pnr,
    find_seeds,
)
from napari_mesmerize.progress import Progress


class Candidates(NamedTuple):
    """Images, and every local maximum of their product, the best first.

    Attributes
    ----------
    images : CorrelationPnr
        Of the recording's image shape.
    positions : numpy.ndarray
        Shape (n, 2) or (n, 3), px.
    correlation, pnr : numpy.ndarray
        Shape (n,): the images there.
    cell_diameter : float
        What the images were computed for, px.
    """

    images: CorrelationPnr
    positions: NDArray[np.int64]
    correlation: NDArray[np.float32]
    pnr: NDArray[np.float32]
    cell_diameter: float

    def passing(self, min_corr: float, min_pnr: float) -> NDArray[np.bool_]:
        """Return which candidates thresholds let through."""
        return (self.correlation >= min_corr) & (self.pnr >= min_pnr)

    def advice(self, min_corr: float, min_pnr: float) -> str:
        """Return what to try where no seed passes; empty otherwise."""
        if self.passing(min_corr, min_pnr).any():
            return ""
        if not len(self.positions) or not np.any(self.pnr > 0):
            return (
                "The images are empty: nothing in these frames changes. Choose other "
                "frames, or check the recording."
            )
        correlation, pnr = float(self.correlation[0]), float(self.pnr[0])
        low = [
            f"{name} to {value:.2f}"
            for name, value, limit in (
                ("min corr", np.floor(correlation * 100) / 100, min_corr),
                ("min PNR", np.floor(pnr * 10) / 10, min_pnr),
            )
            if value < limit
        ]
        change = " and ".join(low) or "the thresholds"
        return (
            f"No seed: the best candidate has correlation {correlation:.2f} and PNR "
            f"{pnr:.1f}. Lower {change}, or use more frames. If the images show no "
            "spots, the cell diameter does not fit."
        )


def find_candidates(
    recording: xr.DataArray,
    cell_diameter: float,
    *,
    center: bool,
    max_frames: int,
    progress: Progress,
) -> Candidates:
    """Compute the images and their local maxima.

    Parameters
    ----------
    recording : xarray.DataArray
        The frames to look at.
    cell_diameter : float
        Pixels.
    center : bool
        Take smooth background off.
    max_frames : int
        At most so many frames, spread over the recording.
    progress : Progress
        Wraps the loop over frames.
    """
    images = correlation_pnr(
        recording,
        cell_diameter,
        center=center,
        max_frames=max_frames,
        progress=progress,
    )
    images = CorrelationPnr(*(np.nan_to_num(image) for image in images))
    found = find_seeds(
        images, min_corr=0, min_pnr=0, min_distance=max(1.0, cell_diameter / 2)
    )
    at = tuple(found.T)
    correlation, pnr = images.correlation[at], images.pnr[at]
    real = (correlation > 0) & (pnr > 0)
    return Candidates(
        images, found[real], correlation[real], pnr[real], float(cell_diameter)
    )
