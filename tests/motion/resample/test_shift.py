"""Frames moved by one shift against interpolation one pixel at a time."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mesmerize.motion.resample.shift import (
    blend_depth,
    shift_by_fourier,
    shift_by_kernel,
    shift_volumes,
)

shapes = st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 13))


def noise(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def beyond(plane, y, x, kernel):
    """Interpolate at (y, x) a plane that its border pixels continue without end."""
    top, weights_y = reference.taps(y, kernel)
    left, weights_x = reference.taps(x, kernel)
    rows = np.clip(top + np.arange(len(weights_y)), 0, plane.shape[0] - 1)
    columns = np.clip(left + np.arange(len(weights_x)), 0, plane.shape[1] - 1)
    return weights_y @ plane[np.ix_(rows, columns)].astype(float) @ weights_x


@settings(max_examples=25)
@given(
    shape=shapes,
    kernel=st.sampled_from(["linear", "cubic", "lanczos"]),
    seed=st.integers(0, 999),
)
def test_shifts_by_a_table(shape, kernel, seed):
    volumes = noise((2, *shape), seed)
    # 64ths of a px, which the table holds exactly; also beyond the plane
    moves = np.random.default_rng(seed).integers(-1000, 1000, (2, 2)) / 64
    found = shift_by_kernel(volumes, moves, kernel)
    for t, z, i, j in np.ndindex(volumes.shape):
        expected = beyond(volumes[t, z], i + moves[t, 0], j + moves[t, 1], kernel)
        assert found[t, z, i, j] == pytest.approx(expected, abs=1e-5)


@given(depth=st.integers(1, 5), step=st.integers(-400, 400), seed=st.integers(0, 99))
def test_shifts_along_z(depth, step, seed):
    volumes = noise((1, depth, 3, 4), seed)
    found = blend_depth(volumes, np.array([step / 64]))
    for z in range(depth):
        first, weights = reference.taps(z + step / 64, "cubic")
        planes = np.clip(first + np.arange(4), 0, depth - 1)
        expected = np.tensordot(weights, volumes[0, planes], 1)
        np.testing.assert_allclose(found[0, z], expected, atol=1e-5)


@given(shape=shapes, y=st.integers(-20, 20), x=st.integers(-20, 20))
def test_whole_pixels_are_copied(shape, y, x):
    volumes = noise((1, *shape), 0)
    rows = np.clip(np.arange(shape[1]) + y, 0, shape[1] - 1)
    columns = np.clip(np.arange(shape[2]) + x, 0, shape[2] - 1)
    found = shift_by_fourier(volumes, np.array([[y, x]], float))
    np.testing.assert_array_equal(found, volumes[:, :, rows][..., columns])


@pytest.mark.parametrize("move", [(0.3, -0.45), (2.5, 0.0), (-4.2, 3.8)])
def test_fourier_shifts_of_a_smooth_image(move):
    image = gaussian_filter(noise((1, 1, 48, 51), 1), (0, 0, 3, 3)) * 10
    found = shift_by_fourier(image, np.array([move]))
    y, x = np.mgrid[8:40, 8:43]
    expected = [
        beyond(image[0, 0], i + move[0], j + move[1], "lanczos")
        for i, j in zip(y.ravel(), x.ravel(), strict=True)
    ]
    # six taps are right to a percent or so
    np.testing.assert_allclose(found[0, 0, 8:40, 8:43].ravel(), expected, atol=0.02)


@pytest.mark.parametrize("interpolation", ["fourier", "cubic", "lanczos", "linear"])
def test_displaced_volumes_are_moved_back(interpolation):
    scene = gaussian_filter(noise((1, 9, 60, 60), 2), (0, 1.5, 4, 4)) * 20
    moved = scene[:, 1:8, 7:53, 12:58]  # the scene moved by (1, 3, -2) px
    still = scene[:, 2:9, 10:56, 10:56]
    found = shift_volumes(
        np.ascontiguousarray(moved), np.array([[1.0, 3.0, -2.0]]), interpolation
    )
    inner = np.s_[:, :5, 4:-6, 6:-4]
    np.testing.assert_allclose(found[inner], still[inner], atol=1e-4)
