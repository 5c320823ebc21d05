"""Local contrast against plain NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from napari_mesmerize.motion.template.contrast import (
    Gain,
    binned_shape,
    edge_taper,
    estimate_gain,
    half_kernel,
    local_contrast,
    thinned,
    without_structure,
)

sizes = st.tuples(
    st.integers(1, 3), st.integers(1, 2), st.integers(2, 21), st.integers(2, 21)
)


def frames_of(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.gamma(3, 30, shape) + 100).astype(np.float32)


def binned_by_numpy(plane):
    """Mean of 2 x 2 pixels; a last odd row or column counts twice."""
    height, width = plane.shape
    whole = np.pad(plane.astype(float), [(0, height % 2), (0, width % 2)], mode="edge")
    return whole.reshape(whole.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))


def low_by_numpy(binned, sigma):
    half = half_kernel(sigma).astype(float)
    kernel = np.concatenate([half[:0:-1], half])
    once = correlate1d(binned, kernel, axis=0, mode="nearest")
    return correlate1d(once, kernel, axis=1, mode="nearest")


def upsampled(small, shape):
    """Linear between the centres of binned pixels, nearest border."""
    for axis, size in enumerate(shape):
        places = np.clip((np.arange(size) - 0.5) / 2, 0, small.shape[axis] - 1)
        at = places.astype(int)
        after = np.minimum(at + 1, small.shape[axis] - 1)
        part = np.expand_dims(places - at, 1 - axis)
        small = (1 - part) * small.take(at, axis) + part * small.take(after, axis)
    return small


@settings(max_examples=20)
@given(shape=sizes, sigma=st.sampled_from([0.5, 1.5, 4.0]), seed=st.integers(0, 99))
def test_contrast_is_what_stands_out_from_its_surroundings(shape, sigma, seed):
    frames = frames_of(shape, seed)
    gain = Gain(black=60.0, least=20.0)
    found, found_binned = local_contrast(frames, sigma, gain)
    assert found_binned.shape == (*shape[:2], *binned_shape(*shape[2:]))
    for at in np.ndindex(shape[:2]):
        binned = binned_by_numpy(frames[at])
        low = low_by_numpy(binned, sigma)
        expected = (binned - low) / np.maximum(low - gain.black, gain.least)
        np.testing.assert_allclose(found_binned[at], expected, atol=2e-5)
        low = upsampled(low, shape[2:])
        expected = (frames[at] - low) / np.maximum(low - gain.black, gain.least)
        # float32 at 100 to 400: 3e-5, over a gain of 20 or more
        np.testing.assert_allclose(found[at], expected, atol=2e-5)


@pytest.mark.parametrize("sigma", [2.0, 3.0, 8.0])
def test_the_low_pass_keeps_constants_and_has_the_width_asked_for(sigma):
    half = half_kernel(sigma).astype(float)
    assert 2 * half.sum() - half[0] == pytest.approx(1, abs=1e-6)
    place = np.arange(len(half))
    variance = 4 * 2 * (half * place**2).sum() + 0.9  # px of the unbinned frame
    # cut at three standard deviations, which takes 3 % of the variance
    assert variance == pytest.approx(sigma**2, rel=0.05)


@pytest.mark.parametrize(
    ("factor", "offset"), [(3.0, 0.0), (1.0, -500.0), (0.01, 40.0)]
)
def test_contrast_depends_on_no_unit_and_no_offset_but_by_a_factor(factor, offset):
    frames = frames_of((6, 1, 40, 50))
    other = (factor * frames + offset).astype(np.float32)
    one, two = (
        local_contrast(f, 3.0, estimate_gain(f, 3.0))[0].ravel()
        for f in (frames, other)
    )
    scale = (one @ two) / (one @ one)
    np.testing.assert_allclose(two, scale * one, atol=1e-3 * np.abs(one).max())


def test_black_lies_below_every_low_passed_intensity():
    frames = frames_of((6, 1, 40, 50))
    gain = estimate_gain(frames, 3.0)
    low = low_by_numpy(binned_by_numpy(frames[0, 0]), 3.0)
    assert gain.black < low.min()
    assert 0 < gain.least < low.min() - gain.black


@pytest.mark.parametrize("level", [0.0, 7.25, -3e4])
@pytest.mark.parametrize("n_frames", [1, 4])
def test_constant_frames_have_no_gain(level, n_frames):
    assert estimate_gain(np.full((n_frames, 1, 20, 20), level, np.float32), 2.0) is None


def test_frames_of_one_value_have_no_structure():
    frames = frames_of((4, 2, 5, 5))
    frames[1] = 3
    frames[2, 0] = 4  # one plane alone
    np.testing.assert_array_equal(
        without_structure(frames), [False, True, False, False]
    )


@given(length=st.integers(1, 40), width=st.integers(0, 12))
def test_the_taper_falls_to_zero_at_both_ends(length, width):
    taper = edge_taper(length, width)
    for place in range(length):
        depth = min(place, length - 1 - place) + 0.5
        inside = depth >= min(width, length / 2)
        expected = 1 if inside else 0.5 - 0.5 * np.cos(np.pi * depth / width)
        assert taper[place] == pytest.approx(expected)
    np.testing.assert_allclose(taper, taper[::-1])


def test_thinned_values_are_spread_evenly():
    values = np.arange(10 * 2**16).reshape(-1, 128)
    some = thinned(values)
    assert 2**15 < some.size <= 2**16 + 1
    assert len(np.unique(np.diff(some))) == 1
    assert np.median(some) == pytest.approx(np.median(values), rel=1e-3)
    assert thinned(values[:3]).size == 3 * 128
