"""Displacement fields on a B-spline grid, and fields of a whole recording."""

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from napari_mesmerize.motion.kernels.rows import row_parts
from napari_mesmerize.motion.params import Settings

_MOST_CELLS = 20  # of the automatic grid along an axis
_PLANES_A_CELL = 3
_Z_LENGTH = 4.0  # planes over which the field varies
_Z_SD = 0.005  # planes: how much z differs within a volume
_Z_RIGID_SD = 0.4  # planes: how much all of a volume moves along z

Float = NDArray[np.float64]


@functools.lru_cache(maxsize=64)
def _basis_of(length: int, n_cells: int, places: bytes) -> Float:
    return spline_basis(length, n_cells, np.frombuffer(places))


def spline_basis(length: int, n_cells: int, places: NDArray[np.floating]) -> Float:
    """Return the cubic B-spline basis (len(places), n_cells + 3) at pixel places.

    Without cells, of an axis with one pixel, the field is constant along it.
    """
    if n_cells == 0:
        return np.ones((len(places), 1))
    spacing = (length - 1) / n_cells
    knots = np.arange(-3, n_cells + 4) * spacing
    inside = np.clip(places, 0, length - 1 - 1e-9)
    basis: Float = BSpline.design_matrix(inside, knots, 3).toarray()
    return basis


