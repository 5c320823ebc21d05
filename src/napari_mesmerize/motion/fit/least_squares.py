"""Gauss-Newton steps of frames towards a template: gradients and the rigid fit."""

import math

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.kernels.device import is_numpy
from napari_mesmerize.motion.template.template import Template

_LARGEST_STEP = 1.0  # px
_LARGEST_STEP_Z = 0.6  # planes
_NO_LIMIT = 1e30


@compiled
def _block_gradients(  # type: ignore[no-untyped-def]
    frames, tables, roots, pads, moves, sizes, border, clip, limit, out, kept
):
    """Minus the gradient of half the squared residual of each block, (..., 3).

    Blocks that fit worse than ``limit`` are muted: ``kept`` (...,) becomes less than 1.
    It is one function because rows of 8 px are too short to be handed to another one:
    that makes it several times slower.
    """
    n_frames, depth, height, width = frames.shape
    phases_z = tables.shape[0]
    phases = tables.shape[1]
    volumetric = tables.shape[3] == 4
    n_y = moves.shape[2]
    n_x = moves.shape[3]
    rest_z = np.float32(0)
    pz = 0
    for t in range(n_frames):
        for z in range(depth):
            for bi in range(n_y):
                top = max(bi * sizes[0], border)
                bottom = height - border
                if bi < n_y - 1:
                    bottom = min((bi + 1) * sizes[0], bottom)
                for bj in range(n_x):
                    left = max(bj * sizes[1], border)
                    right = width - border
                    if bj < n_x - 1:
                        right = min((bj + 1) * sizes[1], right)
                    # nearest table entry, whole-pixel offset, remainder (linear)
                    dy = moves[t, z, bi, bj, 1]
                    dx = moves[t, z, bi, bj, 2]
                    step_y = math.floor(dy * phases + 0.5)
                    step_x = math.floor(dx * phases + 0.5)
                    rest_y = np.float32(dy - step_y / phases)
                    rest_x = np.float32(dx - step_x / phases)
                    p = step_y % phases
                    q = step_x % phases
                    to_y = pads[1] - step_y // phases
                    to_x = pads[2] - step_x // phases
                    plane = z + pads[0]
                    near = plane  # whose weights hold
                    if volumetric:
                        dz = moves[t, z, bi, bj, 0]
                        step_z = math.floor(dz * phases_z + 0.5)
                        rest_z = np.float32(dz - step_z / phases_z)
                        pz = step_z % phases_z
                        plane = z + pads[0] - step_z // phases_z
                        near = z + pads[0] - math.floor(dz + 0.5)
                    sum_z = np.float32(0)
                    sum_y = np.float32(0)
                    sum_x = np.float32(0)
                    squares = np.float32(0)
                    if (
                        to_y + top >= 0
                        and to_y + bottom <= tables.shape[5]
                        and to_x + left >= 0
                        and to_x + right <= tables.shape[6]
                        and plane >= 0
                        and plane < tables.shape[4]
                        and near >= 0
                        and near < tables.shape[4]
                    ):
                        a = to_x + left
                        b = to_x + right
                        for i in range(top, bottom):
                            frame = frames[t, z, i, left:right]
                            image = tables[pz, p, q, 0, plane, to_y + i, a:b]
                            slope_y = tables[pz, p, q, 1, plane, to_y + i, a:b]
                            slope_x = tables[pz, p, q, 2, plane, to_y + i, a:b]
                            root = roots[near, to_y + i, a:b]
                            if volumetric:
                                slope_z = tables[pz, p, q, 3, plane, to_y + i, a:b]
                                for j in range(right - left):
                                    gap = (
                                        frame[j]
                                        - image[j]
                                        + rest_y * slope_y[j]
                                        + rest_x * slope_x[j]
                                        + rest_z * slope_z[j]
                                    ) * root[j]
                                    squares += gap * gap
                                    gap = min(max(gap, -clip), clip) * root[j]
                                    sum_y -= slope_y[j] * gap
                                    sum_x -= slope_x[j] * gap
                                    sum_z -= slope_z[j] * gap
                            else:
                                for j in range(right - left):
                                    gap = (
                                        frame[j]
                                        - image[j]
                                        + rest_y * slope_y[j]
                                        + rest_x * slope_x[j]
                                    ) * root[j]
                                    squares += gap * gap
                                    gap = min(max(gap, -clip), clip) * root[j]
                                    sum_y -= slope_y[j] * gap
                                    sum_x -= slope_x[j] * gap
                    squares /= max((bottom - top) * (right - left), 1)
                    mute = np.float32(1)
                    if squares > limit:
                        mute = (limit / squares) * (limit / squares)
                        sum_z *= mute
                        sum_y *= mute
                        sum_x *= mute
                    kept[t, z, bi, bj] = mute
                    out[t, z, bi, bj, 0] = sum_z
                    out[t, z, bi, bj, 1] = sum_y
                    out[t, z, bi, bj, 2] = sum_x


