"""Traces above their surroundings against regression beside a plane."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.refine.surround import (
    raw_trace_above,
    surround_weights,
    update_trace_above,
)
from napari_mesmerize.cnmf.settings import Settings

SHAPE = (25, 27)
SETTINGS = Settings(10.0, 0.8, 0.0, radius=3.0)
ALL = np.ones(SHAPE[0] * SHAPE[1], bool)


def cell_at(y, x, seed=0, free=False):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.exp(-0.5 * (np.hypot(rows - y, columns - x) / 1.8) ** 2)
    image *= np.random.default_rng(seed).uniform(0.8, 1.2, SHAPE)
    pixels = np.flatnonzero(image > 0.2)
    weights = image.ravel()[pixels].astype(np.float32)
    return Cell(pixels, weights, trace=np.zeros(60, np.float32), free=free)


def weights_by_lstsq(cell, valid):
    """Regress on the footprint, a constant and slopes along y and x."""
    y, x = cell.centre(SHAPE[1])
    rows, columns = np.divmod(np.arange(SHAPE[0] * SHAPE[1]), SHAPE[1])
    reach = max(2.2 * SETTINGS.radius, 1.8 * cell.rms_radius(SHAPE[1]))
    near = np.flatnonzero((np.hypot(rows - y, columns - x) < reach) & valid)
    full = np.zeros(SHAPE[0] * SHAPE[1])
    full[cell.pixels] = cell.weights
    design = np.stack([full[near], np.ones(len(near)), rows[near], columns[near]], 1)
    return near, np.linalg.pinv(design.astype(float))[0]


@settings(max_examples=20)
@given(
    y=st.floats(0, 24),
    x=st.floats(0, 26),
    share=st.floats(0, 0.2),
    seed=st.integers(0, 99),
)
def test_weights_are_those_of_a_regression(y, x, share, seed):
    cell = cell_at(y, x, seed)
    valid = np.random.default_rng(seed).random(ALL.size) >= share
    valid[cell.pixels] = True
    pixels, weights = surround_weights(cell, SHAPE, valid, SETTINGS)
    expected_pixels, expected = weights_by_lstsq(cell, valid)
    # where too little is left beside the plane it is projected plainly
    assume(len(pixels) != len(cell.pixels))
    np.testing.assert_array_equal(pixels, expected_pixels)
    np.testing.assert_allclose(weights, expected, atol=1e-4)


def test_footprints_are_seen_and_planes_are_not():
    cell = cell_at(12, 13)
    pixels, weights = surround_weights(cell, SHAPE, ALL, SETTINGS)
    full = np.zeros(ALL.size)
    full[cell.pixels] = cell.weights
    rows, columns = np.divmod(pixels, SHAPE[1])
    assert weights @ full[pixels] == pytest.approx(1, abs=1e-5)
    assert weights @ (5 + 2.0 * rows - 3.0 * columns) == pytest.approx(0, abs=1e-3)


def test_scattered_light_drops_out():
    cell = cell_at(12, 13)
    rng = np.random.default_rng(1)
    true = rng.gamma(1, 3, 60)
    full = np.zeros(ALL.size)
    full[cell.pixels] = cell.weights
    rows, columns = np.divmod(np.arange(ALL.size), SHAPE[1])
    light = np.outer(rows, rng.normal(size=60)) + np.outer(columns, rng.normal(size=60))
    residual = (np.outer(full, true) + light).astype(np.float32)
    found = raw_trace_above(cell, residual, SHAPE, ALL, SETTINGS)
    np.testing.assert_allclose(found, true, atol=1e-2)


def test_given_masks_are_projected_plainly():
    cell = cell_at(12, 13, free=True)
    pixels, weights = surround_weights(cell, SHAPE, ALL, SETTINGS)
    np.testing.assert_array_equal(pixels, cell.pixels)
    energy = (cell.weights.astype(float) ** 2).sum()
    np.testing.assert_allclose(weights, cell.weights / energy, rtol=1e-5)


def test_the_residual_follows():
    cell = cell_at(12, 13)
    rng = np.random.default_rng(2)
    residual = rng.normal(size=(ALL.size, 60)).astype(np.float32)
    full = np.zeros(ALL.size)
    full[cell.pixels] = cell.weights
    residual += np.outer(full, 10 * (rng.random(60) < 0.2)).astype(np.float32)
    movie = residual.copy()
    update_trace_above(cell, residual, SHAPE, ALL, SETTINGS)
    assert cell.trace.max() > 5
    np.testing.assert_allclose(residual + np.outer(full, cell.trace), movie, atol=1e-4)
