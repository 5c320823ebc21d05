"""Frames are read without gaps: what is not finite takes a neighbour's value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.motion import source
from napari_mesmerize.motion.source import Source


def filled_by_numpy(plane):
    """Along rows from the left, then from the right; empty rows take the row before."""
    plane = plane.copy()
    finite = np.isfinite(plane)
    rows = np.flatnonzero(finite.any(axis=1))
    if not rows.size:
        return np.zeros_like(plane)
    for i in rows:
        known = np.flatnonzero(finite[i])
        for j in range(plane.shape[1]):
            before = known[known <= j]
            plane[i, j] = plane[i, before[-1] if before.size else known[0]]
    for i in range(len(plane)):
        before = rows[rows <= i]
        plane[i] = plane[before[-1] if before.size else rows[0]]
    return plane


@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    share=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_gaps_are_filled_from_their_row(height, width, share, seed):
    rng = np.random.default_rng(seed)
    planes = rng.normal(size=(2, height, width)).astype(np.float32)
    planes[rng.random(planes.shape) < share] = rng.choice([np.nan, np.inf, -np.inf])
    expected = np.stack([filled_by_numpy(plane) for plane in planes])
    n_finite = np.isfinite(planes).sum(axis=(1, 2))
    np.testing.assert_array_equal(source._fill_gaps(planes), n_finite)
    np.testing.assert_array_equal(planes, expected)


def test_frames_with_half_of_their_pixels_are_usable(make_recording):
    frames = np.ones((3, 20, 20), np.float32)
    frames[1, :10] = np.nan
    frames[2, :11] = np.nan
    volumes, usable = Source(make_recording(frames)).read(slice(0, 3))
    assert volumes.shape == (3, 1, 20, 20)
    assert usable.tolist() == [True, True, False]
    np.testing.assert_array_equal(volumes, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_narrow_frames_are_widened_by_their_border(make_recording, dtype):
    frames = np.arange(2 * 5 * 20).reshape(2, 5, 20).astype(dtype)
    read = Source(make_recording(frames))
    volumes, usable = read.read(np.array([1, 0]))
    assert volumes.dtype == np.float32
    assert read.padded_shape == (1, 16, 20)
    np.testing.assert_array_equal(volumes[:, 0, :5], frames[[1, 0]])
    np.testing.assert_array_equal(volumes[:, 0, 5:], volumes[:, 0, 4:5].repeat(11, 1))
    assert usable.all()
