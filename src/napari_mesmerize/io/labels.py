"""Label images (Cellpose, StarDist, Fiji, ...) to components without traces."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.footprints import footprints_from_labels
from napari_mesmerize.errors import LIBRARIES, ReadError, reading
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.npy_objects import load_objects

_LARGE = 2**28
_MAX_PACKING = 2000  # images are not compressed more than so many times
_READ_IMAGES = LIBRARIES | {"skimage", "imageio", "PIL"}
SUFFIXES = (".tif", ".tiff", ".png", ".npy")


def read(path: str | Path, *, image_shape: Sequence[int] | None = None) -> Components:
    """Read an image of whole numbers: 0 where nothing is, otherwise the ROI's number.

    Parameters
    ----------
    path : path
        ``.tif``, ``.png``, ``.npy``, or Cellpose's ``_seg.npy``.
    image_shape : sequence of int, optional
        The shape that is expected.

    Returns
    -------
    Components
        A footprint of ones per number above 0, in their order; no traces; the score
        ``label`` is the number.

    Raises
    ------
    ReadError
        If it is no such image, or of another shape.
    """
    path = Path(path)
    timer = StepTimer("read_results", {"format": "labels"}, inputs=[str(path)])
    labels = _whole_numbers(_load(path), path)
    if image_shape is not None and labels.shape != tuple(image_shape):
        raise ReadError(
            f"{path} has shape {labels.shape}, expected {tuple(image_shape)}; choose "
            "the labels of this recording."
        )
    numbers = np.unique(labels)
    return Components.build(
        footprints_from_labels(labels),
        labels.shape,
        {},
        scores=pd.DataFrame({"label": numbers[numbers > 0].astype(np.int64)}),
        history=timer.extend([]),
    )


def _load(path: Path) -> NDArray[Any]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        found = load_objects(path)
        if isinstance(found, dict) and "masks" in found:
            found = found["masks"]
        if not isinstance(found, np.ndarray):
            raise ReadError(
                f"{path} holds a {type(found).__name__}, expected an image."
            )
        return found
    if not path.exists():
        raise ReadError(f"{path} does not exist.")
    with reading(
        path, "an image", remedy="Save the labels again.", libraries=_READ_IMAGES
    ):
        if suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as tif:
                _check_size(path, tif.series[:1])
                return np.asarray(tif.asarray())
        from skimage.io import imread

        return np.asarray(imread(path))


def _check_size(path: Path, found: Sequence[Any]) -> None:
    """Refuse a file without an image, or with one larger than it can hold."""
    if not found:
        raise ReadError(f"{path} holds no image. Save the labels again.")
    size = path.stat().st_size
    claimed = math.prod(found[0].shape) * np.dtype(found[0].dtype).itemsize
    if claimed > _LARGE and claimed > _MAX_PACKING * size:
        raise ReadError(
            f"{path} is damaged: it claims {claimed} bytes of pixels and has {size}. "
            "Save the labels again."
        )


def _whole_numbers(image: NDArray[Any], path: Path) -> NDArray[Any]:
    image = np.squeeze(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] in (3, 4)):
        raise ReadError(
            f"{path} has shape {image.shape}; expected labels of shape (height, width) "
            "or (n_planes, height, width), not colours."
        )
    if image.dtype.kind == "f" and np.array_equal(image, np.rint(image)):
        image = image.astype(np.int64)
    if image.dtype.kind not in "biu" or (image.size and image.min() < 0):
        raise ReadError(
            f"{path} holds numbers of type {image.dtype}, which are no labels; "
            "expected whole numbers of 0 and more."
        )
    return image
