"""The coarse search against sums of products at each shift."""

from dataclasses import replace

import numpy as np
import pytest
import templates
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.motion.fit import coarse
from napari_mesmerize.motion.fit.coarse import (
    best_shifts,
    bin_again,
    binning_of,
    coarse_evidence,
    coarse_shifts,
    prepare_coarse,
    project_planes,
    small_shape,
)
from napari_mesmerize.motion.shift_prior import ShiftPrior

LEVEL = ShiftPrior(spread=1e6, jumps=0.0)  # each shift is as likely


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=20)
@given(
    height=st.integers(8, 24),
    width=st.integers(8, 24),
    reach=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    seed=st.integers(0, 99),
)
def test_evidence_is_the_sum_of_products_at_each_shift(height, width, reach, seed):
    """Up to twice the reach, frames and template tapered, shifts around the border."""
    template = noise((height, width), seed)
    frames = noise((2, height, width), seed + 1)
    limits = (2 * reach[0], 2 * reach[1])
    prepared = prepare_coarse(template, (2 * height, 2 * width), limits)
    found = coarse_evidence(frames, prepared)
    wide = [
        min(2 * min(r, (n - 1) // 2), (n - 1) // 2)
        for r, n in zip(reach, (height, width), strict=True)
    ]
    assert found.shape == (2, 2 * wide[0] + 1, 2 * wide[1] + 1)
    tapered = template.astype(float) * prepared.window
    for t, i, j in np.ndindex(found.shape):
        moved = np.roll(tapered, (i - wide[0], j - wide[1]), axis=(0, 1))
        product = (frames[t].astype(float) * prepared.window * moved).sum()
        expected = product / (frames[t].astype(float) ** 2).mean()
        assert found[t, i, j] == pytest.approx(expected, abs=2e-3)  # float32 FFT


@given(n=st.integers(1, 3), height=st.integers(2, 9), width=st.integers(2, 9))
def test_an_odd_last_row_or_column_is_dropped(n, height, width):
    planes = noise((n, height, width))
    h, w = height // 2, width // 2
    blocks = planes[:, : 2 * h, : 2 * w].reshape(n, h, 2, w, 2)
    np.testing.assert_allclose(bin_again(planes), blocks.mean(axis=(2, 4)), atol=1e-6)


@pytest.mark.parametrize(
    ("size", "binning", "shape"),
    [((192, 300), 2, (96, 150)), ((193, 193), 4, (48, 48)), ((51, 61), 2, (26, 31))],
)
def test_large_frames_are_binned_again(size, binning, shape):
    assert binning_of(*size) == binning
    assert small_shape(size) == shape


def blobs(shape, seed=0):
    return templates.smooth_image((1, *shape), seed)[0]


@pytest.mark.parametrize("frame_shape", [(96, 120), (256, 224)])
def test_known_shifts_are_found_to_half_a_pixel(frame_shape):
    binning = binning_of(*frame_shape)
    binned = tuple(n // 2 for n in frame_shape)
    template = (
        blobs(binned)
        if binning == 2
        else np.kron(
            blobs((binned[0] // 2, binned[1] // 2)), np.ones((2, 2), np.float32)
        )
    )
    prepared = prepare_coarse(template, frame_shape, (20, 20), prior=LEVEL)
    true = np.array([[0, 0], [4, -8], [-12, 12], [8, 0]])
    frames = np.stack([np.roll(template, move // 2, axis=(0, 1)) for move in true])
    found, at_edge = coarse_shifts(frames, prepared)
    np.testing.assert_allclose(found, true, atol=0.5 * binning)
    assert not at_edge.any()


def test_fractions_of_a_pixel_are_told():
    template = blobs((60, 72))
    prepared = prepare_coarse(template, (120, 144), (12, 12), prior=LEVEL)
    fractions = np.array([[0.0, 0.3], [0.4, -0.2], [-0.45, 0.45]])
    frames = [templates.moved_image(template[None], *move)[0] for move in fractions]
    found, _ = coarse_shifts(np.stack(frames).astype(np.float32), prepared)
    # a parabola through three samples; binned px count twice
    np.testing.assert_allclose(found / 2, fractions, atol=0.1)


def evidence_with(peaks, reach=(3, 4)):
    """Maps up to twice a reach, of 0 but for given peaks."""
    maps = np.zeros((1, 4 * reach[0] + 1, 4 * reach[1] + 1), np.float32)
    for (y, x), height in peaks.items():
        maps[0, 2 * reach[0] + y, 2 * reach[1] + x] = height
    template = coarse.CoarseTemplate(
        np.zeros((1, 1), np.complex64), np.zeros((1, 1), np.float32), 2, reach, LEVEL
    )
    return maps, template


@pytest.mark.parametrize(
    ("peaks", "place", "edge"),
    [
        ({(1, -2): 50.0}, (2, -4), False),
        ({(3, 0): 50.0}, (6, 0), True),  # at the end of the range
        ({(0, -4): 50.0}, (0, -8), True),
        ({(1, 1): 50.0, (5, 5): 60.0}, (2, 2), False),  # not better by a quarter
        ({(1, 1): 50.0, (5, 5): 70.0}, (2, 2), True),
        ({(1, 1): 10.0, (5, 5): 14.0}, (2, 2), False),  # not better by 6 units
    ],
)
def test_a_search_range_that_is_too_small_is_noticed(peaks, place, edge):
    found, at_edge = best_shifts(*evidence_with(peaks))
    np.testing.assert_allclose(found[0], place, atol=1e-6)
    assert at_edge[0] == edge


def test_what_is_expected_decides_between_equal_matches():
    maps, template = evidence_with({(0, 0): 9.0, (3, 3): 9.5}, reach=(5, 5))
    found, _ = best_shifts(maps, template)
    np.testing.assert_allclose(found[0], (6, 6), atol=1e-6)
    expecting = replace(template, prior=ShiftPrior(spread=1.0, jumps=0.01))
    found, _ = best_shifts(maps, expecting)
    np.testing.assert_allclose(found[0], (0, 0), atol=1e-6)


def test_axes_without_a_range_stay():
    template = blobs((40, 40))
    prepared = prepare_coarse(template, (80, 80), (0, 12), prior=LEVEL)
    frames = np.roll(template, (0, 3), axis=(0, 1))[None]
    found, at_edge = coarse_shifts(frames, prepared)
    assert found[0, 0] == 0
    assert found[0, 1] == pytest.approx(6, abs=1)
    assert not at_edge.any()


def test_only_a_region_is_matched():
    still, moving = blobs((40, 40), 1), blobs((40, 40), 2)
    region = np.zeros((40, 40), np.float32)
    region[:, 20:] = 1
    template = np.where(region, moving, still)
    frame = np.where(region, np.roll(moving, 4, axis=0), still)[None]
    whole = prepare_coarse(template, (80, 80), (16, 16), prior=LEVEL)
    part = prepare_coarse(template, (80, 80), (16, 16), region, LEVEL)
    assert coarse_shifts(frame, part)[0][0] == pytest.approx([8, 0], abs=1)
    assert np.hypot(*coarse_shifts(frame, whole)[0][0]) < 9


def test_planes_are_averaged():
    volumes = noise((2, 3, 4, 5))
    np.testing.assert_allclose(project_planes(volumes), volumes.mean(axis=1), atol=1e-6)
    one = noise((2, 1, 4, 5))
    np.testing.assert_array_equal(project_planes(one), one[:, 0])
