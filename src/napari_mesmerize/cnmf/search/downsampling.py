"""A smaller movie to look for components in, and what is found there made large again.

Sums of blocks of pixels and frames, divided by the root of their number: noise of 1
stays noise of 1.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.compute.jit import compiled


@compiled
def _sum_blocks(
    rows: FloatArray,
    place: NDArray[np.int64],
    valid: NDArray[np.bool_],
    step: int,
    out: FloatArray,
) -> None:
    """Add frames, ``step`` by ``step``, of valid pixels to ``out[place]``."""
    n_frames = rows.shape[1]
    for p in range(rows.shape[0]):
        if not valid[p]:
            continue
        row, target = rows[p], out[place[p]]
        for t in range(n_frames):
            target[t // step] += row[t]


def reduced(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    in_space: int,
    in_time: int,
) -> tuple[FloatArray, tuple[int, int], NDArray[np.bool_]]:
    """Return a movie in noise units made smaller, its shape and its valid pixels.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (n_pixels, n_frames), noise units.
    shape : tuple of int
        (height, width).
    valid : numpy.ndarray
        Shape (n_pixels,), bool; others do not count.
    in_space, in_time : int
        Pixels along a side, and frames, that become one.
    """
    small = (-(-shape[0] // in_space), -(-shape[1] // in_space))
    place = places(shape, in_space)
    n_samples = -(-residual.shape[1] // in_time)
    out = np.zeros((small[0] * small[1], n_samples), np.float32)
    _sum_blocks(residual, place, valid, in_time, out)
    counts = np.bincount(place[valid], minlength=len(out))
    frames = np.bincount(np.arange(residual.shape[1]) // in_time)
    out /= np.sqrt(np.maximum(counts, 1)).astype(np.float32)[:, None]
    out /= np.sqrt(frames).astype(np.float32)
    return out, small, counts > in_space**2 / 2


def places(shape: tuple[int, int], in_space: int) -> NDArray[np.int64]:
    """Return the number of the small pixel that each pixel belongs to, (n_pixels,)."""
    width = -(-shape[1] // in_space)
    rows, columns = np.arange(shape[0]) // in_space, np.arange(shape[1]) // in_space
    return np.asarray((rows[:, None] * width + columns).ravel(), np.int64)


def reduced_settings(settings: Settings, in_space: int, in_time: int) -> Settings:
    """Return the settings of the smaller movie."""
    return replace(
        settings,
        frame_rate=settings.frame_rate / in_time,
        radius=settings.radius / in_space,
        largest_width=settings.largest_width / in_space,
    )


def enlarged(
    cells: list[Cell],
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    in_space: int,
) -> list[Cell]:
    """Return components of the smaller movie on the pixels of the large one."""
    place = places(shape, in_space)
    image = np.zeros(int(place.max()) + 1, np.float32)
    found = []
    for cell in cells:
        image[:] = 0
        image[cell.pixels] = cell.weights
        pixels = np.flatnonzero((image[place] > 0) & valid)
        if len(pixels):
            found.append(replace(cell, pixels=pixels, weights=image[place[pixels]]))
    return found
