"""Gradients and Gauss-Newton steps against plain NumPy and against known motion."""

import math
from dataclasses import replace

import numpy as np
import pytest
import templates
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.motion.fit.least_squares import (
    block_gradients,
    expected_error,
    fit_rigid,
    rigid_information,
)


def edges(length, size, n, border):
    """First and last pixel of blocks; the last block reaches the border."""
    starts = np.arange(n) * size
    ends = np.append(starts[1:], length - border)
    return np.maximum(starts, border), np.minimum(ends, length - border)


def gradients_by_numpy(template, frames, moves, *, mute):
    """The docstring's formula, block by block, in double precision.

    The image at a displacement is the nearest entry of the table, linear from there.
    """
    s = template.settings
    n_z, phases = template.tables.shape[:2]
    out, kept = np.zeros(moves.shape), np.ones(moves.shape[:-1])
    height, width = s.frame_shape[1:]
    tops, bottoms = edges(height, s.block_size[0], moves.shape[2], s.border)
    lefts, rights = edges(width, s.block_size[1], moves.shape[3], s.border)
    for t, z, bi, bj in np.ndindex(moves.shape[:-1]):
        dz, dy, dx = moves[t, z, bi, bj]
        i, j, k = (
            math.floor(d * n + 0.5) for d, n in ((dy, phases), (dx, phases), (dz, n_z))
        )
        rest = [dz - k / n_z, dy - i / phases, dx - j / phases]
        if s.n_axes == 2:
            k, rest[0] = 0, 0.0
        plane = z + s.pads[0] - k // n_z
        near = z + s.pads[0] - (math.floor(dz + 0.5) if s.n_axes == 3 else 0)
        y, x = s.pads[1] - i // phases, s.pads[2] - j // phases
        rows = np.arange(tops[bi], bottoms[bi])
        columns = np.arange(lefts[bj], rights[bj])
        canvas = template.tables.shape[4:]
        if not (0 <= plane < canvas[0] and 0 <= near < canvas[0]):
            continue
        if rows.size and not 0 <= rows[0] + y <= rows[-1] + y < canvas[1]:
            continue
        if columns.size and not 0 <= columns[0] + x <= columns[-1] + x < canvas[2]:
            continue
        table = template.tables[k % n_z, i % phases, j % phases].astype(float)
        there = np.ix_(rows + y, columns + x)
        slopes = [
            table[c, plane][there] if c < len(table) else np.zeros(there[0].shape)
            for c in (3, 1, 2)
        ]
        image = table[0, plane][there] - sum(
            r * slope for r, slope in zip(rest, slopes, strict=True)
        )
        root = np.sqrt(template.weights[near][there].astype(float))
        residual = (frames[t, z][np.ix_(rows, columns)] - image) * root
        clipped = np.clip(residual, -s.residual_clip, s.residual_clip) * root
        misfit = (residual**2).mean() if residual.size else 0.0
        if mute and misfit > s.block_limit:
            kept[t, z, bi, bj] = (s.block_limit / misfit) ** 2
        for axis, slope in enumerate(slopes):
            out[t, z, bi, bj, axis] = -kept[t, z, bi, bj] * (slope * clipped).sum()
    return out, kept


def assert_gradients(template, frames, moves, *, mute):
    found, kept = block_gradients(template, frames, moves, mute_blocks=mute)
    expected, expected_kept = gradients_by_numpy(template, frames, moves, mute=mute)
    # float32 sums of up to 1,000 products of about one unit each
    np.testing.assert_allclose(found, expected, atol=2e-3, rtol=2e-4)
    np.testing.assert_allclose(kept, expected_kept, rtol=1e-4)


def random_weights(shape, rng):
    weights = rng.uniform(0.2, 2, shape).astype(np.float32)
    weights[rng.random(shape) < 0.1] = 0
    return weights


