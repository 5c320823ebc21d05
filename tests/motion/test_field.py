"""Displacement fields: splines, their transposed, their mean, their limits."""

import numpy as np
import pytest
import templates
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from napari_mesmerize.motion.field import (
    FieldMotion,
    Grid,
    evaluate,
    limit_deviation,
    mean_displacement,
    prior_covariance,
    project_gradients,
    project_information,
    spline_basis,
)

GRIDS = [
    Grid((1, 30, 41), (0, 2, 3), 15.0),
    Grid((1, 16, 16), (0, 1, 1), 16.0),
    Grid((4, 20, 24), (1, 1, 2), 12.0),
]


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@given(length=st.integers(2, 60), n_cells=st.integers(1, 6))
def test_the_basis_is_that_of_a_cubic_spline(length, n_cells):
    places = np.linspace(0, length - 1, 23)
    basis = spline_basis(length, n_cells, places)
    assert basis.shape == (23, n_cells + 3)
    np.testing.assert_allclose(basis.sum(axis=1), 1, atol=1e-9)
    knots = (np.arange(n_cells + 7) - 3) * (length - 1) / n_cells
    coefficients = random(n_cells + 3, length)
    spline = BSpline(knots, coefficients, 3)(places)
    np.testing.assert_allclose(basis @ coefficients, spline, atol=1e-6)


def test_beyond_the_border_a_spline_is_constant():
    basis = spline_basis(20, 3, np.array([-5.0, 0, 19, 40]))
    np.testing.assert_allclose(basis[0], basis[1], atol=1e-8)
    np.testing.assert_allclose(basis[3], basis[2], atol=1e-8)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_field_is_the_sum_over_knots_of_both_axes(grid):
    coefficients = random((2, grid.size))
    bases = grid.bases(
        tuple(np.linspace(0, n - 1, min(n, 5)) for n in grid.frame_shape)
    )
    values = coefficients.reshape(2, grid.n_components, *grid.knot_shape)
    expected = np.einsum("zk,yl,xm,ncklm->nzyxc", *bases, values)
    found = evaluate(coefficients, grid, bases)
    np.testing.assert_allclose(found[..., 3 - grid.n_components :], expected)
    if grid.n_components == 2:
        assert not found[..., 0].any()


@pytest.mark.parametrize("grid", GRIDS)
def test_gradients_are_projected_by_the_transposed(grid):
    bases = grid.bases(grid.centres((8, 8)))
    coefficients = random((3, grid.size))
    moves = evaluate(coefficients, grid, bases)
    gradients = random(moves.shape, 1)
    projected = project_gradients(gradients, grid, bases)
    inner = (gradients * moves).sum(axis=(1, 2, 3, 4))
    np.testing.assert_allclose((projected * coefficients).sum(axis=1), inner)


@pytest.mark.parametrize("grid", GRIDS)
def test_information_is_that_of_all_blocks(grid):
    bases = grid.bases(grid.centres((8, 8)))
    coefficients = random((1, grid.size))
    moves = evaluate(coefficients, grid, bases)[0]
    root = random((*moves.shape, 3), 2)
    information = root @ np.swapaxes(root, -1, -2)
    matrix = project_information(information, grid, bases)
    expected = np.einsum("zyxa,zyxab,zyxb->", moves, information, moves)
    assert coefficients[0] @ matrix @ coefficients[0] == pytest.approx(expected)
    np.testing.assert_allclose(matrix, matrix.T)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_mean_is_over_all_pixels(grid):
    coefficients = random((3, grid.size)).astype(np.float32)
    pixels = tuple(np.arange(n, dtype=float) for n in grid.frame_shape)
    expected = FieldMotion(coefficients, grid).at(pixels).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(
        mean_displacement(coefficients, grid), expected, atol=1e-6
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_a_constant_is_its_own_mean_and_is_not_limited(grid):
    displacements = random((4, 3), 3)
    displacements[:, : 3 - grid.n_components] = 0
    coefficients = grid.constant(displacements)
    np.testing.assert_allclose(mean_displacement(coefficients, grid), displacements)
    np.testing.assert_allclose(limit_deviation(coefficients, grid, 0.0), coefficients)


@given(largest=st.floats(0, 2), seed=st.integers(0, 99))
def test_fields_stay_within_the_largest_deviation(largest, seed):
    grid = GRIDS[0]
    coefficients = random((2, grid.size), seed)
    mean = mean_displacement(coefficients, grid)
    limited = limit_deviation(coefficients, grid, largest)
    pixels = tuple(np.arange(n, dtype=float) for n in grid.frame_shape)
    away = evaluate(limited, grid, grid.bases(pixels)) - mean[:, None, None, None]
    assert np.abs(away).max() <= largest + 1e-9


@pytest.mark.parametrize("grid", GRIDS)
def test_shifts_undo_displacements(grid):
    motion = FieldMotion(random((3, grid.size)).astype(np.float32), grid)
    places = motion.places
    if grid.n_components == 2:
        places = (np.zeros(1), *places)
    expected = -motion.at(places)[..., 3 - grid.n_components :]
    shifts = motion.shifts()
    np.testing.assert_allclose(shifts.reshape(expected.shape), expected, atol=1e-6)
    np.testing.assert_array_equal(motion[1:].shifts(), shifts[1:])


@pytest.mark.parametrize("grid", GRIDS)
def test_the_prior_is_a_covariance(grid):
    settings = templates.settings_of(grid.frame_shape, piecewise=True, max_shift=3)
    prior = prior_covariance(grid, settings)
    np.testing.assert_allclose(prior, prior.T)
    assert np.linalg.eigvalsh(prior).min() > 0
    variance = settings.prior_sd**2 + settings.prior_rigid_sd**2
    np.testing.assert_allclose(np.diag(prior)[-1], variance, rtol=1e-3)
