"""Small data with known truth: a movie of noise and four squares in it."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording

SHAPE = (20, 30)
N_FRAMES = 40


def square(y: int, x: int, size: int = 5) -> np.ndarray:
    """Return an image with one bright square, its upper left corner at (y, x)."""
    image = np.zeros(SHAPE, np.float32)
    image[y : y + size, x : x + size] = 1
    return image


def make_recording() -> xr.DataArray:
    """Return noise: 40 frames of 20 x 30, 10 Hz, 2 micrometres a pixel."""
    rng = np.random.default_rng(1)
    frames = rng.integers(100, 200, (N_FRAMES, *SHAPE)).astype(np.uint16)
    return as_recording(
        frames, frame_rate=10.0, pixel_size_um=(2.0, 2.0), source={"uri": "made here"}
    ).rename("movie")


def make_components() -> Components:
    """Return four squares; 0 and 1 overlap, 3 is rejected."""
    images = [square(2, 2), square(4, 4), square(12, 3), square(10, 20)]
    footprints = sparse.csc_array(np.stack([i.ravel() for i in images], axis=1))
    rng = np.random.default_rng(2)
    traces = rng.random((4, N_FRAMES)).astype(np.float32)
    return Components.build(
        footprints,
        SHAPE,
        {"raw": traces, "dff": traces * 2},
        scores=pd.DataFrame({"snr": [4.0, 8.0, 2.0, 1.0]}),
        accepted=[True, True, True, False],
        frame_rate=10.0,
    )


def make_two_pixels() -> Components:
    """Return two components of one pixel each, on an image of 4 x 4."""
    return Components.build(sparse.csc_array(np.eye(16, 2)), (4, 4), {})