@settings(max_examples=20)
@given(
    height=st.integers(16, 37),
    width=st.integers(16, 41),
    piecewise=st.booleans(),
    border=st.integers(0, 3),
    largest=st.sampled_from([0.4, 3.0, 15.0]),  # 15: partly beyond the canvas
    mute=st.booleans(),
    seed=st.integers(0, 999),
)
def test_gradients_of_planes(height, width, piecewise, border, largest, mute, seed):
    s = templates.settings_of((1, height, width), piecewise=piecewise, border=border)
    rng = np.random.default_rng(seed)
    weights = random_weights(templates.canvas_size(s), rng)
    template = templates.template_of(s, seed, weights)
    frames = rng.normal(size=(2, *s.frame_shape)).astype(np.float32)
    frames[0] *= 4  # beyond the clip, and muted
    shape = (2, *template.information.shape[1:4], 3)
    moves = np.zeros(shape)
    moves[..., 1:] = rng.uniform(-largest, largest, (*shape[:-1], 2))
    moves = moves.astype(np.float32)
    assert_gradients(template, frames, moves, mute=mute)


@settings(max_examples=8)
@given(piecewise=st.booleans(), mute=st.booleans(), seed=st.integers(0, 999))
def test_gradients_of_volumes(piecewise, mute, seed):
    s = templates.settings_of((4, 18, 21), piecewise=piecewise, max_shift=3)
    rng = np.random.default_rng(seed)
    weights = random_weights(templates.canvas_size(s), rng)
    template = templates.template_of(s, seed, weights)
    frames = rng.normal(size=(2, *s.frame_shape)).astype(np.float32)
    shape = (2, *template.information.shape[1:4], 3)
    moves = rng.uniform(-2, 2, shape)
    moves[0, 0, ..., 0] = 6.0  # planes beyond the canvas say nothing
    assert_gradients(template, frames, moves.astype(np.float32), mute=mute)


def test_it_is_the_gradient_of_half_the_squared_residual():
    """Central differences of the sum of squares, the image moved exactly."""
    s = templates.settings_of(templates.PLANES, residual_clip=1e9)
    template = templates.template_of(s)
    rng = np.random.default_rng(1)
    frames = rng.normal(size=(1, *s.frame_shape)).astype(np.float32)
    move = np.array([1.5, -2.0])  # in the table: nothing is linearised

    def half_squares(y, x):
        image = templates.moved_image(template.image, y, x)[template.inside]
        inner = (frames[0] - image)[:, s.border : -s.border, s.border : -s.border]
        return 0.5 * (inner**2).sum()

    step = 1e-4
    numeric = [
        (half_squares(*(move - e)) - half_squares(*(move + e))) / (2 * step)
        for e in step * np.eye(2)
    ]
    moves = np.broadcast_to([0, *move], (1, *template.information.shape[1:4], 3))
    found = block_gradients(template, frames, moves)[0].sum(axis=(0, 1, 2, 3))
    # float32 sums of 3,000 products, of which each is about one unit
    np.testing.assert_allclose(found[1:], numeric, rtol=1e-3, atol=0.05)
    assert found[0] == 0


def test_blocks_of_debris_are_muted_and_others_are_not():
    s = templates.settings_of(templates.PLANES, piecewise=True)
    template = templates.template_of(s)
    frames = templates.frames_of(template, np.zeros((1, 2)))
    frames[0, 0, 8:16, 16:24] += 5  # noise has one unit: mean square 25
    moves = np.zeros((1, *template.information.shape[1:4], 3))
    _, kept = block_gradients(template, frames, moves, mute_blocks=True)
    assert kept[0, 0, 1, 2] == pytest.approx((s.block_limit / 25) ** 2, rel=1e-4)
    kept[0, 0, 1, 2] = 1
    np.testing.assert_array_equal(kept, 1)


@pytest.mark.parametrize("frame_shape", [templates.PLANES, templates.VOLUMES])
def test_information_is_that_of_all_blocks_and_the_range(frame_shape):
    s = templates.settings_of(frame_shape)
    template = templates.template_of(s)
    border = s.border
    inner = np.s_[:, border:-border, border:-border]
    prior = np.diag([1 / max(limit, 0.03) ** 2 for limit in s.max_shift])
    found = rigid_information(template)
    assert found.shape == (2 * s.pads[0] + 1, 3, 3)
    for offset in range(len(found)):
        planes = slice(offset, offset + s.frame_shape[0])
        there = (planes, *template.inside[1:])
        table = template.tables[0, 0, 0].astype(float)
        slopes = [
            table[c][there][inner] if c < len(table) else np.zeros(1) for c in (3, 1, 2)
        ]
        expected = [[(a * b).sum() for b in slopes] for a in slopes] + prior
        np.testing.assert_allclose(found[offset], expected, rtol=1e-5, atol=1e-2)


