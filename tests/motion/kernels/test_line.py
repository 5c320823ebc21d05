"""Samples along lines against interpolation one pixel at a time."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.motion.kernels.line import sample_line

# places are float32 (up to 4e-6 px off at 50 px), and the interpolant's slope is a few
# units a px of noise of one unit
TOLERANCE = 5e-5
slopes = st.floats(-0.125, 0.125, width=32)


def sampled(plane, y, x, slope_y, slope_x, n):
    out = np.full(n + 2, -9, np.float32)
    places = np.array([y, x, slope_y, slope_x], np.float32)
    sample_line(plane, *places, n, out)
    assert (out[n:] == -9).all()
    return out[:n], places.astype(float)


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 40),
    n=st.integers(1, 16),
    y=st.floats(-4, 12, width=32),
    x=st.floats(-20, 45, width=32),
    slope_y=slopes,
    slope_x=slopes,
    seed=st.integers(0, 99),
)
def test_lines_anywhere(height, width, n, y, x, slope_y, slope_x, seed):
    plane = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    found, (y, x, slope_y, slope_x) = sampled(plane, y, x, slope_y, slope_x, n)
    expected = [
        reference.sample(plane, y + k * slope_y, x + k + k * slope_x) for k in range(n)
    ]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("start", [(1.0, 1.0), (1.25, 2.5), (4.999, 22.999)])
def test_lines_inside_of_the_plane(start):
    """The vectorised branch, from its first to its last allowed place."""
    plane = np.random.default_rng(0).normal(size=(8, 42)).astype(np.float32)
    found, (y, x, *_) = sampled(plane, *start, 0.0, 0.0, 16)
    expected = [reference.sample(plane, y, x + k) for k in range(16)]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_parabolas_are_reproduced():
    y, x = np.mgrid[:9, :30].astype(np.float32)
    plane = 3 + 0.5 * y - 0.25 * y**2 + 0.1 * x**2
    found, _ = sampled(plane.astype(np.float32), 3.3, 5.7, 0.02, -0.03, 10)
    k = np.arange(10)
    at_y, at_x = 3.3 + 0.02 * k, 5.7 + 0.97 * k
    expected = 3 + 0.5 * at_y - 0.25 * at_y**2 + 0.1 * at_x**2
    np.testing.assert_allclose(found, expected, rtol=1e-5)
