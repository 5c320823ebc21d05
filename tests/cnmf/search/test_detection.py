"""Filters and scores of events against plain NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.cnmf.search.detection import (
    correlate_forward,
    decimation,
    filter_in_space,
    filter_in_time,
    score_events,
)
from napari_mesmerize.cnmf.settings import Settings, matched_kernel

SETTINGS = Settings(10.0, 1.2, 0.0, radius=3.0)


@given(
    n_pixels=st.integers(1, 4),
    n_frames=st.integers(1, 90),
    length=st.integers(1, 30),
    stride=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_rows_are_correlated_forward(n_pixels, n_frames, length, stride, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_pixels, n_frames)).astype(np.float32)
    kernel = rng.normal(size=length).astype(np.float32)
    n_out = -(-n_frames // stride)
    out = np.empty((n_pixels, n_out), np.float32)
    correlate_forward(rows, kernel, stride, out)
    padded = np.pad(rows.astype(float), [(0, 0), (0, length)])
    expected = np.stack(
        [padded[:, u * stride : u * stride + length] @ kernel for u in range(n_out)],
        axis=1,
    )
    # up to the median of each row, which comes off
    shift = expected - out
    np.testing.assert_allclose(shift, shift[:, :1] * np.ones(n_out), atol=1e-4)
    below = (out < -1e-4).sum(axis=1)
    above = (out > 1e-4).sum(axis=1)
    assert (below <= n_out / 2 + 1).all()
    assert (above <= n_out / 2 + 1).all()


@given(n_samples=st.integers(1, 40), seed=st.integers(0, 99))
def test_scores_are_those_of_local_maxima(n_samples, seed):
    rng = np.random.default_rng(seed)
    z = (2 * rng.normal(size=(5, 6, n_samples))).astype(np.float32)
    z = np.round(z)  # plateaus, too
    score, largest = (np.full((5, 6), -1, np.float32) for _ in range(2))
    score_events(z, (1, 4, 2, 6), 2.0, score, largest)
    for y, x in np.ndindex(5, 6):
        if not (1 <= y < 4 and 2 <= x < 6):
            assert score[y, x] == largest[y, x] == -1
            continue
        row = np.concatenate([[-np.inf], z[y, x].astype(float), [-np.inf]])
        tops = [
            row[u]
            for u in range(1, n_samples + 1)
            if row[u] > 2 and row[u] >= row[u - 1] and row[u] > row[u + 1]
        ]
        assert score[y, x] == pytest.approx(np.sqrt(np.square(tops).sum()), rel=1e-5)
        assert largest[y, x] == max(tops, default=0)


def test_samples_are_a_quarter_of_the_decay_apart():
    assert decimation(SETTINGS) == 3
    assert decimation(Settings(10.0, 0.1, 0.0, 3.0)) == 1
    out = filter_in_time(np.zeros((6, 100), np.float32), (2, 3), SETTINGS)
    assert out.shape == (2, 3, 34)


def test_a_transient_is_highest_where_it_begins():
    rows = np.zeros((1, 120), np.float32)
    kernel = matched_kernel(SETTINGS)
    rows[0, 60 : 60 + len(kernel)] = 5 * kernel
    found = filter_in_time(rows, (1, 1), SETTINGS)[0, 0]
    assert found.argmax() == 60 // 3
    assert found.max() == pytest.approx(5, rel=1e-4)  # the kernel has norm 1


@pytest.mark.parametrize("shape", [(24, 30), (9, 40), (1, 20)])
def test_noise_filtered_in_space_has_one_unit(shape):
    noise = np.random.default_rng(0).normal(size=(*shape, 400)).astype(np.float32)
    z = filter_in_space(noise, SETTINGS).z
    assert z.shape == noise.shape
    low, middle = np.percentile(z, [16, 50], axis=2)
    np.testing.assert_allclose(middle, 0, atol=0.1)
    np.testing.assert_allclose((middle - low).mean(), 1, atol=0.05)


def test_a_cell_stands_out_where_it_is():
    rng = np.random.default_rng(1)
    movie = rng.normal(size=(30, 32, 300)).astype(np.float32)
    y, x = np.mgrid[:30, :32]
    movie[np.hypot(y - 12, x - 20) <= 3, 150] += 3
    z = filter_in_space(movie, SETTINGS).z
    at = np.unravel_index(z[:, :, 150].argmax(), (30, 32))
    assert np.hypot(at[0] - 12, at[1] - 20) <= 1.5
    assert z[:, :, 150].max() > 8
