"""Inverse fields and resampling against the same a pixel at a time."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mesmerize.motion.field import FieldMotion, Grid
from napari_mesmerize.motion.resample.canvas import FIELD_SPACING
from napari_mesmerize.motion.resample.warp import (
    inverse_moves,
    outside,
    seen_places,
    warp_volumes,
)


def bent(frame_shape, seed, largest, n_frames=2):
    """Smooth random fields of frames, of up to about ``largest`` px."""
    cells = tuple(
        0 if n == 1 else max(1, round((n - 1) / spacing))
        for n, spacing in zip(frame_shape, (3, 24, 24), strict=True)
    )
    grid = Grid(frame_shape, cells, 24.0)
    rng = np.random.default_rng(seed)
    coefficients = rng.uniform(-largest, largest, (n_frames, grid.size))
    return FieldMotion(coefficients.astype(np.float32), grid)


def canvas_places(frame_shape, pads):
    return (
        np.arange(frame_shape[0] + 2 * pads[0]) - pads[0],
        *(
            np.arange((n + 2 * pad) // FIELD_SPACING + 2) * FIELD_SPACING - pad
            for n, pad in zip(frame_shape[1:], pads[1:], strict=True)
        ),
    )


@pytest.mark.parametrize(
    ("frame_shape", "pads"),
    [
        ((1, 64, 96), (0, 4, 6)),
        ((1, 61, 45), (0, 3, 5)),
        ((1, 12, 21), (0, 0, 0)),
        ((4, 33, 40), (1, 2, 2)),
    ],
)
def test_inverse_moves_solve_the_fields_equation(frame_shape, pads):
    """e = d(u + e), with d the spline itself, constant beyond the frame."""
    motion = bent(frame_shape, seed=1, largest=1.0)
    found = inverse_moves(motion, pads)
    places = np.meshgrid(*canvas_places(frame_shape, pads), indexing="ij")
    for t in range(len(motion)):
        for at in np.ndindex(found.shape[1:4]):
            u = np.array([axis[at] for axis in places], float)
            e = np.zeros(3)
            for _ in range(30):
                place = np.clip(u + e, 0, np.array(frame_shape) - 1)
                e = motion[t : t + 1].at(tuple(place[:, None])).reshape(3)
            # four steps, each a tenth as wrong as the one before, and a field that is
            # taken to be linear over 8 px
            np.testing.assert_allclose(found[t][at], e, atol=0.04)


def test_a_constant_field_is_its_own_inverse():
    grid = Grid((1, 40, 50), (0, 2, 3), 16.0)
    displacements = np.array([[0, 1.5, -2.0], [0, 0.25, 7.0]])
    motion = FieldMotion(grid.constant(displacements).astype(np.float32), grid)
    found = inverse_moves(motion, (0, 8, 8))
    expected = np.broadcast_to(displacements[:, None, None, None], found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [25, 28, 30, 32])
def test_a_stretch_is_inverted_up_to_the_border(size):
    """d = a (y, x) has the inverse e = u a / (1 - a), whatever the frame's size."""
    grid = Grid((1, size, size), (0, 1, 1), float(size))
    a = 0.05
    knots = a * grid.knots[1]
    y, x = np.broadcast_arrays(knots[:, None], knots)
    coefficients = np.concatenate([y.ravel(), x.ravel()])[None].astype(np.float32)
    found = inverse_moves(FieldMotion(coefficients, grid))[0, 0]
    u = np.arange(found.shape[0]) * float(FIELD_SPACING)
    expected = np.minimum(u * a / (1 - a), a * (size - 1))  # constant beyond the frame
    np.testing.assert_allclose(found[:, 0, 1], expected, atol=1e-4)
    np.testing.assert_allclose(found[0, :, 2], expected, atol=1e-4)


