"""Plain NumPy versions of what the compiled loops compute, a pixel at a time."""

import math

import numpy as np


def linear(distance):
    return max(1 - abs(distance), 0.0)


def catmull_rom(distance):
    d = abs(distance)
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def lanczos(distance):
    return (
        float(np.sinc(distance) * np.sinc(distance / 3)) if abs(distance) < 3 else 0.0
    )


KERNELS = {"linear": (linear, 1), "cubic": (catmull_rom, 2), "lanczos": (lanczos, 3)}


def taps(place, kernel):
    """Return the first pixel that an interpolation at ``place`` takes, and weights."""
    function, reach = KERNELS[kernel]
    first = math.floor(place) + 1 - reach
    weights = np.array([function(place - first - k) for k in range(2 * reach)])
    return first, weights / weights.sum()


def sample(plane, y, x, kernel="cubic"):
    """Interpolate a plane at (y, x); places and pixels beyond the border: nearest."""
    height, width = plane.shape
    first_y, weights_y = taps(min(max(y, 0), height - 1), kernel)
    first_x, weights_x = taps(min(max(x, 0), width - 1), kernel)
    rows = np.clip(first_y + np.arange(len(weights_y)), 0, height - 1)
    columns = np.clip(first_x + np.arange(len(weights_x)), 0, width - 1)
    return weights_y @ plane[np.ix_(rows, columns)].astype(float) @ weights_x


def sample_volume(volume, z, y, x, kernel="cubic"):
    """Interpolate a volume (z, y, x): linear between planes, nearest border."""
    z = min(max(z, 0), len(volume) - 1)
    plane = min(int(z), max(len(volume) - 2, 0))
    value = sample(volume[plane], y, x, kernel)
    if z > plane:
        below = sample(volume[plane + 1], y, x, kernel)
        value += (z - plane) * (below - value)
    return value


def between(nodes, i, j, spacing):
    """Interpolate nodes (ny, nx, ...) every ``spacing`` px linearly at pixel (i, j)."""
    a, b = i // spacing, j // spacing
    p, q = i / spacing - a, j / spacing - b
    upper = (1 - q) * nodes[a, b] + q * nodes[a, b + 1]
    lower = (1 - q) * nodes[a + 1, b] + q * nodes[a + 1, b + 1]
    return (1 - p) * upper + p * lower
