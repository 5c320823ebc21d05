import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.plots.decimate import decimate, heights, to_unit


@given(n=st.integers(1, 500), bins=st.integers(1, 60), seed=st.integers(0, 9))
def test_peaks_stay(n, bins, seed):
    traces = np.random.default_rng(seed).normal(size=(3, n)).astype(np.float32)
    frames, values = decimate(traces, 0, n, bins)
    assert values.shape == (3, len(frames))
    assert (np.diff(frames) >= 0).all()
    width = -(-n // bins)
    seen = traces if n <= 2 * bins else traces[:, : n // width * width]
    np.testing.assert_array_equal(values.max(axis=1), seen.max(axis=1))
    np.testing.assert_array_equal(values.min(axis=1), seen.min(axis=1))


def test_a_range_is_cut_to_what_there_is():
    frames, values = decimate(np.arange(10.0)[None], -5, 99, 100)
    assert frames.tolist() == list(range(10))
    assert values[0].tolist() == list(range(10))


def test_traces_of_any_unit_get_unit_height():
    traces = np.tile(np.sin(np.arange(1000.0)), (4, 1)) * [[1], [10], [100], [0]]
    limits = heights(traces)
    assert limits.shape == (4, 2)
    unit = to_unit(traces, limits)
    np.testing.assert_allclose(unit[0], unit[2], atol=1e-3)
    assert abs(np.ptp(unit[1]) - 1) < 0.1
    assert np.isfinite(unit[3]).all()


def test_heights_of_nan_are_finite():
    assert np.isfinite(heights(np.full((2, 50), np.nan))).all()
