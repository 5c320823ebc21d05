"""Cubic (Catmull-Rom) samples along short lines of a plane: the innermost loop."""

import math

import numpy as np

from napari_mesmerize.compute.jit import compiled


@compiled
def _weights(part):  # type: ignore[no-untyped-def]
    """Weights of the pixel before, at, after and next after a fractional place."""
    half = np.float32(0.5)
    one = np.float32(1)
    before = ((one - half * part) * part - half) * part
    at = (np.float32(1.5) * part - np.float32(2.5)) * part * part + one
    further = (half * part - half) * part * part
    return before, at, one - before - at - further, further


@compiled
def _sample_inside(rows, y, x, slope_y, slope_x, out):  # type: ignore[no-untyped-def]
    """Sample between rows 1 and 2 of four that begin one pixel before the first."""
    row_a, row_b, row_c, row_d = rows
    for k in range(out.size):
        a, b, c, d = _weights(x + np.float32(k) * slope_x)
        p, q, r, s = _weights(y + np.float32(k) * slope_y)
        first = a * row_a[k] + b * row_a[k + 1] + c * row_a[k + 2] + d * row_a[k + 3]
        second = a * row_b[k] + b * row_b[k + 1] + c * row_b[k + 2] + d * row_b[k + 3]
        third = a * row_c[k] + b * row_c[k + 1] + c * row_c[k + 2] + d * row_c[k + 3]
        fourth = a * row_d[k] + b * row_d[k + 1] + c * row_d[k + 2] + d * row_d[k + 3]
        out[k] = p * first + q * second + r * third + s * fourth


@compiled
def _sample_anywhere(plane, y, x, slope_y, slope_x, out):  # type: ignore[no-untyped-def]
    """Sample pixel by pixel; nearest border."""
    height, width = plane.shape
    zero = np.float32(0)
    for k in range(out.size):
        at_y = min(max(y + k * slope_y, zero), np.float32(height - 1))
        at_x = min(max(x + k + k * slope_x, zero), np.float32(width - 1))
        i = int(at_y)
        j = int(at_x)
        a, b, c, d = _weights(np.float32(at_x - j))
        p, q, r, s = _weights(np.float32(at_y - i))
        e = max(j - 1, 0)
        f = min(j + 1, width - 1)
        g = min(j + 2, width - 1)
        h = max(i - 1, 0)
        m = min(i + 1, height - 1)
        n = min(i + 2, height - 1)
        first = a * plane[h, e] + b * plane[h, j] + c * plane[h, f] + d * plane[h, g]
        second = a * plane[i, e] + b * plane[i, j] + c * plane[i, f] + d * plane[i, g]
        third = a * plane[m, e] + b * plane[m, j] + c * plane[m, f] + d * plane[m, g]
        fourth = a * plane[n, e] + b * plane[n, j] + c * plane[n, f] + d * plane[n, g]
        out[k] = p * first + q * second + r * third + s * fourth


@compiled
def sample_line(plane, y, x, slope_y, slope_x, n, out):  # type: ignore[no-untyped-def]
    """Sample a plane at (y + k slope_y, x + k (1 + slope_x)) for k < n; nearest border.

    Where all samples lie between the same rows and keep their column's distance, the
    pixels that they need are contiguous, and the loop is vectorised.
    """
    height, width = plane.shape
    last = n - 1
    i = math.floor(y)
    j = math.floor(x)
    same = i == math.floor(y + last * slope_y) and j == math.floor(x + last * slope_x)
    if same and i >= 1 and i + 2 < height and j >= 1 and j + n + 1 < width:
        rows = (
            plane[i - 1, j - 1 : j + n + 2],
            plane[i, j - 1 : j + n + 2],
            plane[i + 1, j - 1 : j + n + 2],
            plane[i + 2, j - 1 : j + n + 2],
        )
        part_y = np.float32(y - i)
        part_x = np.float32(x - j)
        _sample_inside(rows, part_y, part_x, slope_y, slope_x, out[:n])
    else:
        _sample_anywhere(plane, y, x, slope_y, slope_x, out[:n])
