"""Correlation of binned frames with the template against np.corrcoef."""

import numpy as np
import pytest
import templates
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.motion.fit.cross_correlation import Correlator, correlation_of


def binned_image(template, move):
    """The template moved by half pixels and binned 2 x 2, where it lies on the frame.

    Also whether each pixel is compared: where its first canvas pixel is known.
    """
    s = template.settings
    depth, height, width = s.frame_shape
    z, y, x = move
    half_y, half_x = round(2 * y), round(2 * x)
    table = template.tables[0, half_y % 2, half_x % 2, 0].astype(float)
    shape = (depth, -(-height // 2), -(-width // 2))
    image, known = np.zeros(shape), np.zeros(shape, bool)
    canvas = table.shape
    for k, i, j in np.ndindex(shape):
        plane = k + s.pads[0] - round(z)
        top = 2 * i + s.pads[1] - half_y // 2
        left = 2 * j + s.pads[2] - half_x // 2
        if not 0 <= plane < canvas[0]:
            continue
        if 0 <= top < canvas[1] - 1 and 0 <= left < canvas[2] - 1:
            image[k, i, j] = table[plane, top : top + 2, left : left + 2].mean()
            known[k, i, j] = template.weights[plane, top, left] > 0
    return image, known


def known_weights(s, rng):
    """All is known but some spots, and the canvas' last rows and columns."""
    weights = np.ones(templates.canvas_size(s), np.float32)
    weights[rng.random(weights.shape) < 0.1] = 0
    weights[:, -2:] = weights[:, :, -2:] = 0
    return weights


@settings(max_examples=15)
@given(
    depth=st.sampled_from([1, 1, 3]),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    largest=st.sampled_from([2.0, 20.0]),  # 20: partly beyond the canvas
    seed=st.integers(0, 999),
)
def test_correlations_of_frames(depth, height, width, largest, seed):
    rng = np.random.default_rng(seed)
    s = templates.settings_of((depth, height, width))
    template = templates.template_of(s, seed, known_weights(s, rng))
    moves = np.rint(2 * rng.uniform(-largest, largest, (3, 3))) / 2
    moves[:, 0] = rng.integers(-2, 3, 3) if depth > 1 else 0
    shape = (3, depth, -(-height // 2), -(-width // 2))
    binned = rng.normal(size=shape).astype(np.float32)
    found = Correlator(template).correlate(binned, moves)
    for t in range(3):
        image, known = binned_image(template, moves[t])
        expected = 0.0
        if known.sum() > 1:
            expected = np.corrcoef(binned[t][known], image[known])[0, 1]
        assert found[t] == pytest.approx(expected, abs=1e-4)


def test_strips_are_of_16_rows_and_add_up():
    s = templates.settings_of((1, 40, 50))
    template = templates.template_of(s)
    correlator = Correlator(template)
    binned = np.random.default_rng(0).normal(size=(2, 1, 20, 25)).astype(np.float32)
    sums = correlator.strip_sums(binned)
    assert sums.shape == (2, 3, 6)
    np.testing.assert_array_equal(sums[..., 0], [[200, 200, 100]] * 2)
    image, known = binned_image(template, (0, 0, 0))
    assert known.all()
    for strip in range(3):
        rows = np.s_[8 * strip : 8 * strip + 8]
        frame, other = binned[0, 0, rows].astype(float), image[0, rows]
        expected = [
            frame.size,
            frame.sum(),
            other.sum(),
            (frame**2).sum(),
            (other**2).sum(),
            (frame * other).sum(),
        ]
        np.testing.assert_allclose(sums[0, strip], expected, atol=1e-3)
    np.testing.assert_array_equal(
        correlator.strips_at(np.array([0, 15, 16, 39])), [0, 0, 1, 2]
    )


def test_the_same_move_everywhere_is_a_shift_of_the_frame():
    s = templates.settings_of((3, 40, 50))
    template = templates.template_of(s)
    correlator = Correlator(template)
    rng = np.random.default_rng(1)
    binned = rng.normal(size=(4, 3, 20, 25)).astype(np.float32)
    moves = rng.uniform(-4, 4, (4, 3))
    moves[:, 0] /= 3
    z, y, x = correlator.places(binned.shape)
    everywhere = np.broadcast_to(
        moves[:, None, None, None], (4, z.size, y.size, x.size, 3)
    )
    np.testing.assert_allclose(
        correlator.strip_sums(binned, everywhere),
        correlator.strip_sums(binned, moves),
        rtol=1e-5,
        atol=1e-3,
    )


def test_places_are_the_centres_of_blocks_of_16_px():
    s = templates.settings_of((1, 40, 50))
    z, y, x = Correlator(templates.template_of(s)).places((4, 1, 20, 25))
    np.testing.assert_array_equal(z, [0])
    np.testing.assert_array_equal(y, [7.5, 23.5, 39.5])
    np.testing.assert_array_equal(x, [7.5, 23.5, 39.5, 55.5])


def test_the_template_itself_correlates_fully():
    s = templates.settings_of(templates.PLANES)
    template = templates.template_of(s)
    frames = templates.frames_of(template, np.array([[0, 0], [1.5, -2.0]]))
    padded = np.pad(frames, [(0, 0), (0, 0), (0, 1), (0, 0)], mode="edge")
    binned = padded.reshape(2, 1, 26, 2, 33, 2).mean(axis=(3, 5))[:, :, :25]
    moves = np.array([[0, 0, 0], [0, 1.5, -2.0]])
    correlator = Correlator(template)
    assert correlator.correlate(binned, moves).min() > 0.9999
    assert correlator.correlate(binned)[1] < 0.8


def test_sums_without_pixels_or_structure_correlate_not_at_all():
    flat = [9, 9, 3, 9, 5, 3]  # the frame is 1 everywhere
    sums = np.array([np.zeros(6), flat], float)
    np.testing.assert_array_equal(correlation_of(sums), 0)
