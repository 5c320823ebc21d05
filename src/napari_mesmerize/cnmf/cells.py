"""A component while it is being refined, and small geometry on an image."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.cnmf.sums import IndexArray


def _no_trace() -> FloatArray:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class View:
    """The average image around a component, for judging it.

    Attributes
    ----------
    image, footprint, distance : numpy.ndarray
        Shape (n,): the image in noise units, the footprint's weights there, and the
        distance from the centroid, pixels.
    noise : float
        Variance of the image's noise, were it white.
    seen_noise : float
        What pixels show of it; less than ``noise`` where neighbours share theirs.
    edge : float
        Distance of the centroid from the image's edge, pixels.
    """

    image: FloatArray
    footprint: FloatArray
    distance: FloatArray
    noise: float
    seen_noise: float
    edge: float


@dataclass
class Cell:
    """One component: pixels and weights in noise units, traces in noise units.

    Attributes
    ----------
    pixels, weights : numpy.ndarray
        Shape (n,): flat indices into the (height, width) image, and the footprint.
    trace : numpy.ndarray
        Shape (n_frames,): denoised.
    raw : numpy.ndarray
        Shape (n_frames,): with its noise.
    spikes : numpy.ndarray
        Shape (n_frames,).
    baseline : float
        Level of ``raw`` at which ``trace`` is 0.
    peak : float
        Detection score of the candidate it grew from; 0 where it was given.
    free : bool
        Whether the footprint may take any shape (given masks), not only a cell's size.
    seed : int
        Which of the given masks it started from; -1 where it was found.
    view : View or None
        Kept for the evaluation.
    scores : dict
        Filled by the evaluation.
    """

    pixels: IndexArray
    weights: FloatArray
    trace: FloatArray = field(default_factory=_no_trace)
    raw: FloatArray = field(default_factory=_no_trace)
    spikes: FloatArray = field(default_factory=_no_trace)
    baseline: float = 0.0
    peak: float = 0.0
    free: bool = False
    seed: int = -1
    view: View | None = None
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def energy(self) -> float:
        """How much of the movie it explains: squared norm of footprint x trace."""
        return float(self.weights @ self.weights) * float(self.trace @ self.trace)

    def centre(self, width: int) -> tuple[float, float]:
        """Return the weighted centroid (y, x)."""
        y, x = np.divmod(self.pixels, width)
        total = max(float(self.weights.sum()), 1e-9)
        return float(self.weights @ y) / total, float(self.weights @ x) / total

    def rms_radius(self, width: int) -> float:
        """Return the root mean square distance of the footprint from its centroid."""
        y, x = np.divmod(self.pixels, width)
        y0, x0 = self.centre(width)
        square = self.weights @ ((y - y0) ** 2 + (x - x0) ** 2)
        return float(np.sqrt(square / max(float(self.weights.sum()), 1e-9)))

    def area(self) -> int:
        """Return the number of pixels above a fifth of the peak."""
        if not len(self.weights):
            return 0
        return int((self.weights > 0.2 * self.weights.max()).sum())


def footprint_matrix(cells: list[Cell], n_pixels: int) -> sparse.csc_array:
    """Return the footprints as columns, shape (n_pixels, n_cells)."""
    indptr = np.cumsum([0, *(len(cell.pixels) for cell in cells)])
    if cells:
        indices = np.concatenate([cell.pixels for cell in cells])
        data = np.concatenate([cell.weights for cell in cells])
    else:
        indices, data = np.zeros(0, np.int64), np.zeros(0, np.float32)
    matrix = sparse.csc_array((data, indices, indptr), shape=(n_pixels, len(cells)))
    matrix.sort_indices()
    return matrix


def soft_disk(distance: NDArray[np.floating], radius: float, edge: float) -> FloatArray:
    """Return a disk with a soft edge, at distances from its centre; all in pixels."""
    return np.asarray(1 / (1 + np.exp((distance - radius) / edge)), np.float32)


def window_bounds(
    shape: tuple[int, int], y: float, x: float, half: float
) -> tuple[int, int, int, int]:
    """Return (y0, y1, x0, x1) of the window +-half about (y, x), cut to the image."""
    return (
        int(max(0, y - half)),
        int(min(shape[0], y + half + 1)),
        int(max(0, x - half)),
        int(min(shape[1], x + half + 1)),
    )
