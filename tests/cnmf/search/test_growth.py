"""Growing cells from events: loops against NumPy, cells against known ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.cnmf.search import growth
from napari_mesmerize.cnmf.search.growth import local_maxima, search, subtract_window
from napari_mesmerize.cnmf.settings import Settings

SETTINGS = Settings(10.0, 0.8, 0.0, radius=3.0)
windows = st.tuples(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 7), st.integers(0, 7)
)


def movie_of(seed, shape=(7, 8, 20)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(window=windows, seed=st.integers(0, 99))
def test_loops_over_a_window(window, seed):
    y0, y1 = sorted(window[:2])
    x0, x1 = sorted(window[2:])
    movie, rng = movie_of(seed), np.random.default_rng(seed + 1)
    part = movie[y0:y1, x0:x1].astype(float)
    image = rng.normal(size=part.shape[:2]).astype(np.float32)
    image[::2, ::2] = 0
    trace = rng.normal(size=20).astype(np.float32)
    events = np.sort(rng.permutation(20)[:4]).astype(np.int64)
    weights = rng.normal(size=4).astype(np.float32)
    bounds = (y0, y1, x0, x1)
    np.testing.assert_allclose(
        growth._event_image(movie, bounds, events, weights),
        part[:, :, events] @ weights,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        growth._project_window(movie, bounds, image),
        np.einsum("yx,yxt->t", image, part),
        atol=1e-4,
    )
    expected = movie.astype(float)
    expected[y0:y1, x0:x1] -= image[:, :, None] * trace
    subtract_window(movie, y0, x0, image, trace)
    np.testing.assert_allclose(movie, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("z", "maxima"),
    [
        ([0, 5, 0], [1]),
        ([5, 0, 6], [0, 2]),
        ([0, 5, 5, 0], [2]),  # of a plateau the last
        ([0, 3, 0], []),  # not above the threshold
        ([4], [0]),
        ([1, 4, 5, 4], [2]),
    ],
)
def test_local_maxima(z, maxima):
    assert local_maxima(np.array(z, np.float32), 3.0).tolist() == maxima


def cells_in_noise(centres, shape=(40, 44), n_frames=400, amplitude=4.0, seed=3):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    movie = rng.normal(size=(shape[0] * shape[1], n_frames))
    kernel = SETTINGS.decay_factor ** np.arange(60)
    for cy, cx in centres:
        image = 1 / (1 + np.exp((np.hypot(y - cy, x - cx) - 3) / 0.4))
        spikes = (rng.random(n_frames) < 0.02) * amplitude
        trace = np.convolve(spikes, kernel)[:n_frames]
        movie += np.outer(image, trace)
    return movie.astype(np.float32)


def found_in(movie, valid=None, most=20, shape=(40, 44)):
    if valid is None:
        valid = np.ones(len(movie), bool)
    return search(movie, shape, valid, SETTINGS, 14.0, most)


def test_cells_are_found_where_they_are():
    centres = [(8, 9), (20, 30), (33, 12), (3, 40)]
    found = found_in(cells_in_noise(centres))
    assert len(found) == 4
    places = np.array([cell.centre(44) for cell in found])
    for centre in centres:
        assert np.hypot(*(places - centre).T).min() < 1.2
    areas = [cell.area() for cell in found]
    assert min(areas) > 12
    assert max(areas) < 70


def test_noise_has_no_cells():
    assert found_in(cells_in_noise([])) == []


def test_no_more_are_found_than_asked_for_and_the_strongest_first():
    movie = cells_in_noise([(8, 9), (20, 30), (33, 12)])
    every = found_in(movie.copy())
    (first,) = found_in(movie, most=1)
    assert first.peak == max(cell.peak for cell in every)
    np.testing.assert_array_equal(first.pixels, every[0].pixels)


def test_seeds_lie_where_it_is_allowed():
    valid = np.ones((40, 44), bool)
    valid[:, :22] = False
    found = found_in(cells_in_noise([(20, 10), (20, 34)]), valid.ravel())
    assert len(found) == 1
    assert (found[0].pixels % 44 >= 22).all()
