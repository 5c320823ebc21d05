"""The frame's shift and the rest are told apart, and are independent."""

import numpy as np
import pytest

from napari_mesmerize.motion.field import Grid
from napari_mesmerize.motion.time.rigid_part import RigidPart

GRIDS = [Grid((1, 40, 50), (0, 2, 2), 20.0), Grid((3, 24, 24), (1, 1, 1), 24.0)]


@pytest.fixture(params=GRIDS)
def grid(request):
    return request.param


@pytest.fixture
def information(grid):
    root = np.random.default_rng(0).normal(size=(grid.size, grid.size + 5))
    return root @ root.T


@pytest.fixture
def part(information, grid):
    return RigidPart.of(information, grid)


def test_constant_fields_are_all_shift(part, grid, information):
    axes = grid.n_components
    shifts = np.random.default_rng(1).normal(size=(4, axes))
    vectors = shifts @ part.shifts @ information
    found = np.linalg.solve(part.total_information, part.total(vectors).T).T
    np.testing.assert_allclose(found, shifts, rtol=1e-6)
    np.testing.assert_allclose(part.rest(vectors), 0, atol=1e-6)


def test_the_rest_says_nothing_of_the_shift(part, information, grid):
    vectors = np.random.default_rng(2).normal(size=(4, grid.size)) @ information
    np.testing.assert_allclose(part.total(part.rest(vectors)), 0, atol=1e-6)
    np.testing.assert_allclose(part.rest_information @ part.shifts.T, 0, atol=1e-6)


def test_noise_of_both_is_independent(part, information):
    """The covariance of vectors is their information."""
    total = part.shifts
    means = np.linalg.solve(part.total_information, total)
    rest = np.eye(len(information)) - part.pulled.T @ means
    np.testing.assert_allclose(rest @ information @ total.T, 0, atol=1e-6)
    np.testing.assert_allclose(
        rest @ information @ rest.T, part.rest_information, atol=1e-6
    )


def test_joined_fields_have_the_shift_that_was_found(part, grid):
    rng = np.random.default_rng(3)
    shifts = rng.normal(size=(4, grid.n_components))
    rest = rng.normal(size=(4, grid.size))
    joined = part.join(shifts, rest)
    mean = np.linalg.solve(part.total_information, part.pulled @ joined.T).T
    np.testing.assert_allclose(mean, shifts, atol=1e-6)
    # and bend as the rest does
    bend = joined - rest
    per_axis = bend.reshape(4, grid.n_components, -1)
    np.testing.assert_allclose(np.ptp(per_axis, axis=-1), 0, atol=1e-9)
