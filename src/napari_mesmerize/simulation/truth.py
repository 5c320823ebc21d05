"""What a simulated recording really contains: cells, activity and motion."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.errors import ParameterError, ReadError

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True)
class Truth:
    """The known truth of a simulated recording.

    Attributes
    ----------
    footprints : scipy.sparse.csc_array
        Shape (n_pixels, n_cells), float32, each with maximum 1, at zero displacement;
        pixels in C order of ``image_shape``.
    ignored : scipy.sparse.csc_array
        Shape (n_pixels, n_ignored): visible objects that a method may or may not find
        (cells cut by the border, blurred cells out of focus); neither hit nor miss.
    traces : numpy.ndarray
        Shape (n_cells, n_frames), float32, photons: fluorescence above baseline of each
        footprint's brightest pixel.
    spikes : numpy.ndarray
        Shape (n_cells, n_frames), uint8: spikes in each frame.
    f0 : numpy.ndarray
        Shape (n_cells,), float32, photons: baseline of the brightest pixel.
    snr : numpy.ndarray
        Shape (n_cells,), float32: peak over the noise of a matched filter.
    centroids : numpy.ndarray
        Shape (n_cells, 2 or 3), float32, px: (y, x) or (z, y, x).
    tau_s : numpy.ndarray
        Shape (n_cells, 2), float32, seconds: (rise, decay) of the transients.
    shifts : numpy.ndarray
        Shape (n_frames, 2 or 3), float32, px: how far the scene *moved* in each frame,
        ``frame[t](y, x) = scene(y - dy, x - dx)``. A correction adds minus this.
    field : numpy.ndarray
        Shape (n_frames, len(grid_y), len(grid_x), 2), px: total displacement, the
        rigid part included, at the grid points; (n_frames, n_planes, 2) for volumes;
        empty unless the motion is piecewise.
    grid_y, grid_x : numpy.ndarray
        Pixel coordinates of the grid; natural cubic splines lie between its points.
    image_shape : tuple of int
        (height, width) or (n_planes, height, width).
    frame_rate : float
        Hz.
    params : dict
        Every parameter, the preset, the kind of motion and the seed.

    Notes
    -----
    Displacements say how the scene *moved*; a correction adds their negative. Compare
    results with the scores of :mod:`napari_mesmerize.simulation`, which know this sign
    and leave ``ignored`` objects out.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> _, truth = simulate("2p-small", seed=1, shape=(60, 48, 48), n_cells=4)
    >>> truth.save("truth.npz")
    >>> type(truth).load("truth.npz").image_shape
    (48, 48)
    """

    footprints: "sparse.csc_array[Any]"
    ignored: "sparse.csc_array[Any]"
    traces: NDArray[np.float32]
    spikes: NDArray[np.uint8]
    f0: NDArray[np.float32]
    snr: NDArray[np.float32]
    centroids: NDArray[np.float32]
    tau_s: NDArray[np.float32]
    shifts: NDArray[np.float32]
    field: NDArray[np.float32]
    grid_y: NDArray[np.float64]
    grid_x: NDArray[np.float64]
    image_shape: tuple[int, ...]
    frame_rate: float
    params: dict[str, Any]

    def __len__(self) -> int:
        return int(self.traces.shape[0])

    def displacement(self, y: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
        """Return how far the scene moved at the points ``y`` by ``x`` in each frame.

        Parameters
        ----------
        y, x : array_like
            Pixel coordinates, 1-D.

        Returns
        -------
        numpy.ndarray
            Shape (n_frames, len(y), len(x), 2), px, (dy, dx).

        Raises
        ------
        ParameterError
            For volumes, whose planes move as a whole (see ``field``).
        """
        if len(self.image_shape) == 3:
            raise ParameterError(
                "Planes of a simulated volume move as a whole; read their displacement "
                "from Truth.field, shape (n_frames, n_planes, 2), or Truth.shifts."
            )
        to_y, to_x = np.atleast_1d(np.asarray(y)), np.atleast_1d(np.asarray(x))
        if self.field.size == 0:
            whole = self.shifts[:, None, None].astype(np.float64)
            return np.tile(whole, (1, len(to_y), len(to_x), 1))
        return np.asarray(
            np.einsum(
                "gi,tijc,hj->tghc",
                spline_matrix(self.grid_y, to_y),
                self.field,
                spline_matrix(self.grid_x, to_x),
                optimize=True,
            )
        )

    def save(self, path: str | Path) -> None:
        """Write everything into one compressed ``.npz`` file."""
        arrays: dict[str, Any] = {
            "C": self.traces,
            "S": self.spikes,
            "f0": self.f0,
            "snr": self.snr,
            "centroids": self.centroids,
            "tau": self.tau_s,
            "shifts": self.shifts,
            "field": self.field,
            "grid_y": self.grid_y,
            "grid_x": self.grid_x,
            "dims": np.array(self.image_shape),
            "fps": np.array(self.frame_rate),
            "params": np.array(json.dumps(self.params)),
        }
        for key, matrix in {"A": self.footprints, "G": self.ignored}.items():
            arrays[f"{key}_shape"] = np.array(matrix.shape)
            for part in ("data", "indices", "indptr"):
                arrays[f"{key}_{part}"] = getattr(matrix, part)
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ReadError
            If ``path`` is no such file.
        """
        from scipy import sparse

        def matrix(key: str) -> "sparse.csc_array[Any]":
            parts = tuple(parts_of[f"{key}_{n}"] for n in ("data", "indices", "indptr"))
            n_pixels, n_objects = (int(size) for size in parts_of[f"{key}_shape"])
            return sparse.csc_array(parts, shape=(n_pixels, n_objects))

        try:
            with np.load(path, allow_pickle=False) as file:
                parts_of = {key: file[key] for key in file.files}
            return cls(
                footprints=matrix("A"),
                ignored=matrix("G"),
                traces=parts_of["C"],
                spikes=parts_of["S"],
                f0=parts_of["f0"],
                snr=parts_of["snr"],
                centroids=parts_of["centroids"],
                tau_s=parts_of["tau"],
                shifts=parts_of["shifts"],
                field=parts_of["field"],
                grid_y=parts_of["grid_y"],
                grid_x=parts_of["grid_x"],
                image_shape=tuple(int(size) for size in parts_of["dims"]),
                frame_rate=float(parts_of["fps"]),
                params=json.loads(str(parts_of["params"])),
            )
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ReadError(
                f"{path} can not be read as the truth of a simulation: {error}. "
                "Expected a .npz file written by Truth.save."
            ) from error


def spline_matrix(grid: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Return the weights of natural cubic interpolation from ``grid`` to ``points``.

    Returns
    -------
    numpy.ndarray
        Shape (len(points), len(grid)).
    """
    from scipy.interpolate import CubicSpline

    knots = np.asarray(grid, dtype=np.float64)
    spline = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    return np.asarray(spline(np.asarray(points)), dtype=np.float64)
