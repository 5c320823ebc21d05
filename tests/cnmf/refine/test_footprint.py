"""The update of footprints against plain NumPy, and what it keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, correlate1d, label

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.refine import footprint
from napari_mesmerize.cnmf.refine.footprint import (
    SMALLEST_PIECE,
    SUPPORT_SHARE,
    keep_pieces,
    update_footprint,
)
from napari_mesmerize.cnmf.settings import Settings

PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
SETTINGS = Settings(15.0, 0.5, 0.0, radius=3.0)
shapes = st.tuples(st.integers(1, 13), st.integers(1, 13))


def blurred(image):
    """Gaussian of 0.7 px, cut at two px, mirrored at the edge."""
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.7) ** 2)
    kernel /= kernel.sum()
    once = correlate1d(image.astype(float), kernel, axis=0, mode="reflect")
    return correlate1d(once, kernel, axis=1, mode="reflect")


@given(shape=st.tuples(st.integers(2, 13), st.integers(2, 13)), seed=st.integers(0, 99))
def test_the_blur(shape, seed):
    image = np.random.default_rng(seed).random(shape).astype(np.float32)
    # the weights are written with four digits
    np.testing.assert_allclose(footprint._blur(image), blurred(image), atol=2e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_the_blur_keeps_a_constant_also_of_one_row(shape):
    image = np.full(shape, 3, np.float32)
    np.testing.assert_allclose(footprint._blur(image), 3, rtol=1e-5)


def kept_by_scipy(support, image, smallest):
    pieces, n = label(support, PLUS)
    if n == 0:
        return support
    mass = [image[pieces == k].sum(dtype=float) for k in range(1, n + 1)]
    keep = pieces == 1 + int(np.argmax(mass))
    if smallest:
        for k in range(1, n + 1):
            keep |= (pieces == k) & ((pieces == k).sum() >= smallest)
    return keep


@given(
    shape=shapes,
    share=st.floats(0, 1),
    smallest=st.sampled_from([0, 1, 4]),
    seed=st.integers(0, 999),
)
def test_the_piece_with_the_largest_sum_stays(shape, share, smallest, seed):
    rng = np.random.default_rng(seed)
    support = rng.random(shape) < share
    image = rng.random(shape).astype(np.float32)
    expected = kept_by_scipy(support, image, smallest)
    keep_pieces(support, image, smallest)
    np.testing.assert_array_equal(support, expected)


def renewed_by_numpy(cell, residual, shape, valid, settings):
    """One non-negative least-squares step on the support and the pixels beside it."""
    before = np.zeros(shape)
    before.ravel()[cell.pixels] = cell.weights
    energy = float(cell.trace.astype(float) @ cell.trace)
    rows, columns = np.divmod(cell.pixels, shape[1])
    centre = np.average(np.stack([rows, columns], axis=1), axis=0, weights=cell.weights)
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = np.hypot(y - centre[0], x - centre[1]) <= settings.reach
    allowed = binary_dilation(before > 0, PLUS) & near & valid.reshape(shape)
    fitted = before + (residual.astype(float) @ cell.trace).reshape(shape) / energy
    after = np.where(allowed, np.maximum(fitted, 0), 0)
    y0, y1 = max(0, rows.min() - 1), rows.max() + 2
    x0, x1 = max(0, columns.min() - 1), columns.max() + 2
    smooth = blurred(after[y0:y1, x0:x1])
    support = np.zeros(shape, bool)
    limit = max(SUPPORT_SHARE * smooth.max(), 1 / np.sqrt(energy))
    support[y0:y1, x0:x1] = smooth > limit
    smallest = SMALLEST_PIECE if settings.any_shape else 0
    return np.where(kept_by_scipy(support, after, smallest), after, 0)


def case(seed, shape=(14, 15), n_frames=80, noise=0.3, at=None):
    """A blurred disk with a trace, wrongly known, in some noise."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(1, 13, 2) if at is None else at
    y, x = np.mgrid[: shape[0], : shape[1]]
    true = np.exp(-0.5 * (np.hypot(y - at[0], x - at[1]) / 2) ** 2)
    trace = rng.gamma(1, 2, n_frames).astype(np.float32)
    known = np.where(true > 0.3, true * rng.uniform(0.5, 1.5, shape), 0)
    pixels = np.flatnonzero(known)
    cell = Cell(pixels, known.ravel()[pixels].astype(np.float32), trace=trace)
    movie = np.outer(true, trace) + noise * rng.normal(size=(true.size, n_frames))
    residual = movie - np.outer(known, trace)
    return cell, residual.astype(np.float32), true


