"""Templates: tables, information and weights against formulas and known scenes."""

import numpy as np
import pytest
import templates
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from napari_mesmerize.motion.kernels.weights import noise_kept
from napari_mesmerize.motion.resample.canvas import (
    CanvasSums,
    canvas_shape,
    sum_shifted,
)
from napari_mesmerize.motion.template.template import (
    bin_canvas,
    block_information,
    mean_and_weights,
    phase_tables,
    usual_places,
)


@given(height=st.integers(1, 9), width=st.integers(1, 9), depth=st.integers(1, 3))
def test_binning_counts_a_last_odd_pixel_twice(height, width, depth):
    volume = np.random.default_rng(0).normal(size=(depth, height, width)).astype("f4")
    found = bin_canvas(volume)
    assert found.shape == (depth, -(-height // 2), -(-width // 2))
    for k, i, j in np.ndindex(found.shape):
        rows = [2 * i, min(2 * i + 1, height - 1)]
        columns = [2 * j, min(2 * j + 1, width - 1)]
        expected = volume[k][np.ix_(rows, columns)].mean()
        assert found[k, i, j] == pytest.approx(expected, abs=1e-6)


def test_tables_of_planes_are_the_moved_image_and_its_slopes():
    s = templates.settings_of(templates.PLANES, phases=4)
    image = templates.smooth_image(templates.canvas_size(s))
    tables = phase_tables(image, s)
    assert tables.shape == (1, 4, 4, 3, *image.shape)
    step = 1e-3
    for p, q in np.ndindex(4, 4):
        y, x = p / 4, q / 4
        np.testing.assert_allclose(
            tables[0, p, q, 0], templates.moved_image(image, y, x), atol=1e-5
        )
        # moving the image by +y is looking at -y: the slope has the other sign
        slopes = [
            (
                templates.moved_image(image, y - a, x - b)
                - templates.moved_image(image, y + a, x + b)
            )
            / (2 * step)
            for a, b in ((step, 0), (0, step))
        ]
        np.testing.assert_allclose(tables[0, p, q, 1:], slopes, atol=1e-4)


def test_tables_of_volumes_follow_a_spline_along_z():
    s = templates.settings_of(templates.VOLUMES, max_shift=6)
    image = templates.smooth_image(templates.canvas_size(s))
    image[0] = image[-1] = 0  # planes that no frame has seen
    tables = phase_tables(image, s)
    phases = s.phases_z
    assert tables.shape == (phases, s.phases, s.phases, 4, *image.shape)
    known = np.arange(1, len(image) - 1)
    spline = CubicSpline(known, image[known].astype(float), bc_type="natural")
    for p in range(phases):
        places = np.clip(np.arange(len(image)) - p / phases, known[0], known[-1])
        np.testing.assert_allclose(tables[p, 0, 0, 0], spline(places), atol=1e-4)
        np.testing.assert_allclose(tables[p, 0, 0, 3], spline(places, 1), atol=1e-4)


@pytest.mark.parametrize("frame_shape", [(1, 40, 45), (3, 30, 30)])
@pytest.mark.parametrize("place", [(0, 0), (1, -1), (-9, 9)])
def test_information_is_summed_over_blocks(frame_shape, place):
    s = templates.settings_of(frame_shape, piecewise=True, max_shift=6)
    rng = np.random.default_rng(0)
    shape = templates.canvas_size(s)
    tables = phase_tables(templates.smooth_image(shape), s)
    weights = rng.uniform(0, 2, shape).astype(np.float32)
    found = block_information(tables, weights, s, place)
    depth, height, width = frame_shape
    n_y, n_x = (n // b for n, b in zip((height, width), s.block_size, strict=True))
    assert found.shape == (2 * s.pads[0] + 1, depth, n_y, n_x, 3, 3)
    # frames displaced by 8 px a step see the canvas that much further up
    top, left = (
        np.clip(pad - 8 * step, 0, 2 * pad)
        for pad, step in zip(s.pads[1:], place, strict=True)
    )
    slopes = tables[0, 0, 0].astype(float)
    channels = (3, 1, 2) if s.n_axes == 3 else (None, 1, 2)
    for offset, k, i, j in np.ndindex(found.shape[:4]):
        rows = np.arange(
            i * s.block_size[0], height if i == n_y - 1 else (i + 1) * s.block_size[0]
        )
        columns = np.arange(
            j * s.block_size[1], width if j == n_x - 1 else (j + 1) * s.block_size[1]
        )
        rows = rows[(rows >= s.border) & (rows < height - s.border)]
        columns = columns[(columns >= s.border) & (columns < width - s.border)]
        there = np.ix_([offset + k], rows + top, columns + left)
        along = [0 if c is None else slopes[c][there] for c in channels]
        expected = [[(weights[there] * a * b).sum() for b in along] for a in along]
        np.testing.assert_allclose(
            found[offset, k, i, j], expected, rtol=1e-5, atol=1e-5
        )


def test_places_are_where_most_frames_lie():
    displacements = np.zeros((1000, 3))
    displacements[:300, 1] = 8.9
    displacements[300:305, 2] = 40  # rare
    displacements[305:320, 2] = -12.1
    found = usual_places(displacements)
    assert sorted(map(tuple, found.tolist())) == [(0, -2, 15), (0, 0, 680), (1, 0, 300)]
    one = usual_places(np.array([[0, 3.0, -21.0]]))
    assert one.tolist() == [[0, -3, 1]]


def halves_of(frames, s, moves):
    halves = []
    for part in (slice(0, None, 2), slice(1, None, 2)):
        sums = CanvasSums(canvas_shape(s.frame_shape, s.pads))
        sum_shifted(frames[part], moves[part], sums, s.pads, s.border)
        halves.append(sums)
    return tuple(halves)


def test_the_mean_and_its_weights_are_those_of_the_frames():
    s = templates.settings_of((1, 60, 72))
    rng = np.random.default_rng(1)
    scene = templates.smooth_image(s.frame_shape) * 3
    spread = np.full((60, 72), 0.5)
    spread[:, 36:] = 1.5
    frames = (scene + spread * rng.normal(size=(400, *s.frame_shape))).astype(
        np.float32
    )
    image, weights = mean_and_weights(halves_of(frames, s, np.zeros((400, 3))), s)
    y, x = (slice(pad, pad + n) for pad, n in zip(s.pads[1:], (60, 72), strict=True))
    inner = np.s_[:, 6:-6, 6:-6]
    np.testing.assert_allclose(image[:, y, x][inner], scene[inner], atol=0.35)
    # 1 / variance, of noise that the interpolation lowers; no more than fourfold
    lowered = noise_kept("cubic", 2)
    found = weights[0, y, x]
    assert np.median(found[10:-10, 5:30]) == pytest.approx(lowered / 0.25, rel=0.05)
    assert np.median(found[10:-10, 42:67]) == pytest.approx(lowered / 2.25, rel=0.05)
    outside = np.ones(weights.shape, bool)
    outside[:, y, x] = False
    assert not weights[outside].any()
    assert not image[outside].any()


def test_places_that_few_frames_see_are_not_known():
    s = templates.settings_of((1, 40, 40))
    frames = np.random.default_rng(0).normal(size=(100, *s.frame_shape)).astype("f4")
    moves = np.zeros((100, 3))
    moves[:10, 1] = 5  # a tenth of the frames, fewer than least_coverage
    image, _ = mean_and_weights(halves_of(frames, s, moves), s)
    seen = np.flatnonzero(np.abs(image[0]).max(axis=1))
    assert seen[0] == s.pads[1] + s.border + 1
    assert np.ptp(seen) == 40 - 2 * s.border - 3 - 1


def test_active_pixels_weigh_less():
    s = templates.settings_of((1, 40, 40))
    rng = np.random.default_rng(2)
    frames = gaussian_filter(rng.normal(size=(1, 40, 40)), (0, 1, 1)) * 8
    frames = frames + 0.5 * rng.normal(size=(200, *s.frame_shape))
    frames[::10, :, 18:24, 18:24] += 4
    found = mean_and_weights(halves_of(frames.astype("f4"), s, np.zeros((200, 3))), s)[
        1
    ]
    y, x = s.pads[1] + 21, s.pads[2] + 21
    assert found[0, y, x] < 0.4 * np.median(found[found > 0])