@given(seed=st.integers(0, 99))
def test_seen_places_lie_in_the_frame(seed):
    frame_shape, pads = (3, 20, 30), (1, 4, 5)
    axes = canvas_places(frame_shape, pads)
    rng = np.random.default_rng(seed)
    moves = rng.uniform(-6, 6, (2, *(len(axis) for axis in axes), 3)).astype("f4")
    found = seen_places(moves, frame_shape, pads)
    for t, *at in np.ndindex(found.shape):
        place = [axes[k][at[k]] + moves[(t, *at)][k] for k in range(3)]
        inside = all(
            -0.5 <= p <= n - 0.5 for p, n in zip(place, frame_shape, strict=True)
        )
        assert found[(t, *at)] == inside


def places_of(moves, shape, *, held_z=False):
    """Place (z, y, x) in the frame that each pixel takes.

    ``held_z``: along x, z is that of the place on the left.
    """
    out = np.empty((*shape, 3))
    for k, i, j in np.ndindex(shape):
        nodes = moves[k].astype(float)
        move = reference.between(nodes, i, j, FIELD_SPACING)
        out[k, i, j] = np.array([k, i, j]) + move
        if held_z:
            left = j // FIELD_SPACING * FIELD_SPACING
            out[k, i, j, 0] = k + reference.between(nodes, i, left, FIELD_SPACING)[0]
    return out


def random_moves(shape, seed, largest=3.0):
    nodes = [n // FIELD_SPACING + 2 for n in shape[1:]]
    rng = np.random.default_rng(seed)
    moves = rng.uniform(-largest, largest, (1, shape[0], *nodes, 3))
    return moves.astype(np.float32)


shapes = st.tuples(
    st.sampled_from([1, 1, 2, 4]), st.integers(1, 20), st.integers(1, 36)
)


@settings(max_examples=25)
@given(shape=shapes, seed=st.integers(0, 999))
def test_cubic_warps(shape, seed):
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=(1, *shape)).astype(np.float32)
    moves = random_moves(shape, seed)
    found = warp_volumes(volume, moves, "cubic")[0]
    places = places_of(moves[0], shape, held_z=True)
    expected = [
        reference.sample_volume(volume[0], *places[at]) for at in np.ndindex(shape)
    ]
    # places are float32, and the interpolant's slope is a few units a px
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4)


@settings(max_examples=15)
@given(
    shape=shapes, kernel=st.sampled_from(["linear", "lanczos"]), seed=st.integers(0, 99)
)
def test_warps_by_a_table(shape, kernel, seed):
    rng = np.random.default_rng(seed)
    volume = gaussian_filter(rng.normal(size=(1, *shape)), (0, 0, 2, 2), mode="nearest")
    volume = volume.astype(np.float32)
    steepest = max(np.abs(np.diff(volume, axis=axis)).max(initial=0) for axis in (2, 3))
    moves = random_moves(shape, seed)
    found = warp_volumes(volume, moves, kernel)[0]
    places = places_of(moves[0], shape)
    expected = [
        reference.sample_volume(volume[0], *places[at], kernel)
        for at in np.ndindex(shape)
    ]
    # the table rounds to 64ths of a px, along y and x
    atol = 2 * steepest / 128 * 1.5 + 1e-6
    np.testing.assert_allclose(found.ravel(), expected, atol=atol)


@pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos"])
def test_without_moves_nothing_changes(kernel):
    volume = np.random.default_rng(0).normal(size=(2, 3, 17, 35)).astype(np.float32)
    moves = np.zeros((2, 3, 3, 4, 3), np.float32)
    np.testing.assert_allclose(warp_volumes(volume, moves, kernel), volume, atol=1e-6)


@given(seed=st.integers(0, 99), height=st.integers(1, 33), width=st.integers(1, 33))
def test_pixels_from_beyond_the_border(seed, height, width):
    moves = random_moves((2, height, width), seed)[0]
    found = outside(moves, (height, width))
    places = places_of(moves, (2, height, width))[..., 1:]
    high = np.array([height, width]) - 0.5
    expected = ((places < -0.5) | (places > high)).any(axis=-1)
    rounding = np.minimum(np.abs(places + 0.5), np.abs(places - high)).min(axis=-1)
    clear = rounding > 1e-4
    np.testing.assert_array_equal(found[clear], expected[clear])
