"""Fields fitted to frames whose motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import templates
from scipy.ndimage import map_coordinates

from napari_mesmerize.motion.field import (
    FieldMotion,
    Grid,
    evaluate,
    prior_covariance,
)
from napari_mesmerize.motion.fit.field_fit import FieldFit
from napari_mesmerize.motion.fit.least_squares import block_gradients


@pytest.fixture(scope="module")
def fit():
    s = templates.settings_of(
        (1, 75, 90), piecewise=True, knot_spacing=30.0, prior_length=60.0
    )
    template = templates.template_of(
        s, weights=np.full(templates.canvas_size(s), 4.0, "f4")
    )
    grid = Grid.make(s, automatic=False)
    return FieldFit(template, grid, prior_covariance(grid, s))


def bent_frames(fit, coefficients):
    """Frames (n, 1, y, x) whose pixels lie where a field moved them to."""
    template = fit.template
    s = template.settings
    pixels = tuple(np.arange(n, dtype=float) for n in s.frame_shape)
    fields = FieldMotion(coefficients, fit.grid).at(pixels)[:, 0, ..., 1:]
    y, x = np.mgrid[: s.frame_shape[1], : s.frame_shape[2]]
    frames = [
        map_coordinates(
            template.image[0].astype(float),
            [y + s.pads[1] - field[..., 0], x + s.pads[2] - field[..., 1]],
            order=5,
        )
        for field in fields
    ]
    return np.stack(frames)[:, None].astype(np.float32)


def fields_of(fit, n, scale=1.0, seed=0):
    """Fields such as the prior expects."""
    independent = np.random.default_rng(seed).normal(size=(n, fit.grid.size))
    return scale * independent @ np.linalg.cholesky(fit.prior).T


def field_error(fit, found, true):
    gap = evaluate(found - true, fit.grid, fit.bases)[..., 1:]
    return np.sqrt((gap**2).sum(axis=-1).mean())


def test_known_fields_are_found(fit):
    true = fields_of(fit, 5)
    found = fit.fit(bent_frames(fit, true), np.zeros_like(true), 8, mute=False)
    assert field_error(fit, np.zeros_like(true), true) > 0.4
    # the prior draws a little to 0, and blocks of 8 px move as one
    assert field_error(fit, found, true) < 0.05


def test_frames_that_fit_say_where_they_are(fit):
    """Vectors are information times estimate: at the truth the gradient is 0."""
    true = fields_of(fit, 3, scale=0.4)
    vectors = fit.vectors(bent_frames(fit, true), true, mute=False)
    gap = vectors - true @ fit.information
    assert np.abs(gap).max() < 0.03 * np.abs(vectors).max()


def test_the_posterior_is_that_of_information_and_prior(fit):
    expected = np.linalg.inv(fit.information + np.linalg.inv(fit.prior))
    np.testing.assert_allclose(fit.posterior, expected, atol=1e-6 * expected.max())


def test_rows_that_moved_are_put_into_the_nearest_field(fit):
    grid, s = fit.grid, fit.template.settings
    moves = np.array([[0, 1.5, -2.0]])
    middles = grid.centres(s.block_size)[1]
    rows = np.repeat(moves[:, None], middles.size, axis=1)
    found = evaluate(fit.near(rows), grid, fit.bases)
    np.testing.assert_allclose(
        found[..., 1:], np.broadcast_to(moves[0, 1:], found[..., 1:].shape), atol=0.05
    )


def test_blocks_outside_of_the_region_say_nothing(fit):
    template = fit.template
    weights = template.weights.copy()
    left = template.settings.pads[2] + 45
    weights[..., left:] = 0
    half = replace(fit, template=replace(template, weights=weights, partial=True))
    size = template.settings.block_size[1]
    expected = np.arange(half.used.shape[2]) * size + size / 2 <= 45
    np.testing.assert_array_equal(half.used, np.broadcast_to(expected, half.used.shape))
    frames = bent_frames(fit, fields_of(fit, 2))
    spoilt = frames.copy()
    spoilt[..., 56:] = 50
    start = np.zeros((2, fit.grid.size))
    np.testing.assert_allclose(
        half.vectors(spoilt, start, mute=False), half.vectors(frames, start, mute=False)
    )


def test_muted_blocks_follow_the_rest_of_their_frame(fit):
    """Debris over some blocks does not bend the field there."""
    displacement = np.array([[0, 1.0, -1.0]])
    true = fit.grid.constant(displacement)
    frames = bent_frames(fit, true)
    frames[..., 24:48, 32:64] += 6 * np.random.default_rng(3).normal(size=(24, 32))
    found = fit.fit(frames, true, 4, mute=True)
    away = evaluate(found, fit.grid, fit.bases)[0, 0] - displacement[0]
    assert np.abs(away).max() < 0.3
    blocks = np.broadcast_to(displacement[:, None, None, None], (1, *fit.used.shape, 3))
    _, kept = block_gradients(fit.template, frames, blocks, mute_blocks=True)
    assert kept[0, 0, 3:6, 4:8].max() < 0.05
    assert kept[0, 0, :, 9:].min() == 1