def block_gradients(
    template: Template,
    frames: NDArray[np.float32],
    displacements: NDArray[np.floating],
    *,
    mute_blocks: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return minus the gradient of half the weighted squared residual of each block.

    Parameters
    ----------
    template : Template
        What the frames are compared with.
    frames : numpy.ndarray
        Local contrast, (n_frames, n_planes, height, width).
    displacements : numpy.ndarray
        Shape (n_frames, n_planes, blocks_y, blocks_x, 3), (z, y, x) px.
    mute_blocks : bool, optional
        Weigh down blocks that do not fit at all, such as passing debris.

    Returns
    -------
    gradients : numpy.ndarray
        Shape of ``displacements``.
    kept : numpy.ndarray
        Shape (n_frames, n_planes, blocks_y, blocks_x): what each block's gradient was
        multiplied by, 1 where it fits.
    """
    settings = template.settings
    limit = settings.block_limit if mute_blocks else _NO_LIMIT
    if not is_numpy(frames):
        from napari_mesmerize.motion.kernels import torch_loops

        return torch_loops.block_gradients(template, frames, displacements, limit)
    out = np.empty(displacements.shape, np.float32)
    kept = np.empty(displacements.shape[:-1], np.float32)
    _block_gradients(
        frames,
        template.tables,
        template.root_weights,
        settings.pads,
        np.ascontiguousarray(displacements, np.float32),
        settings.block_size,
        settings.border,
        np.float32(settings.residual_clip),
        np.float32(limit),
        out,
        kept,
    )
    return out, kept


def rigid_information(template: Template) -> NDArray[np.float64]:
    """Return the information (2 pad_z + 1, 3, 3) of one shift per frame, 1 / px^2.

    A weak prior (the search range) keeps directions without structure where they are.
    """
    whole: NDArray[np.float64] = template.information.sum(axis=(1, 2, 3))
    prior = [1 / max(limit, 0.03) ** 2 for limit in template.settings.max_shift]
    return whole + np.diag(prior)


def expected_error(template: Template) -> float:
    """Return the standard error of a frame's lateral shift that noise allows, px."""
    information = rigid_information(template)[template.settings.pads[0]]
    return float(np.sqrt(np.trace(np.linalg.inv(information)[1:, 1:])))


def fit_rigid(
    template: Template,
    frames: NDArray[np.float32],
    displacements: NDArray[np.float64],
    n_steps: int,
) -> NDArray[np.float64]:
    """Improve the displacement (n_frames, 3) of each frame by Gauss-Newton steps."""
    settings = template.settings
    inverse = np.linalg.inv(rigid_information(template))
    limit = np.array(settings.max_shift, float)
    blocks = template.information.shape[1:4]
    pad_z = settings.pads[0]
    for _ in range(n_steps):
        everywhere = np.broadcast_to(
            displacements[:, None, None, None], (len(frames), *blocks, 3)
        )
        gradients, _ = block_gradients(template, frames, everywhere)
        total = gradients.sum(axis=(1, 2, 3), dtype=np.float64)
        if settings.n_axes == 2:
            step = total @ inverse[0]
        else:
            offset = pad_z - np.rint(displacements[:, 0]).astype(int)
            step = np.einsum("ti,tij->tj", total, inverse[offset])
            step[:, 0] = np.clip(step[:, 0], -_LARGEST_STEP_Z, _LARGEST_STEP_Z)
        length = np.sqrt((step[:, 1:] ** 2).sum(axis=1, keepdims=True))
        step[:, 1:] *= np.minimum(1, _LARGEST_STEP / np.maximum(length, 1e-9))
        displacements = np.clip(displacements + step, -limit, limit)
    return displacements
