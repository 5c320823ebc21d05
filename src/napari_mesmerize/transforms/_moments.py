"""Compiled sums over frames: of values, squares and products of neighbours.

A block of pixels stays in the processor's cache while all frames of a batch pass, four
at a time, so that sums are fetched and stored once for four. Sums over a few frames are
kept in single precision, relative to ``origin`` so that they lose nothing that matters,
and then added up in double precision. Each loop is a function of its own: with few
arrays in it, the compiler sees that it can work on many pixels at once.
"""

import numpy as np

from napari_mesmerize.compute.jit import compiled_exact, compiled_ufunc

RUN = 32
"""Frames whose sums are kept in single precision; a multiple of four."""
BLOCK = 8192
"""Pixels whose sums stay in the cache."""
LINE_BYTES = 64


@compiled_exact
def add_moments(  # type: ignore[no-untyped-def]
    frames, origin, first, last, near, far, greatest, total, squares, products
):
    """Add frames to the sums of pixels ``first`` to ``last``.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_pixels), any real type.
    origin : numpy.ndarray
        Shape (n_pixels,), float32 or float64: subtracted from frames; sums of a few
        frames have its type.
    first, last : int
        Which pixels.
    near : numpy.ndarray
        Shape (n_near,), how many pixels further on neighbours lie.
    far : int
        The same of one more neighbour, far away; 0 if there is none.
    greatest, total, squares : numpy.ndarray
        Shape (n_pixels,): changed in place; ``greatest`` in values of frames.
    products : numpy.ndarray
        Shape (n_near [+ 1], n_pixels), changed in place; of the far one last.
    """
    n_pixels = frames.shape[1]
    reach = 0
    for step in near:
        reach = max(reach, step)
    block = min(max(BLOCK, 2 * reach), last - first)
    values = _rows(8 if far else 4, block + reach, origin)
    runs = _rows(2 + len(products), block, origin)
    for start in range(first, last, block):
        size = min(block, last - start)
        stop = min(n_pixels, start + size + reach)
        values[:, stop - start :] = 0  # no neighbours below the picture
        most = greatest[start : start + size]
        for begin in range(0, len(frames), RUN):
            end = min(begin + RUN, len(frames))
            for t in range(begin, end, 4):
                n = min(4, end - t)
                if not len(products) and n == 4:
                    _add_four(frames, t, start, origin, runs, most)
                    continue
                _convert(frames, t, n, start, stop, origin, values)
                _add_sums(values, runs, size)
                _keep_greatest(frames, t, n, start, most)
                for k in range(0, len(near) - 1, 2):
                    steps = near[k], near[k + 1]
                    _add_two_products(values, steps, runs[2 + k], runs[3 + k], size)
                if len(near) % 2:
                    _add_products(values, 0, near[-1], runs[1 + len(near)], size)
                there = min(start + far, n_pixels)
                found = min(size, n_pixels - there)
                if far and found:
                    _convert(frames, t, n, there, there + found, origin, values[4:])
                    _add_products(values, 4, 0, runs[2 + len(near)], found)
            _move(runs[0], total[start : start + size])
            _move(runs[1], squares[start : start + size])
            for k in range(len(products)):
                _move(runs[2 + k], products[k, start : start + size])


