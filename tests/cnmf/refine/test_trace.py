"""Traces: projections of what the residual holds, and what they leave."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.refine.trace import raw_trace, set_first_trace, update_trace
from napari_mesmerize.cnmf.settings import Settings

SHAPE = (21, 23)
SETTINGS = Settings(10.0, 0.8, 0.0, radius=3.0)


def disk(y=10, x=11, radius=3):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (np.hypot(rows - y, columns - x) <= radius).astype(np.float32)


def transients(n_frames=300, seed=0):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(n_frames) < 0.03) * rng.gamma(4, 3, n_frames)
    return np.convolve(spikes, SETTINGS.decay_factor ** np.arange(60))[:n_frames]


def cell_of(image):
    pixels = np.flatnonzero(image)
    return Cell(pixels, image.ravel()[pixels].astype(np.float32))


def movie_of(image, trace, noise=1.0, seed=1):
    rng = np.random.default_rng(seed)
    movie = np.outer(image, trace) + noise * rng.normal(size=(image.size, len(trace)))
    return movie.astype(np.float32)


def test_raw_traces_are_least_squares_estimates():
    image, true = disk(), transients()
    movie = movie_of(image, true)
    cell = cell_of(image)
    cell.trace = (0.5 * true).astype(np.float32)
    residual = movie - np.outer(image, cell.trace)
    expected = np.linalg.lstsq(image.reshape(-1, 1), movie.astype(float), rcond=None)[0]
    found = raw_trace(cell, residual.astype(np.float32))
    np.testing.assert_allclose(found, expected[0], atol=1e-3)


@given(seed=st.integers(0, 99))
def test_together_with_the_residual_it_stays_the_movie(seed):
    image, true = disk(), transients(seed=seed)
    cell = cell_of(image)
    cell.trace = np.zeros(len(true), np.float32)
    residual = movie_of(image, true, seed=seed)
    movie = residual.copy()
    for _ in range(2):
        update_trace(cell, residual, SETTINGS)
        together = residual + np.outer(image, cell.trace)
        np.testing.assert_allclose(together, movie, atol=1e-3)
    assert np.corrcoef(cell.trace, true)[0, 1] > 0.98
    assert (cell.trace >= 0).all()


def test_first_traces_do_not_see_the_local_background():
    image, true = disk(), transients()
    background = 20 * np.sin(np.arange(300) / 9)
    residual = movie_of(image, true) + background.astype(np.float32)
    cell = cell_of(image)
    set_first_trace(cell, residual, SHAPE, SETTINGS)
    assert np.corrcoef(cell.trace, true)[0, 1] > 0.97


def test_first_traces_are_taken_out_of_the_residual():
    image, true = disk(), transients()
    residual = movie_of(image, true)
    movie = residual.copy()
    cell = cell_of(image)
    set_first_trace(cell, residual, SHAPE, SETTINGS)
    together = residual + np.outer(image, cell.trace)
    np.testing.assert_allclose(together, movie, atol=1e-3)


@pytest.mark.parametrize("at", [(0, 0), (20, 22)])
def test_first_traces_in_a_corner(at):
    image, true = disk(*at), transients()
    cell = cell_of(image)
    set_first_trace(cell, movie_of(image, true), SHAPE, SETTINGS)
    assert np.corrcoef(cell.trace, true)[0, 1] > 0.9


def test_a_footprint_as_wide_as_the_image_is_projected_as_it_is():
    image, true = np.ones(SHAPE, np.float32), transients()
    cell = cell_of(image)
    set_first_trace(cell, movie_of(image, true), SHAPE, SETTINGS)
    assert np.isfinite(cell.trace).all()
    assert np.corrcoef(cell.trace, true)[0, 1] > 0.98


def test_without_a_footprint_nothing_happens():
    cell = Cell(np.zeros(0, np.int64), np.zeros(0, np.float32))
    residual = movie_of(disk(), transients())
    before = residual.copy()
    update_trace(cell, residual, SETTINGS)
    np.testing.assert_array_equal(residual, before)
