"""dF/F against the baseline of a background that is known."""

import numpy as np
import pytest
from scipy import sparse

from napari_mesmerize.cnmf.deconvolve.dff import delta_f
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.data.components import Background

SETTINGS = Settings(10.0, 0.5, 0.0, radius=3.0)


def background(static, changing, n_pixels=4):
    return Background(
        spatial=np.ones((n_pixels, 1), np.float32),
        temporal=np.asarray(changing, np.float32)[None],
        static=np.full(n_pixels, static, np.float32),
    )


def footprint(weight):
    return sparse.csc_array(np.array([[weight], [weight], [0], [0]], np.float32))


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_constant_background_is_divided_by(weight):
    raw = np.arange(200, dtype=np.float32)[None]
    found = delta_f(
        raw, footprint(weight), background(50.0, np.full(200, 30.0)), SETTINGS
    )
    # the background under two pixels of this weight, as the trace counts it
    np.testing.assert_allclose(found, raw / (80.0 / weight), rtol=1e-5)
    assert found.dtype == np.float32


def test_bleaching_is_taken_out():
    n_frames = 3000
    level = 40 + 60 * np.exp(-np.arange(n_frames) / 4000)
    raw = (0.5 * level).astype(np.float32)[None]
    found = delta_f(raw, footprint(1.0), background(0.0, level), SETTINGS)
    # the 20th percentile over a minute lags by a fraction of it
    np.testing.assert_allclose(found[0, 300:-300], 0.5, rtol=0.06)


def test_events_of_the_background_do_not_move_the_baseline():
    changing = np.full(2000, 50.0)
    changing[::20] += 100
    raw = np.ones((1, 2000), np.float32)
    found = delta_f(raw, footprint(1.0), background(0.0, changing), SETTINGS)
    np.testing.assert_allclose(found, 1 / 50.0, rtol=1e-4)


def test_a_background_of_nothing_gives_finite_values():
    raw = np.ones((1, 20), np.float32)
    found = delta_f(raw, footprint(1.0), background(0.0, np.zeros(20)), SETTINGS)
    assert np.isfinite(found).all()


def test_no_traces_give_none():
    raw = np.zeros((0, 20), np.float32)
    none = sparse.csc_array((4, 0), dtype=np.float32)
    assert delta_f(raw, none, background(1.0, np.ones(20)), SETTINGS).shape == (0, 20)
