"""Arithmetic on arrays with one row per frame, in place, for some rows at a time.

The fields of a long recording are its largest arrays: one of them fits into memory,
several copies in double precision may not.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_VALUES = 2**17  # computed at a time: 1 MiB in double precision

Rows = NDArray[np.floating]
Float = NDArray[np.float64]


def row_parts(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield slices of consecutive rows that are computed together."""
    step = max(1, _VALUES // max(n_columns, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def column_parts(shape: tuple[int, ...], most: int) -> list[slice]:
    """Return slices of up to ``most`` columns that are computed together."""
    n_rows, n_columns = shape
    step = int(np.clip(_VALUES // max(n_rows, 1), 1, most))
    return [slice(k, min(k + step, n_columns)) for k in range(0, n_columns, step)]


def mix_columns(values: Rows, matrix: Float) -> None:
    """Multiply rows (n, M) by a matrix (M, M), in place."""
    for part in row_parts(*values.shape):
        values[part] = values[part].astype(np.float64) @ matrix


def second_moments(values: Rows, used: NDArray[np.bool_]) -> Float:
    """Return the mean product (M, M) of the columns of the rows that are used."""
    total = np.zeros((values.shape[1], values.shape[1]))
    for part in row_parts(*values.shape):
        some = values[part][used[part]].astype(np.float64)
        total += some.T @ some
    moments: Float = total / max(int(used.sum()), 1)
    return moments


def subtract_median(values: Rows) -> None:
    """Make the median of each column 0, in place."""
    for part in column_parts(values.shape, most=16):
        values[:, part] -= np.median(values[:, part], axis=0)


def fill_lost(values: Rows, lost: NDArray[np.bool_]) -> None:
    """Interpolate lost rows (n, M) from their neighbours in time, in place.

    Without any other row they become 0.
    """
    if not lost.any():
        return
    known, gaps = np.flatnonzero(~lost), np.flatnonzero(lost)
    if not known.size:
        values[:] = 0
        return
    for column in values.T:
        column[gaps] = np.interp(gaps, known, column[known])
