"""The ring background against a regression of each place by itself."""

import numpy as np
import pytest

from napari_mesmerize.cnmf.refine.background import LowRank
from napari_mesmerize.cnmf.refine.ring import (
    predict_from_ring,
    renew_ring,
    ring_offsets,
)


@pytest.mark.parametrize("radius", [1.0, 2.5, 6.0])
def test_rings_are_one_pixel_wide(radius):
    offsets = ring_offsets(radius)
    distance = np.hypot(*offsets.T)
    assert ((distance >= radius) & (distance < radius + 1)).all()
    assert len({tuple(step) for step in offsets.tolist()}) == len(offsets)
    # of a large ring every second or third place is taken
    assert 8 <= len(offsets) <= 72
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=radius / 4)


@pytest.mark.parametrize("grid", [(7, 9), (1, 12), (3, 3)])
def test_places_are_predicted_by_ridge_regression(grid):
    radius, n_frames = 2.0, 120
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(np.prod(grid), 4)) @ rng.normal(size=(4, n_frames))
    blocks = mixed + 0.3 * rng.normal(size=mixed.shape)
    found = predict_from_ring(blocks.astype(np.float32), grid, radius)
    for place in range(len(blocks)):
        y, x = divmod(place, grid[1])
        ring = [
            (y + dy) * grid[1] + x + dx
            for dy, dx in ring_offsets(radius)
            if 0 <= y + dy < grid[0] and 0 <= x + dx < grid[1]
        ]
        if not ring:
            np.testing.assert_array_equal(found[place], 0)
            continue
        others = blocks[ring]
        gram = others @ others.T
        gram += 0.01 * np.trace(gram) / len(ring) * np.eye(len(ring))
        weights = np.linalg.solve(gram, others @ blocks[place])
        np.testing.assert_allclose(found[place], weights @ others, atol=1e-3)


def wide_and_narrow(seed=0, shape=(40, 48), n_frames=200):
    """Background that is wide, and a cell that is not."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    wide = np.stack([np.ones(shape), y / shape[0], x / shape[1]]).reshape(3, -1)
    background = wide.T @ rng.normal(size=(3, n_frames)).cumsum(axis=1)
    cell = np.exp(-0.5 * (np.hypot(y - 20, x - 24) / 2.5) ** 2).ravel()
    activity = 8 * (rng.random(n_frames) < 0.1)
    noise = 0.5 * rng.normal(size=background.shape)
    return background, np.outer(cell, activity), noise


def renewed(residual, background, valid=None, shape=(40, 48)):
    if valid is None:
        valid = np.ones(len(residual), bool)
    return renew_ring(
        residual,
        shape,
        background,
        valid=valid,
        ring_radius=12.0,
        block_size=3.0,
        most=6,
    )


def nothing(residual):
    n_pixels, n_frames = residual.shape
    return LowRank(np.zeros((n_pixels, 1), "f4"), np.zeros((1, n_frames), "f4"))


def test_what_is_wide_is_background_and_what_is_narrow_stays():
    background, cell, noise = wide_and_narrow()
    residual = (background + cell + noise).astype(np.float32)
    found = renewed(residual, nothing(residual))
    estimate = found.loadings @ found.modes
    left = (background - estimate).reshape(40, 48, -1)
    assert left.std() < 0.25 * background.std()
    at = cell.max(axis=1).argmax()
    assert np.corrcoef(residual[at], cell[at])[0, 1] > 0.85


def test_background_and_residual_together_stay_the_movie():
    background, cell, noise = wide_and_narrow(1)
    movie = (background + cell + noise).astype(np.float32)
    valid = np.random.default_rng(2).random(len(movie)) > 0.1
    residual = movie.copy()
    found = renewed(residual, nothing(residual), valid)
    again = renewed(residual, found, valid)
    together = residual + again.loadings @ again.modes
    np.testing.assert_allclose(together, movie, atol=2e-3)
    assert not again.loadings[~valid].any()
