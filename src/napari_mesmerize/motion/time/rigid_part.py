"""Split information about fields into the shift of the whole frame and the bending."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import Grid
from napari_mesmerize.motion.time.filter import Modes

_SD = 1.0  # px: how much frames move as a whole; the filter in time finds out itself

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RigidPart:
    """Splits information about fields into that about their mean and the rest.

    The mean weighs each place by the information there, so that both parts have
    independent noise.

    Attributes
    ----------
    shifts : numpy.ndarray
        Shape (axes, M): coefficients of one pixel of shift along each axis.
    pulled : numpy.ndarray
        Shape (axes, M): the information about these.
    total_information : numpy.ndarray
        Shape (axes, axes): the information about the frame's shift.
    rest_information : numpy.ndarray
        Shape (M, M): what is known of the coefficients beyond the frame's shift.
    """

    shifts: Float
    pulled: Float
    total_information: Float
    rest_information: Float

    @classmethod
    def of(cls, information: Float, grid: Grid) -> Self:
        """Split the information (M, M) of a frame about its coefficients."""
        axes = grid.n_components
        shifts = grid.constant(np.eye(3)[3 - axes :])
        pulled = shifts @ information
        total = pulled @ shifts.T + 1e-9 * np.eye(axes)
        rest = information - pulled.T @ np.linalg.solve(total, pulled)
        return cls(shifts, pulled, total, 0.5 * (rest + rest.T))

    @property
    def modes(self) -> Modes:
        """Information about the frame's shift, with a prior, diagonalised."""
        return Modes.of(self.total_information, _SD**2 * np.eye(len(self.shifts)))

    def total(self, vectors: Float) -> Float:
        """Return what vectors (n, M) say about the frames' shifts, (n, axes)."""
        return vectors @ self.shifts.T

    def rest(self, vectors: Float) -> Float:
        """Return vectors (n, M) without what they say about the frames' shifts."""
        means = np.linalg.solve(self.total_information, self.total(vectors).T).T
        return vectors - means @ self.pulled

    def join(self, total: Float, rest: Float) -> Float:
        """Return coefficients (n, M) of shifts (n, axes) and of the rest (n, M)."""
        extra = np.linalg.solve(self.total_information, self.pulled @ rest.T).T
        return rest + (total - extra) @ self.shifts