def image_of(cell, shape):
    image = np.zeros(shape)
    image.ravel()[cell.pixels] = cell.weights
    return image


@settings(max_examples=25)
@given(seed=st.integers(0, 999), any_shape=st.booleans())
def test_footprints_are_renewed_by_least_squares(seed, any_shape):
    numbers = Settings(15.0, 0.5, 0.0, radius=3.0, any_shape=any_shape)
    cell, residual, true = case(seed)
    valid = np.random.default_rng(seed + 1).random(true.size) > 0.05
    expected = renewed_by_numpy(cell, residual, true.shape, valid, numbers)
    update_footprint(cell, residual, true.shape, valid, numbers)
    np.testing.assert_allclose(image_of(cell, true.shape), expected, atol=1e-4)


@given(seed=st.integers(0, 999))
def test_the_residual_follows(seed):
    """What a component gains the residual loses: together they stay the movie."""
    cell, residual, true = case(seed)
    valid = np.ones(true.size, bool)
    movie = residual + np.outer(image_of(cell, true.shape), cell.trace)
    update_footprint(cell, residual, true.shape, valid, SETTINGS)
    after = residual + np.outer(image_of(cell, true.shape), cell.trace)
    np.testing.assert_allclose(after, movie, atol=1e-4)


def test_the_true_footprint_is_reached():
    cell, residual, true = case(3, noise=0.05, at=(7.0, 7.0))
    for _ in range(4):
        update_footprint(cell, residual, true.shape, np.ones(true.size, bool), SETTINGS)
    found = image_of(cell, true.shape)
    np.testing.assert_allclose(found[found > 0], true[found > 0], atol=0.02)
    assert (true[found == 0] < 0.25).all()


@pytest.mark.parametrize("at", [(0.0, 0.0), (13.0, 14.0), (0.0, 14.0)])
def test_footprints_in_a_corner(at):
    cell, residual, true = case(1, at=at)
    expected = renewed_by_numpy(
        cell, residual, true.shape, np.ones(true.size, bool), SETTINGS
    )
    update_footprint(cell, residual, true.shape, np.ones(true.size, bool), SETTINGS)
    found = image_of(cell, true.shape)
    # the blurred image ends at its window, which here is also cut by the image
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_without_a_trace_the_footprint_is_gone():
    cell, residual, true = case(0)
    cell.trace = np.zeros_like(cell.trace)
    before = residual.copy()
    update_footprint(cell, residual, true.shape, np.ones(true.size, bool), SETTINGS)
    assert not len(cell.pixels)
    assert not len(cell.weights)
    np.testing.assert_array_equal(residual, before)
    update_footprint(cell, residual, true.shape, np.ones(true.size, bool), SETTINGS)
    assert not len(cell.pixels)


def test_free_footprints_may_reach_anywhere():
    shape, n_frames = (3, 40), 50
    trace = np.random.default_rng(0).gamma(1, 5, n_frames).astype(np.float32)
    pixels = np.arange(40, 79)
    row = Cell(pixels, np.ones(39, np.float32), trace=trace, free=True)
    cut = Cell(pixels, np.ones(39, np.float32), trace=trace)
    for cell in (row, cut):
        residual = np.zeros((120, n_frames), np.float32)
        update_footprint(cell, residual, shape, np.ones(120, bool), SETTINGS)
    assert np.ptp(row.pixels) == 38
    assert np.ptp(cut.pixels) == 2 * SETTINGS.reach