def test_known_displacements_are_found():
    s = templates.settings_of(templates.PLANES)
    template = templates.template_of(s)
    true = np.random.default_rng(2).uniform(-5.5, 5.5, (30, 2))
    frames = templates.frames_of(template, true)
    start = np.zeros((30, 3))
    start[:, 1:] = np.rint(true)
    found = fit_rigid(template, frames, start, 6)
    np.testing.assert_array_equal(found[:, 0], 0)
    # the image is linear within a quarter of a px, and the range draws to 0
    np.testing.assert_allclose(found[:, 1:], true, atol=0.01)


def test_volumes_that_moved_along_z_are_found():
    s = templates.settings_of((5, 36, 36), max_shift=3)
    template = templates.template_of(s, seed=3)
    y, x = template.inside[1:]
    whole = np.arange(-2, 3)
    planes = [slice(s.pads[0] - k, s.pads[0] - k + 5) for k in whole]
    frames = np.stack([template.image[p, y, x] for p in planes])
    start = np.zeros((5, 3))
    start[:, 0] = whole + np.array([0, 0.3, -0.3, 0.2, 0])
    start[:, 1:] = 0.3
    found = fit_rigid(template, frames, start, 12)
    np.testing.assert_allclose(found[:, 0], whole, atol=0.05)
    np.testing.assert_allclose(found[:, 1:], 0, atol=0.02)


def test_errors_are_as_large_as_expected():
    s = templates.settings_of(templates.PLANES)
    variance = 16.0
    known = np.full(templates.canvas_size(s), 1 / variance, np.float32)
    template = templates.template_of(s, weights=known)
    rng = np.random.default_rng(5)
    frames = templates.frames_of(template, np.zeros((400, 2)))
    frames += np.sqrt(variance) * rng.normal(size=frames.shape).astype(np.float32)
    found = fit_rigid(template, frames, np.zeros((400, 3)), 4)[:, 1:]
    error = np.sqrt((found**2).sum(axis=1).mean())
    # 400 frames tell an error to 4 %; the clip at 4 units costs nothing to speak of
    assert error == pytest.approx(expected_error(template), rel=0.12)


def test_steps_and_displacements_have_limits():
    s = templates.settings_of(templates.PLANES, max_shift=4)
    template = templates.template_of(s)
    frames = 30 * templates.frames_of(template, np.full((3, 2), 3.0))
    once = fit_rigid(template, frames, np.zeros((3, 3)), 1)
    assert (np.hypot(once[:, 1], once[:, 2]) <= 1 + 1e-9).all()
    start = np.array([[0, 4.0, -4.0], [0, 3.9, 0], [0, 0, -3.9]])
    many = fit_rigid(template, frames, start, 30)
    assert (np.abs(many[:, 1:]) <= 4).all()


def test_where_nothing_is_known_nothing_moves():
    s = templates.settings_of(templates.PLANES)
    none = np.zeros(templates.canvas_size(s), np.float32)
    template = templates.template_of(s, weights=none)
    frames = templates.frames_of(template, np.ones((2, 2)))
    start = np.array([[0, 1.0, 2.0], [0, -1, 0.5]])
    np.testing.assert_allclose(fit_rigid(template, frames, start, 3), start)


def test_blocks_do_not_depend_on_the_frames_beside_them():
    s = templates.settings_of(templates.PLANES, piecewise=True)
    template = templates.template_of(s)
    frames = np.random.default_rng(6).normal(size=(5, *s.frame_shape))
    frames = frames.astype(np.float32)
    moves = np.random.default_rng(7).uniform(
        -2, 2, (5, *template.information.shape[1:4], 3)
    )
    together = block_gradients(template, frames, moves)[0]
    for t in range(5):
        alone = block_gradients(template, frames[t : t + 1], moves[t : t + 1])[0]
        np.testing.assert_array_equal(alone[0], together[t])


def test_settings_are_taken_from_the_template():
    """A template with a wide border compares fewer pixels."""
    s = templates.settings_of(templates.PLANES)
    wide = replace(s, border=10)
    image = templates.template_of(s)
    assert expected_error(templates.template_of(wide)) > expected_error(image)
