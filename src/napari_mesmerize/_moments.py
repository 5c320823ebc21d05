"""Compiled sums over frames: of values, squares and products of neighbours.

A block of pixels stays in the processor's cache while all frames of a batch pass. Sums
over a few frames are kept in single precision, relative to ``origin`` so that they lose
nothing that matters, and then added up in double precision.
"""

import numpy as np
from numba import njit

RUN = 16
"""Frames whose sums are kept in single precision."""
BLOCK = 1024
"""Pixels whose sums stay in the cache."""


@njit(nogil=True, cache=True)
def all_finite(bits, exponent, first, last):  # type: ignore[no-untyped-def]
    """Return whether pixels ``first`` to ``last`` are finite in all frames.

    Parameters
    ----------
    bits : numpy.ndarray
        Shape (n_frames, n_pixels), the floating point numbers as unsigned integers.
    exponent : numpy.unsignedinteger
        The bits that are all set in numbers that are not finite.
    first, last : int
        Which pixels.
    """
    for t in range(len(bits)):
        row = bits[t, first:last]
        most = bits[t, first] & exponent
        for i in range(last - first):
            most = max(most, row[i] & exponent)
        if most == exponent:
            return False
    return True


@njit(nogil=True, cache=True)
def add_moments(frames, origin, first, last, steps, greatest, total, squares, products):  # type: ignore[no-untyped-def]
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
    steps : numpy.ndarray
        Shape (n_steps,), how many pixels further on a neighbour lies.
    greatest, total, squares : numpy.ndarray
        Shape (n_pixels,): changed in place; ``greatest`` in values of frames.
    products : numpy.ndarray
        Shape (n_steps, n_pixels), changed in place.
    """
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        _add_block(
            frames, origin, begin, end, steps, greatest, total, squares, products
        )


@njit(nogil=True, cache=True)
def _add_block(frames, origin, first, last, steps, greatest, total, squares, products):  # type: ignore[no-untyped-def]
    n_frames, n_pixels = frames.shape
    size = last - first
    reach = 0
    for step in steps:
        reach = max(reach, step)
    stop = min(n_pixels, last + reach)
    values = np.empty(stop - first, origin.dtype)
    runs = np.empty((2 + len(steps), size), origin.dtype)
    start = origin[first:stop]
    most = greatest[first:last]
    for begin in range(0, n_frames, RUN):
        runs[:] = 0
        sums, powers = runs[0], runs[1]
        for t in range(begin, min(begin + RUN, n_frames)):
            row = frames[t, first:stop]
            for i in range(stop - first):
                values[i] = row[i]
                values[i] -= start[i]
            for i in range(size):
                sums[i] += values[i]
                powers[i] += values[i] * values[i]
                most[i] = max(most[i], row[i])
            for k in range(len(steps)):
                shared = runs[2 + k]
                there = values[steps[k] :]
                for i in range(min(size, len(there))):
                    shared[i] += values[i] * there[i]
        for i in range(size):
            total[first + i] += sums[i]
            squares[first + i] += powers[i]
        for k in range(len(steps)):
            for i in range(size):
                products[k, first + i] += runs[2 + k, i]


@njit(nogil=True, cache=True)
def add_products(frames, origin, first, last, step, products):  # type: ignore[no-untyped-def]
    """Add products of pixels ``first`` to ``last`` and neighbours far away.

    Parameters are as in :func:`add_moments`; ``products`` has shape (n_pixels,).
    """
    n_frames, n_pixels = frames.shape
    shared = np.empty(BLOCK, origin.dtype)
    for start in range(first, min(last, n_pixels - step), BLOCK):
        size = min(start + BLOCK, last, n_pixels - step) - start
        here, there = origin[start:], origin[start + step :]
        for begin in range(0, n_frames, RUN):
            shared[:] = 0
            for t in range(begin, min(begin + RUN, n_frames)):
                a, b = frames[t, start:], frames[t, start + step :]
                for i in range(size):
                    shared[i] += (a[i] - here[i]) * (b[i] - there[i])
            for i in range(size):
                products[start + i] += shared[i]
