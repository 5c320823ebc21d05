"""Sums over a pixel-major residual (n_pixels, n_frames), compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.compute.jit import compiled, compiled_exact

IndexArray = NDArray[np.int64]


@compiled_exact
def scatter_frames(frames: NDArray[Any], start: int, out: FloatArray) -> None:
    """Write frames (n, n_pixels) into the columns of ``out`` (n_pixels, n_frames)."""
    n_frames, n_pixels = frames.shape
    block = 64
    for p0 in range(0, n_pixels, block):
        for t0 in range(0, n_frames, block):
            for p in range(p0, min(n_pixels, p0 + block)):
                for t in range(t0, min(n_frames, t0 + block)):
                    out[p, start + t] = frames[t, p]


@compiled_exact
def gather_frames(rows: FloatArray, start: int, n: int) -> FloatArray:
    """Return columns ``start`` to ``start + n`` of rows as frames (n, n_pixels)."""
    n_pixels = rows.shape[0]
    out = np.empty((n, n_pixels), np.float32)
    block = 64
    for p0 in range(0, n_pixels, block):
        for p in range(p0, min(n_pixels, p0 + block)):
            for t in range(n):
                out[t, p] = rows[p, start + t]
    return out


@compiled
def subtract_component(
    residual: FloatArray, pixels: IndexArray, weights: FloatArray, trace: FloatArray
) -> None:
    """Take ``weights`` x ``trace`` out of ``residual[pixels]``, in place."""
    for i in range(pixels.shape[0]):
        weight = weights[i]
        if weight != 0:
            row = residual[pixels[i]]
            for t in range(trace.shape[0]):
                row[t] -= weight * trace[t]


@compiled
def project(
    residual: FloatArray, pixels: IndexArray, weights: FloatArray
) -> FloatArray:
    """Return the weighted sum of ``residual[pixels]``, shape (n_frames,)."""
    out = np.zeros(residual.shape[1], np.float32)
    for i in range(pixels.shape[0]):
        row, weight = residual[pixels[i]], weights[i]
        for t in range(out.shape[0]):
            out[t] += weight * row[t]
    return out


@compiled
def correlate_pixels(
    residual: FloatArray, pixels: IndexArray, trace: FloatArray
) -> FloatArray:
    """Return the sums over time of ``residual[pixels]`` x ``trace``, shape (n,)."""
    out = np.empty(pixels.shape[0], np.float32)
    for i in range(pixels.shape[0]):
        row, total = residual[pixels[i]], np.float32(0)
        for t in range(trace.shape[0]):
            total += row[t] * trace[t]
        out[i] = total
    return out


@compiled
def sum_blocks(residual: FloatArray, block_of: IndexArray, n_blocks: int) -> FloatArray:
    """Return sums of ``residual`` over blocks of pixels, shape (n_blocks, n_frames)."""
    n_pixels, n_frames = residual.shape
    out = np.zeros((n_blocks, n_frames), np.float32)
    for p in range(n_pixels):
        if block_of[p] >= 0:
            o, r = out[block_of[p]], residual[p]
            for t in range(n_frames):
                o[t] += r[t]
    return out
