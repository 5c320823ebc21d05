"""Sums on the canvas against sums over pixels one by one."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.motion.resample.canvas import (
    FIELD_SPACING,
    CanvasSums,
    canvas_shape,
    sum_shifted,
    sum_warped,
)

# frames are noise of one unit, sums are of up to 4 float32 values
TOLERANCE = 1e-4


def frames_of(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def blended(volume, z):
    """A plane at height z of a volume: four planes weighed, nearest border."""
    if len(volume) == 1:
        return volume[0].astype(float)
    first, weights = reference.taps(z, "cubic")
    planes = np.clip(first + np.arange(4), 0, len(volume) - 1)
    return np.tensordot(weights, volume[planes].astype(float), 1)


def shifted_sums(frames, moves, pads, border):
    """Canvas pixel u takes the frame at u + move, if all its 4 x 4 pixels count."""
    depth, height, width = frames.shape[1:]
    total, squares, count = np.zeros((3, *canvas_shape(frames.shape[1:], pads)))
    for frame, move in zip(frames, moves, strict=True):
        for k, i, j in np.ndindex(total.shape):
            z, y, x = np.array([k, i, j]) - pads + move
            if depth > 1 and not -0.5 <= z <= depth - 0.5:
                continue
            top, weights_y = reference.taps(y, "cubic")
            left, weights_x = reference.taps(x, "cubic")
            if not border <= top <= height - border - 4:
                continue
            if not border <= left <= width - border - 4:
                continue
            part = blended(frame, z)[top : top + 4, left : left + 4]
            value = weights_y @ part @ weights_x
            total[k, i, j] += value
            squares[k, i, j] += value**2
            count[k, i, j] += 1
    return total, squares, count


def assert_sums(sums, expected, where=np.s_[:]):
    for found, right in zip(
        (sums.total, sums.squares, sums.count), expected, strict=True
    ):
        np.testing.assert_allclose(found[where], right[where], atol=TOLERANCE)


@settings(max_examples=25)
@given(
    depth=st.sampled_from([1, 1, 2, 3]),
    height=st.integers(1, 9),
    width=st.integers(1, 11),
    n_frames=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)),
    border=st.integers(0, 2),
    seed=st.integers(0, 999),
)
def test_shifted_frames(depth, height, width, n_frames, pads, border, seed):
    pads = (pads[0] if depth > 1 else 0, *pads[1:])
    frames = frames_of((n_frames, depth, height, width), seed)
    # multiples of 1/64 px, whose weights the table holds exactly
    moves = np.random.default_rng(seed).integers(-320, 320, (n_frames, 3)) / 64
    moves[:, 0] *= (depth > 1) / 4
    moves[:, 0] = np.rint(moves[:, 0] * 64) / 64
    sums = CanvasSums(canvas_shape(frames.shape[1:], pads))
    sum_shifted(frames, moves, sums, pads, border)
    assert sums.n_frames == n_frames
    assert_sums(sums, shifted_sums(frames, moves, pads, border))


def test_other_shifts_are_rounded_to_a_64th():
    y, x = np.mgrid[:30, :40]
    frame = (y + 2 * x).astype(np.float32)[None, None]
    sums = CanvasSums((1, 30, 40))
    sum_shifted(frame, np.array([[0, 0.3, -0.21]]), sums, (0, 0, 0), 1)
    seen = sums.count > 0
    expected = (y + 0.3 + 2 * (x - 0.21))[None]
    # half a 64th along each axis, times the slope there
    np.testing.assert_allclose(sums.total[seen], expected[seen], atol=3 / 128 + 1e-4)


def test_frames_far_away_add_nothing():
    sums = CanvasSums((1, 14, 16))
    frames = frames_of((2, 1, 10, 12), 0)
    sum_shifted(frames, np.array([[0, 40.0, 0], [0, 0, -40.0]]), sums, (0, 2, 2), 1)
    assert sums.n_frames == 2
    assert not sums.total.any()
    assert not sums.count.any()


def test_sums_of_parts_add_up():
    frames = frames_of((5, 1, 12, 13), 3)
    moves = np.random.default_rng(3).uniform(-2, 2, (5, 3))
    whole, first, second = (CanvasSums((1, 16, 17)) for _ in range(3))
    sum_shifted(frames, moves, whole, (0, 2, 2), 1)
    sum_shifted(frames[:2], moves[:2], first, (0, 2, 2), 1)
    sum_shifted(frames[2:], moves[2:], second, (0, 2, 2), 1)
    first.add(second)
    assert first.n_frames == whole.n_frames
    assert_sums(first, (whole.total, whole.squares, whole.count))


def places_of(moves, shape, pads):
    """Frame place (z, y, x) of each canvas pixel, for one frame's moves.

    Along x, z is that of the place on the left.
    """
    places = np.empty((*shape, 3))
    for k, i, j in np.ndindex(shape):
        nodes = moves[k].astype(float)
        move = reference.between(nodes, i, j, FIELD_SPACING)
        left = j // FIELD_SPACING * FIELD_SPACING
        move[0] = reference.between(nodes, i, left, FIELD_SPACING)[0]
        places[k, i, j] = np.array([k, i, j]) - pads + move
    return places


def warped_sums(frames, moves, pads, border):
    """The same sums through fields, and where a place is no matter of rounding."""
    depth, height, width = frames.shape[1:]
    shape = canvas_shape(frames.shape[1:], pads)
    total, squares, count = np.zeros((3, *shape))
    clear = np.ones(shape, bool)
    low = np.array([border + 1, border + 1])
    high = np.array([height, width]) - border - 2
    for frame, move in zip(frames, moves, strict=True):
        places = places_of(move, shape, pads)
        for at in np.ndindex(shape):
            z, *lateral = places[at]
            edges = np.concatenate([lateral - low, lateral - high])
            clear[at] &= np.abs(edges).min() > 1e-4
            if depth > 1:
                clear[at] &= min(abs(z + 0.5), abs(z - depth + 0.5)) > 1e-4
                if not -0.5 <= z <= depth - 0.5:
                    continue
            if not ((lateral >= low).all() and (lateral < high).all()):
                continue
            value = reference.sample_volume(frame, z if depth > 1 else 0, *lateral)
            total[at] += value
            squares[at] += value**2
            count[at] += 1
    return (total, squares, count), clear


@settings(max_examples=25)
@given(
    depth=st.sampled_from([1, 1, 2, 3]),
    height=st.integers(1, 20),
    width=st.integers(1, 37),
    n_frames=st.integers(1, 2),
    pads=st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)),
    border=st.integers(0, 2),
    seed=st.integers(0, 999),
)
def test_warped_frames(depth, height, width, n_frames, pads, border, seed):
    pads = (pads[0] if depth > 1 else 0, *pads[1:])
    frames = frames_of((n_frames, depth, height, width), seed)
    shape = canvas_shape(frames.shape[1:], pads)
    nodes = [size // FIELD_SPACING + 2 for size in shape[1:]]
    rng = np.random.default_rng(seed)
    moves = rng.uniform(-3, 3, (n_frames, shape[0], *nodes, 3)).astype(np.float32)
    sums = CanvasSums(shape)
    sum_warped(frames, moves, sums, pads, border)
    expected, clear = warped_sums(frames, moves, pads, border)
    assert sums.n_frames == n_frames
    # places are float32: 2e-6 px off at 37 px, times slopes of a few units a px
    assert_sums(sums, expected, clear)


def test_a_constant_field_is_a_shift():
    frames = frames_of((2, 1, 30, 41), 5)
    moves = np.array([[0, 1.25, -2.5], [0, -0.5, 0.75]])
    pads = (0, 4, 4)
    shape = canvas_shape((1, 30, 41), pads)
    shifted, warped = CanvasSums(shape), CanvasSums(shape)
    sum_shifted(frames, moves, shifted, pads, 1)
    nodes = [size // FIELD_SPACING + 2 for size in shape[1:]]
    fields = np.broadcast_to(moves[:, None, None, None], (2, 1, *nodes, 3))
    sum_warped(frames, fields.astype(np.float32), warped, pads, 1)
    assert_sums(warped, (shifted.total, shifted.squares, shifted.count))


@pytest.mark.parametrize("pads", [(0, 0, 0), (1, 2, 3)])
def test_the_canvas_is_wider_on_both_sides(pads):
    expected = tuple(np.array([3, 10, 20]) + 2 * np.array(pads))
    assert canvas_shape((3, 10, 20), pads) == expected