@dataclass(frozen=True)
class Grid:
    """A cubic B-spline grid over a frame (z, y, x).

    Coefficients of a frame are a vector: for each component, (y, x) of planes or
    (z, y, x) of volumes, the values at the knots in C order.

    Attributes
    ----------
    frame_shape : tuple of int
        (z, y, x) of the frames.
    cells : tuple of int
        Cells along each axis; 0 along an axis of one pixel.
    spacing : float
        Distance of knots, px.
    """

    frame_shape: tuple[int, int, int]
    cells: tuple[int, int, int]
    spacing: float

    @classmethod
    def make(cls, settings: Settings, *, automatic: bool) -> Self:
        """Return the grid of ``settings``; an automatic one has a limited size."""
        depth, height, width = settings.frame_shape
        spacing = settings.knot_spacing
        if automatic:
            spacing = max(spacing, (max(height, width) - 1) / _MOST_CELLS)
        lateral = [max(1, round((n - 1) / spacing)) for n in (height, width)]
        along_z = 0 if depth == 1 else max(1, round((depth - 1) / _PLANES_A_CELL))
        return cls(settings.frame_shape, (along_z, lateral[0], lateral[1]), spacing)

    @property
    def n_components(self) -> int:
        """2 for planes, 3 for volumes."""
        return 3 if self.frame_shape[0] > 1 else 2

    @cached_property
    def knots(self) -> tuple[Float, Float, Float]:
        """Places of the coefficients along each axis, px."""
        z, y, x = (
            (np.arange(n + 3) - 1) * (size - 1) / n if n else np.zeros(1)
            for size, n in zip(self.frame_shape, self.cells, strict=True)
        )
        return z, y, x

    @property
    def knot_shape(self) -> tuple[int, int, int]:
        """Number of coefficients along each axis."""
        z, y, x = (len(knots) for knots in self.knots)
        return z, y, x

    @property
    def size(self) -> int:
        """Number of coefficients of a frame."""
        return self.n_components * int(np.prod(self.knot_shape))

    def bases(
        self, places: tuple[NDArray[np.floating], ...]
    ) -> tuple[Float, Float, Float]:
        """Return the basis along each axis at places (z, y, x), px."""
        z, y, x = (
            _basis_of(size, n, np.asarray(at, np.float64).tobytes())
            for size, n, at in zip(self.frame_shape, self.cells, places, strict=True)
        )
        return z, y, x

    def centres(self, block_size: tuple[int, int]) -> tuple[NDArray[np.floating], ...]:
        """Return the centres (z, y, x) of blocks; the last ones reach the border."""
        out: list[NDArray[np.floating]] = [np.arange(self.frame_shape[0], dtype=float)]
        for length, size in zip(self.frame_shape[1:], block_size, strict=True):
            edges = np.append(np.arange(max(length // size, 1)) * size, length)
            out.append((edges[:-1] + edges[1:] - 1) / 2)
        return tuple(out)

    def constant(self, displacements: Float) -> Float:
        """Return the coefficients of the same displacement (n, 3) everywhere."""
        return np.repeat(
            displacements[:, -self.n_components :], np.prod(self.knot_shape), axis=1
        )


def evaluate(
    coefficients: NDArray[np.floating], grid: Grid, bases: tuple[Float, Float, Float]
) -> Float:
    """Return displacements (n, nz, ny, nx, 3), (z, y, x) px, of coefficients (n, M)."""
    n = len(coefficients)
    components = grid.n_components
    values = coefficients.reshape(n, components, *grid.knot_shape)
    values = bases[1] @ (values @ bases[2].T)
    if grid.cells[0]:
        values = np.einsum("zk,nckyx->nczyx", bases[0], values, optimize=True)
    out = np.zeros((n, *values.shape[2:], 3))
    out[..., 3 - components :] = np.moveaxis(values, 1, -1)
    return out


def project_gradients(
    gradients: NDArray[np.floating], grid: Grid, bases: tuple[Float, Float, Float]
) -> Float:
    """Return block gradients (n, bz, by, bx, 3) as gradients of coefficients (n, M)."""
    values = np.moveaxis(gradients[..., 3 - grid.n_components :], -1, 1).astype(float)
    if grid.cells[0]:
        values = np.einsum("zk,nczyx->nckyx", bases[0], values, optimize=True)
    values = bases[1].T @ (values @ bases[2])
    return values.reshape(len(values), -1)


def _pairs(basis: Float) -> Float:
    """Return the products (places, K * K) of all pairs of a basis (places, K)."""
    return (basis[:, :, None] * basis[:, None]).reshape(len(basis), -1)


def project_information(
    information: Float, grid: Grid, bases: tuple[Float, Float, Float]
) -> Float:
    """Return block information (bz, by, bx, 3, 3) as that of coefficients (M, M)."""
    z, y, x = (_pairs(basis) for basis in bases)
    shape = [n for n in grid.knot_shape for _ in range(2)]
    n_knots = int(np.prod(grid.knot_shape))
    first = 3 - grid.n_components
    out = np.empty((grid.n_components, n_knots, grid.n_components, n_knots))
    for a in range(grid.n_components):
        for b in range(a, grid.n_components):
            planes = y.T @ (information[..., first + a, first + b] @ x)
            pairs = np.tensordot(z, planes, (0, 0)).reshape(shape)
            # axis by axis, (knot, other knot), becomes (knots, other knots)
            out[a, :, b] = pairs.transpose(0, 2, 4, 1, 3, 5).reshape(n_knots, n_knots)
            out[b, :, a] = out[a, :, b].T
    return out.reshape(grid.size, grid.size)


def prior_covariance(grid: Grid, settings: Settings) -> Float:
    """Return what is expected of the coefficients (M, M), px^2.

    A Gaussian process: a smooth field and one shift of the whole frame, the same and
    independent for each component; along z, in planes, much less.
    """
    places = np.stack(
        [axis.ravel() for axis in np.meshgrid(*grid.knots, indexing="ij")], axis=1
    )
    places = places / [_Z_LENGTH, settings.prior_length, settings.prior_length]
    squared = ((places[:, None] - places) ** 2).sum(axis=-1)
    smooth = np.exp(-0.5 * squared) + 1e-4 * np.eye(len(places))
    lateral = settings.prior_sd**2 * smooth + settings.prior_rigid_sd**2
    if grid.n_components == 2:
        return np.kron(np.eye(2), lateral)
    size = len(places)
    out = np.zeros((grid.size, grid.size))
    out[:size, :size] = _Z_SD**2 * smooth + _Z_RIGID_SD**2
    out[size:, size:] = np.kron(np.eye(2), lateral)
    return out


@dataclass(frozen=True, eq=False)
class FieldMotion:
    """Displacement fields of frames.

    Attributes
    ----------
    coefficients : numpy.ndarray
        Shape (n_frames, M), px.
    grid : Grid
        The spline they belong to.
    upsampling : int
        Places of the resulting field per knot distance.
    """

    coefficients: NDArray[np.float32]
    grid: Grid
    upsampling: int = 4

    def __len__(self) -> int:
        return len(self.coefficients)

    def __getitem__(self, frames: slice) -> "FieldMotion":
        return FieldMotion(self.coefficients[frames], self.grid, self.upsampling)

    @property
    def places(self) -> tuple[Float, ...]:
        """Places (y, x) or (z, y, x) of :meth:`shifts`, px."""
        places = []
        for size, cells in zip(
            self.grid.frame_shape[1:], self.grid.cells[1:], strict=True
        ):
            places.append(np.linspace(0, size - 1, cells * self.upsampling + 1))
        if self.grid.n_components == 3:
            places.insert(0, np.arange(self.grid.frame_shape[0], dtype=float))
        return tuple(places)

    def at(self, places: tuple[NDArray[np.floating], ...]) -> Float:
        """Return displacements (n, nz, ny, nx, 3) at places (z, y, x), px."""
        return evaluate(self.coefficients, self.grid, self.grid.bases(places))

    def shifts(self) -> NDArray[np.float32]:
        """Return pixels to add, (n, ny, nx, 2) or (n, nz, ny, nx, 3)."""
        places = self.places
        volumetric = self.grid.n_components == 3
        if not volumetric:
            places = (np.zeros(1), *places)
        bases = self.grid.bases(places)
        shape = (*(len(at) for at in places), self.grid.n_components)
        out = np.empty((len(self), *shape), np.float32)
        for start in range(0, len(self), 256):
            part = slice(start, start + 256)
            values = evaluate(self.coefficients[part], self.grid, bases)
            np.negative(values[..., 3 - self.grid.n_components :], out=out[part])
        return out if volumetric else out[:, 0]

    def mean(self) -> Float:
        """Return the displacement (n, 3) of each frame, averaged over its pixels."""
        return mean_displacement(self.coefficients, self.grid)


def mean_displacement(coefficients: NDArray[np.floating], grid: Grid) -> Float:
    """Return the displacement (n, 3) averaged over the frame's pixels."""
    z, y, x = (
        basis.mean(axis=0)
        for basis in grid.bases(
            tuple(np.arange(size, dtype=float) for size in grid.frame_shape)
        )
    )
    weights = np.multiply.outer(np.multiply.outer(z, y), x).ravel()
    out = np.zeros((len(coefficients), 3))
    for part in row_parts(*coefficients.shape):
        some = coefficients[part].reshape(part.stop - part.start, grid.n_components, -1)
        out[part, 3 - grid.n_components :] = some @ weights
    return out


def limit_deviation(coefficients: Float, grid: Grid, largest: float) -> Float:
    """Keep the field within ``largest`` px of its mean, component by component."""
    mean = grid.constant(mean_displacement(coefficients, grid))
    limited: Float = mean + np.clip(coefficients - mean, -largest, largest)
    return limited
