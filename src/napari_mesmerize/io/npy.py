"""NumPy ``.npy`` files, memory-mapped; never pickled ones."""

from pathlib import Path

import numpy as np

from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.blocks.arrays import array_items, parse_axes
from napari_mesmerize.io.items import Item, check_file

_NUMPY = frozenset({"numpy", "ast"})
_REMEDY = "Expected a whole file by numpy.save that holds numbers."


def scan(path: Path, *, axes: str | None = None) -> list[Item]:
    """Return the recordings in a ``.npy`` file (one per channel).

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axes : str, optional
        A letter per axis; default ``TYX`` or ``TZYX``.

    Raises
    ------
    ReadError
        If it is no such file, truncated, or holds Python objects.
    """
    check_file(path)
    with reading(path, "a NumPy array", remedy=_REMEDY, libraries=_NUMPY):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ReadError(f"{path.name} is not a single NumPy array.")
    letters = parse_axes(axes, array.shape, path.name)
    return array_items(np.asarray(array), name=path.stem, axes=letters)
