"""Correlation of binned frames with the template, as recorded and moved back."""

import math

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.kernels.device import is_numpy
from napari_mesmerize.motion.template.template import Template

_BLOCK = 8  # binned px that move together


@compiled
def _sum_strips(binned, tables, known, pads, moves, blocks, out):  # type: ignore[no-untyped-def]
    """Add up what correlates strips of binned frames (n, z, y, x) with smoothed tables.

    tables (2, 2, 2, 2, z, y, x) and known (2, 2, z, y, x) hold every other pixel of the
    canvas, for both sub-pixel phases and both parities along y and x. out (n, strips,
    6) gets the number of pixels, both sums, both sums of squares, and of products.
    """
    n_frames, depth, height, width = binned.shape
    n_z, n_y, n_x = tables.shape[4:]
    for t in range(n_frames):
        for z in range(depth):
            for top in range(0, height, blocks[0]):
                sums = out[t, top // blocks[0]]
                for left in range(0, width, blocks[1]):
                    move = moves[t, z, top // blocks[0], left // blocks[1]]
                    plane = z + pads[0] - math.floor(move[0] + 0.5)
                    if plane < 0 or plane >= n_z:
                        continue
                    step_y = math.floor(2 * move[1] + 0.5)
                    step_x = math.floor(2 * move[2] + 0.5)
                    p = step_y % 2
                    q = step_x % 2
                    to_y = pads[1] - step_y // 2
                    to_x = pads[2] - step_x // 2
                    odd_y = to_y % 2
                    odd_x = to_x % 2
                    to_y //= 2
                    to_x //= 2
                    first = max(left, -to_x)
                    last = min(left + blocks[1], width, n_x - to_x)
                    count = np.float32(0)
                    a = np.float32(0)
                    b = np.float32(0)
                    aa = np.float32(0)
                    bb = np.float32(0)
                    ab = np.float32(0)
                    for i in range(
                        max(top, -to_y), min(top + blocks[0], height, n_y - to_y)
                    ):
                        line = binned[t, z, i]
                        shares = known[odd_y, odd_x, plane, to_y + i]
                        others = tables[p, q, odd_y, odd_x, plane, to_y + i]
                        for j in range(first, last):
                            share = shares[to_x + j]
                            value = line[j] * share
                            other = others[to_x + j]
                            count += share
                            a += value
                            b += other
                            aa += value * value
                            bb += other * other
                            ab += value * other
                    sums[0] += count
                    sums[1] += a
                    sums[2] += b
                    sums[3] += aa
                    sums[4] += bb
                    sums[5] += ab


def _every_other(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Split canvases (..., z, y, x) by parity along y and x: (..., 2, 2, z, y, x)."""
    height, width = (size + size % 2 for size in canvas.shape[-2:])
    extra = [(0, 0)] * (canvas.ndim - 2)
    extra += [(0, height - canvas.shape[-2]), (0, width - canvas.shape[-1])]
    whole = np.pad(canvas, extra)
    shape = (*canvas.shape[:-2], height // 2, 2, width // 2, 2)
    return np.ascontiguousarray(np.moveaxis(whole.reshape(shape), (-3, -1), (-5, -4)))


def correlation_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation (...) that sums (..., 6) of :class:`Correlator` mean."""
    count, a, b, aa, bb, ab = np.moveaxis(sums, -1, 0)
    count = np.maximum(count, 1)
    spread = (aa - a**2 / count) * (bb - b**2 / count)
    known = spread > 0
    both = np.where(known, ab - a * b / count, 0)
    correlation: NDArray[np.float64] = both / np.sqrt(np.where(known, spread, 1))
    return correlation


class Correlator:
    """Correlates frames with a template.

    Parameters
    ----------
    template : Template
        With at least two sub-pixel phases.
    """

    def __init__(self, template: Template) -> None:
        step = template.settings.phases // 2
        tables = template.tables[0, ::step, ::step, 0]
        smooth = tables.copy()
        smooth[..., :-1, :] += tables[..., 1:, :]
        smooth *= np.float32(0.5)
        wide = smooth.copy()
        wide[..., :-1] += smooth[..., 1:]
        wide *= np.float32(0.5)
        known = (template.weights > 0).astype(np.float32)
        self.tables = _every_other(wide * known)
        self.known = _every_other(known)
        self.pads = template.settings.pads

    def places(self, binned_shape: tuple[int, ...]) -> tuple[NDArray[np.floating], ...]:
        """Return where :meth:`correlate` wants displacements: (z, y, x), px."""
        depth, height, width = binned_shape[-3:]
        return (
            np.arange(depth, dtype=float),
            np.arange(0, 2 * height, 2 * _BLOCK) + (_BLOCK - 0.5),
            np.arange(0, 2 * width, 2 * _BLOCK) + (_BLOCK - 0.5),
        )

    def strips_at(self, rows: NDArray[np.floating]) -> NDArray[np.intp]:
        """Return the index of the strip in which each row (px) lies."""
        return (rows // (2 * _BLOCK)).astype(np.intp)

    def strip_sums(
        self, binned: NDArray[np.float32], moves: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Return what correlates strips of 16 px of binned frames with the template.

        Parameters
        ----------
        binned : numpy.ndarray
            Local contrast binned 2 x 2, (n, z, y, x).
        moves : numpy.ndarray, optional
            Displacements, (n, 3), or (n, z, ny, nx, 3) at :meth:`places`; default none.

        Returns
        -------
        numpy.ndarray
            Shape (n, strips, 6): pixels compared, sums of the frame and the template,
            of their squares, and of their products.
        """
        n_frames = len(binned)
        z, y, x = self.places(binned.shape)
        if moves is None:
            moves = np.zeros((n_frames, 3))
        blocks, n_x = (_BLOCK, _BLOCK), x.size
        if moves.ndim == 2:  # longer rows are faster
            moves = moves[:, None, None, None]
            blocks, n_x = (_BLOCK, binned.shape[-1]), 1
        full = np.broadcast_to(moves, (n_frames, z.size, y.size, n_x, 3))
        if not is_numpy(binned):
            from napari_mesmerize.motion.kernels import torch_loops

            return torch_loops.strip_sums(self, binned, full, blocks)
        out = np.zeros((n_frames, y.size, 6))
        _sum_strips(
            binned,
            self.tables,
            self.known,
            self.pads,
            np.ascontiguousarray(full, np.float32),
            blocks,
            out,
        )
        return out

    def correlate(
        self, binned: NDArray[np.float32], moves: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Return the correlation (n,) of frames; parameters as :meth:`strip_sums`."""
        return correlation_of(self.strip_sums(binned, moves).sum(axis=1))
