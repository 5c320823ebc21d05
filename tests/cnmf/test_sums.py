"""Sums over a pixel-major residual against plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.cnmf import sums

sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))
seeds = st.integers(0, 999)


def numbers(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def some_pixels(rng, n_pixels):
    chosen = rng.permutation(n_pixels)[: rng.integers(0, n_pixels + 1)]
    return chosen.astype(np.int64)


@given(size=sizes, start=st.integers(0, 5), seed=seeds)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_frames_are_scattered_into_columns(dtype, size, start, seed):
    frames = np.random.default_rng(seed).integers(0, 4000, size).astype(dtype)
    out = np.full((size[1], start + size[0] + 2), -1, np.float32)
    sums.scatter_frames(frames, start, out)
    np.testing.assert_array_equal(out[:, start : start + size[0]], frames.T)
    assert (out[:, :start] == -1).all()
    assert (out[:, start + size[0] :] == -1).all()


@given(size=sizes, seed=seeds)
def test_columns_are_gathered_into_frames(size, seed):
    rng = np.random.default_rng(seed)
    rows = numbers(rng, *size)
    start = int(rng.integers(0, size[1]))
    n = int(rng.integers(0, size[1] - start + 1))
    found = sums.gather_frames(rows, start, n)
    np.testing.assert_array_equal(found, rows[:, start : start + n].T)


def test_pixels_that_are_not_finite_are_moved_as_they_are():
    frames = np.array([[1, np.nan], [np.inf, 2]], np.float32)
    out = np.zeros((2, 2), np.float32)
    sums.scatter_frames(frames, 0, out)
    np.testing.assert_array_equal(sums.gather_frames(out, 0, 2), frames)


@given(size=sizes, seed=seeds)
def test_a_component_is_taken_out(size, seed):
    rng = np.random.default_rng(seed)
    residual, trace = numbers(rng, *size), numbers(rng, size[1])
    pixels = some_pixels(rng, size[0])
    weights = numbers(rng, len(pixels))
    weights[::3] = 0
    expected = residual.astype(float)
    expected[pixels] -= np.outer(weights, trace)
    sums.subtract_component(residual, pixels, weights, trace)
    np.testing.assert_allclose(residual, expected, atol=1e-5)


@given(size=sizes, seed=seeds)
def test_projections_and_correlations(size, seed):
    rng = np.random.default_rng(seed)
    residual, trace = numbers(rng, *size), numbers(rng, size[1])
    pixels = some_pixels(rng, size[0])
    weights = numbers(rng, len(pixels))
    chosen = residual[pixels].astype(float)
    # float32 sums of up to 150 products of about one unit
    np.testing.assert_allclose(
        sums.project(residual, pixels, weights), weights @ chosen, atol=2e-4
    )
    np.testing.assert_allclose(
        sums.correlate_pixels(residual, pixels, trace), chosen @ trace, atol=2e-4
    )


@given(size=sizes, n_blocks=st.integers(1, 9), seed=seeds)
def test_blocks_of_pixels_are_summed(size, n_blocks, seed):
    rng = np.random.default_rng(seed)
    residual = numbers(rng, *size)
    block_of = rng.integers(-1, n_blocks, size[0])  # -1: in no block
    expected = np.zeros((n_blocks, size[1]))
    for pixel, block in enumerate(block_of):
        if block >= 0:
            expected[block] += residual[pixel]
    found = sums.sum_blocks(residual, block_of, n_blocks)
    np.testing.assert_allclose(found, expected, atol=1e-4)
