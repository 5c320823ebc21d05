"""Small movies with known motion for the tests of the motion correction."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.simulation.simulate import Simulation, simulate


def tissue(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    """A textured image or volume, about 100 to 300."""
    noise = np.random.default_rng(seed).normal(size=shape)
    sigma = (0.8, 1.5, 1.5)[-len(shape) :]
    smooth = ndimage.gaussian_filter(noise, sigma)
    return (200 + 40 * smooth / smooth.std()).astype(np.float32)


def moved(
    scene: NDArray[np.float32], moves: NDArray[np.float64], margin: tuple[int, ...]
) -> NDArray[np.float32]:
    """Frames of a scene that moved by ``moves`` (n, axes); the margin is cut off."""
    inside = tuple(slice(cut, -cut or None) for cut in margin)
    return np.stack(
        [ndimage.shift(scene, move, order=3, mode="nearest")[inside] for move in moves]
    )


@pytest.fixture(scope="session")
def make_moved() -> Callable[..., tuple[xr.DataArray, NDArray[np.float64]]]:
    """Make a recording with known displacements, and these."""

    def make(
        shape: tuple[int, ...] = (48, 56),
        n_frames: int = 40,
        seed: int = 0,
        dtype: type = np.float32,
        largest: float = 3.0,
        noise: float = 4.0,
    ) -> tuple[xr.DataArray, NDArray[np.float64]]:
        rng = np.random.default_rng(seed)
        margin = (2, 8, 8)[-len(shape) :]
        scene = tissue(
            tuple(n + 2 * cut for n, cut in zip(shape, margin, strict=True)), seed
        )
        moves = rng.uniform(-largest, largest, (n_frames, len(shape)))
        if len(shape) == 3:
            moves[:, 0] *= 0.5 / largest
        frames = moved(scene, moves, margin)
        frames = frames + noise * rng.normal(size=frames.shape)
        return as_recording(frames.astype(dtype), frame_rate=10.0), moves

    return make


@pytest.fixture(scope="session")
def piecewise_2p() -> Simulation:
    """Two-photon, 300 frames of 96 x 96 that bend."""
    return simulate("2p-small", "piecewise", seed=3, shape=(300, 96, 96), n_cells=30)


@pytest.fixture(scope="session")
def still_2p() -> Simulation:
    """Two-photon, 300 frames of 96 x 96 without motion."""
    return simulate("2p-small", "none", seed=3, shape=(300, 96, 96), n_cells=30)


@pytest.fixture(scope="session")
def rigid_2p() -> Simulation:
    """Two-photon, 300 frames of 96 x 96 that move as a whole."""
    return simulate("2p-small", "rigid", seed=3, shape=(300, 96, 96), n_cells=30)
