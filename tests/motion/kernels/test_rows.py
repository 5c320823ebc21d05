"""Arithmetic in place and in parts against the same on whole arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.motion.kernels import rows

sizes = st.tuples(st.integers(1, 30), st.integers(1, 7), st.integers(0, 99))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Compute 16 values at a time, so that small arrays are of many parts."""
    monkeypatch.setattr(rows, "_VALUES", 16)


def values_of(size, dtype=np.float64):
    n, m, seed = size
    return np.random.default_rng(seed).normal(size=(n, m)).astype(dtype)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (5, 0), (33, 4), (9, 400)])
def test_parts_cover_each_row_and_column_once(n_rows, n_columns):
    parts = list(rows.row_parts(n_rows, n_columns))
    assert np.concatenate([np.arange(n_rows)[p] for p in parts]).tolist() == list(
        range(n_rows)
    )
    parts = rows.column_parts((n_rows, n_columns), most=3)
    assert all(part.stop - part.start <= 3 for part in parts)
    together = [k for part in parts for k in range(n_columns)[part]]
    assert together == list(range(n_columns))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_are_mixed(dtype):
    values = values_of((30, 5, 0), dtype)
    matrix = values_of((5, 5, 1))
    expected = values.astype(float) @ matrix
    rows.mix_columns(values, matrix)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


@given(size=sizes)
def test_second_moments(size):
    values = values_of(size)
    used = np.random.default_rng(size[2]).random(size[0]) < 0.6
    expected = values[used].T @ values[used] / max(used.sum(), 1)
    np.testing.assert_allclose(
        rows.second_moments(values, used), expected, rtol=1e-12, atol=1e-12
    )


@given(size=sizes)
def test_medians_become_zero(size):
    values = values_of(size)
    expected = values - np.median(values, axis=0)
    rows.subtract_median(values)
    np.testing.assert_array_equal(values, expected)


@given(size=sizes, share=st.floats(0, 1))
def test_lost_rows_lie_between_their_neighbours(size, share):
    values = values_of(size)
    lost = np.random.default_rng(size[2] + 1).random(size[0]) < share
    before = values.copy()
    rows.fill_lost(values, lost)
    np.testing.assert_array_equal(values[~lost], before[~lost])
    known = np.flatnonzero(~lost)
    for t in np.flatnonzero(lost):
        earlier, later = known[known < t], known[known > t]
        if not known.size:
            expected = np.zeros(size[1])
        elif not earlier.size or not later.size:
            expected = before[later[0] if later.size else earlier[-1]]
        else:
            a, b = earlier[-1], later[0]
            expected = before[a] + (before[b] - before[a]) * (t - a) / (b - a)
        np.testing.assert_allclose(values[t], expected, rtol=1e-12, atol=1e-12)
