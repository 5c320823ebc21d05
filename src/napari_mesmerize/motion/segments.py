"""Cubic (Catmull-Rom) samples along short lines of a plane: the innermost loop."""

import math

import numpy as np
from numba import njit

from napari_mesmerize.motion.jit import FAST


@njit(**FAST)
def sample_line(plane, y, x, slope_y, slope_x, n, out):  # type: ignore[no-untyped-def]
    """Sample a plane at (y + k slope_y, x + k (1 + slope_x)) for k < n; nearest border.

    Where all samples lie between the same rows and keep their column's distance, the
    pixels that they need are contiguous, and the loop is vectorised.
    """
    height, width = plane.shape
    last = n - 1
    whole_y = math.floor(y)
    whole_x = math.floor(x)
    part_y = np.float32(y - whole_y)
    part_x = np.float32(x - whole_x)
    if (
        whole_y == math.floor(y + last * slope_y)
        and whole_x == math.floor(x + last * slope_x)
        and whole_y >= 1
        and whole_y + 2 < height
        and whole_x >= 1
        and whole_x + n + 1 < width
    ):
        row_a = plane[whole_y - 1, whole_x - 1 : whole_x + n + 2]
        row_b = plane[whole_y, whole_x - 1 : whole_x + n + 2]
        row_c = plane[whole_y + 1, whole_x - 1 : whole_x + n + 2]
        row_d = plane[whole_y + 2, whole_x - 1 : whole_x + n + 2]
        for k in range(n):
            f = part_x + np.float32(k) * slope_x
            a = ((np.float32(1) - np.float32(0.5) * f) * f - np.float32(0.5)) * f
            b = (np.float32(1.5) * f - np.float32(2.5)) * f * f + np.float32(1)
            d = (np.float32(0.5) * f - np.float32(0.5)) * f * f
            c = np.float32(1) - a - b - d
            g = part_y + np.float32(k) * slope_y
            p = ((np.float32(1) - np.float32(0.5) * g) * g - np.float32(0.5)) * g
            q = (np.float32(1.5) * g - np.float32(2.5)) * g * g + np.float32(1)
            s = (np.float32(0.5) * g - np.float32(0.5)) * g * g
            r = np.float32(1) - p - q - s
            out[k] = (
                p
                * (
                    a * row_a[k]
                    + b * row_a[k + 1]
                    + c * row_a[k + 2]
                    + d * row_a[k + 3]
                )
                + q
                * (
                    a * row_b[k]
                    + b * row_b[k + 1]
                    + c * row_b[k + 2]
                    + d * row_b[k + 3]
                )
                + r
                * (
                    a * row_c[k]
                    + b * row_c[k + 1]
                    + c * row_c[k + 2]
                    + d * row_c[k + 3]
                )
                + s
                * (
                    a * row_d[k]
                    + b * row_d[k + 1]
                    + c * row_d[k + 2]
                    + d * row_d[k + 3]
                )
            )
        return
    for k in range(n):
        at_y = min(max(y + k * slope_y, np.float32(0)), np.float32(height - 1))
        at_x = min(max(x + k + k * slope_x, np.float32(0)), np.float32(width - 1))
        i = int(at_y)
        j = int(at_x)
        f = np.float32(at_x - j)
        a = ((np.float32(1) - np.float32(0.5) * f) * f - np.float32(0.5)) * f
        b = (np.float32(1.5) * f - np.float32(2.5)) * f * f + np.float32(1)
        d = (np.float32(0.5) * f - np.float32(0.5)) * f * f
        c = np.float32(1) - a - b - d
        g = np.float32(at_y - i)
        p = ((np.float32(1) - np.float32(0.5) * g) * g - np.float32(0.5)) * g
        q = (np.float32(1.5) * g - np.float32(2.5)) * g * g + np.float32(1)
        s = (np.float32(0.5) * g - np.float32(0.5)) * g * g
        r = np.float32(1) - p - q - s
        above = max(i - 1, 0)
        below = min(i + 1, height - 1)
        far = min(i + 2, height - 1)
        left = max(j - 1, 0)
        right = min(j + 1, width - 1)
        further = min(j + 2, width - 1)
        out[k] = (
            p
            * (
                a * plane[above, left]
                + b * plane[above, j]
                + c * plane[above, right]
                + d * plane[above, further]
            )
            + q
            * (
                a * plane[i, left]
                + b * plane[i, j]
                + c * plane[i, right]
                + d * plane[i, further]
            )
            + r
            * (
                a * plane[below, left]
                + b * plane[below, j]
                + c * plane[below, right]
                + d * plane[below, further]
            )
            + s
            * (
                a * plane[far, left]
                + b * plane[far, j]
                + c * plane[far, right]
                + d * plane[far, further]
            )
        )