@compiled_exact
def _rows(n_rows, size, like):  # type: ignore[no-untyped-def]
    """Return rows of zeros of a type; each begins with a line of the cache."""
    line = LINE_BYTES // like.itemsize
    size = -(-size // line) * line
    memory = np.zeros(n_rows * size + line, like.dtype)
    skipped = -memory.ctypes.data % LINE_BYTES // like.itemsize
    return memory[skipped : skipped + n_rows * size].reshape(n_rows, size)


@compiled_exact
def _convert(frames, t, n, start, stop, origin, values):  # type: ignore[no-untyped-def]
    """Set values to ``n`` frames from ``t`` on, relative to ``origin``; others to 0."""
    a, b = frames[t, start:stop], frames[t + min(1, n - 1), start:stop]
    c = frames[t + min(2, n - 1), start:stop]
    d = frames[t + min(3, n - 1), start:stop]
    zero = origin[start:stop]
    kind = origin.dtype.type
    to_a, to_b, to_c, to_d = values[0], values[1], values[2], values[3]
    for i in range(len(zero)):
        to_a[i] = kind(a[i]) - zero[i]
        to_b[i] = kind(b[i]) - zero[i]
        to_c[i] = kind(c[i]) - zero[i]
        to_d[i] = kind(d[i]) - zero[i]
    for absent in range(n, 4):
        values[absent] = 0


@compiled_exact
def _add_sums(values, runs, size):  # type: ignore[no-untyped-def]
    a, b, c, d = values[0], values[1], values[2], values[3]
    total, squares = runs[0, :size], runs[1, :size]
    for i in range(len(total)):
        total[i] += (a[i] + b[i]) + (c[i] + d[i])
        squares[i] += (a[i] * a[i] + b[i] * b[i]) + (c[i] * c[i] + d[i] * d[i])


@compiled_exact
def _add_four(frames, t, start, origin, runs, most):  # type: ignore[no-untyped-def]
    """Add four frames to sums and squares, and keep what is greatest."""
    stop = start + len(most)
    a, b = frames[t, start:stop], frames[t + 1, start:stop]
    c, d = frames[t + 2, start:stop], frames[t + 3, start:stop]
    zero = origin[start:stop]
    kind = origin.dtype.type
    total, squares = runs[0], runs[1]
    for i in range(len(most)):
        p, q = kind(a[i]) - zero[i], kind(b[i]) - zero[i]
        r, s = kind(c[i]) - zero[i], kind(d[i]) - zero[i]
        total[i] += (p + q) + (r + s)
        squares[i] += (p * p + q * q) + (r * r + s * s)
        most[i] = max(most[i], max(max(a[i], b[i]), max(c[i], d[i])))


@compiled_exact
def _keep_greatest(frames, t, n, start, most):  # type: ignore[no-untyped-def]
    stop = start + len(most)
    a, b = frames[t, start:stop], frames[t + min(1, n - 1), start:stop]
    c = frames[t + min(2, n - 1), start:stop]
    d = frames[t + min(3, n - 1), start:stop]
    for i in range(len(most)):
        most[i] = max(most[i], max(max(a[i], b[i]), max(c[i], d[i])))


@compiled_exact
def _add_products(values, row, step, runs, size):  # type: ignore[no-untyped-def]
    """Add products with what lies ``step`` further on, ``row`` rows below."""
    a, b, c, d = values[0], values[1], values[2], values[3]
    e, f = values[row, step:], values[row + 1, step:]
    g, h = values[row + 2, step:], values[row + 3, step:]
    sums = runs[:size]
    for i in range(len(sums)):
        sums[i] += (a[i] * e[i] + b[i] * f[i]) + (c[i] * g[i] + d[i] * h[i])


@compiled_exact
def _add_two_products(values, steps, runs, others, size):  # type: ignore[no-untyped-def]
    """Add products with what lies one or the other step further on."""
    a, b, c, d = values[0], values[1], values[2], values[3]
    step = steps[0]
    e, f, g, h = values[0, step:], values[1, step:], values[2, step:], values[3, step:]
    step = steps[1]
    p, q, r, s = values[0, step:], values[1, step:], values[2, step:], values[3, step:]
    one, two = runs[:size], others[:size]
    for i in range(len(one)):
        w, x, y, z = a[i], b[i], c[i], d[i]
        one[i] += (w * e[i] + x * f[i]) + (y * g[i] + z * h[i])
        two[i] += (w * p[i] + x * q[i]) + (y * r[i] + z * s[i])


@compiled_exact
def _move(run, sums):  # type: ignore[no-untyped-def]
    """Add the sums of a few frames to those of all, and set them to 0."""
    for i in range(len(sums)):
        sums[i] += run[i]
        run[i] = 0


@compiled_ufunc
def correlate(n, products, sum_a, sum_b, squares_a, squares_b):  # type: ignore[no-untyped-def]
    """Return the correlation of two pixels by their sums, NaN where one is constant."""
    n = max(n, 1.0)
    spread_a = squares_a - sum_a * sum_a / n
    spread_b = squares_b - sum_b * sum_b / n
    tiny = 1e-12
    if not (spread_a > tiny * squares_a and spread_b > tiny * squares_b):
        return np.nan
    r = (products - sum_a * sum_b / n) / np.sqrt(spread_a * spread_b)
    return min(max(r, -1.0), 1.0)
