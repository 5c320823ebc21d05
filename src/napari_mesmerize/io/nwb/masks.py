"""Masks in NWB files (pixel, voxel and image masks) to footprints, in any dialect."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.hdf5 import check_name, read_whole

SUITE2P, CAIMAN = "suite2p", "CNMF_ROIs"


def dialect(table: h5py.Group) -> str:
    """Return which program wrote a table otherwise than the format says; "" if none.

    Suite2p exchanges x and y; CaImAn unfolds its images in the wrong order and appends
    the background.
    """
    said = table.attrs.get("description", "")
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return next((name for name in (SUITE2P, CAIMAN) if text.startswith(name)), "")


def read_footprints(
    file: h5py.File,
    path: Path,
    table: h5py.Group,
    image_shape: Sequence[int] | None,
    swap_axes: bool | None,
) -> tuple[Any, tuple[int, ...]]:
    """Return the footprints of a table, pixels x ROIs, and the image shape.

    Raises
    ------
    ReadError
        If there are no masks, or they do not fit the image.
    """
    n_rois = len(table["id"])
    origin = dialect(table)
    mask = next((m for m in ("pixel_mask", "voxel_mask") if m in table), None)
    if mask is not None:
        places, weights, indptr = _sparse_masks(table, mask, n_rois)
    elif "image_mask" in table:
        places, weights, indptr = _image_masks(table, origin == CAIMAN)
    else:
        raise ReadError(f"{path}: {table.name} has no masks of its ROIs.")
    if swap_axes is None and origin == SUITE2P:
        swap_axes = True
    shape = None
    if image_shape is not None:
        shape = tuple(int(size) for size in image_shape)
    elif origin == CAIMAN and mask is None:
        size = table["image_mask"].shape[1:]
        shape = (*size[2:], *size[:2])
    else:
        shape = _shape(file, path, places, origin == SUITE2P)
    places = _orient(places, shape, swap_axes, path)
    flat = np.ravel_multi_index(tuple(places), shape)
    footprints = sparse.csc_array(
        (weights.astype(np.float32), flat.astype(np.int64), indptr),
        shape=(int(np.prod(shape)), n_rois),
    )
    footprints.sum_duplicates()
    return footprints, shape


def groups(file: h5py.File, kind: str) -> list[h5py.Group]:
    """Return the groups of a neurodata type."""
    found: list[h5py.Group] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            named = item.attrs.get("neurodata_type", "")
            if (named.decode() if isinstance(named, bytes) else str(named)) == kind:
                check_name(item)
                found.append(item)

    file.visititems(visit)
    return found


def _sparse_masks(
    table: h5py.Group, name: str, n_rois: int
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    masks = read_whole(table[name])
    ends = np.asarray(read_whole(table[f"{name}_index"]), np.int64)
    indptr = np.concatenate([[0], ends])
    if len(ends) != n_rois or (np.diff(indptr) < 0).any() or indptr[-1] != len(masks):
        raise ReadError(f"{table.name}/{name} does not fit its index of {n_rois} ROIs.")
    axes = ("z", "y", "x") if name == "voxel_mask" else ("y", "x")
    places = np.stack([np.asarray(masks[axis], np.int64) for axis in axes])
    return places, masks["weight"], indptr


def _image_masks(
    table: h5py.Group, unfolded: bool
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return the pixels of images (x, y[, z]), one at a time.

    ``unfolded``: images (y, x[, z]) whose pixels are in the order of Fortran, but that
    were cut into rows as if they were in that of C.
    """
    places, weights, sizes = [], [], []
    for image in table["image_mask"]:
        if unfolded:
            image = image.ravel().reshape(image.shape, order="F")
        at = np.array(np.nonzero(image), np.int64)
        weights.append(image[tuple(at)])
        # y, x[, z] or x, y[, z] to [z, ]y, x
        places.append(np.concatenate([at[2:], at[:2]]) if unfolded else at[::-1])
        sizes.append(at.shape[1])
    indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    ndim = table["image_mask"].ndim - 1
    empty = np.zeros((ndim, 0), np.int64)
    return (
        np.concatenate(places, axis=1) if places else empty,
        np.concatenate(weights) if weights else np.zeros(0),
        indptr,
    )


def _shape(
    file: h5py.File, path: Path, places: NDArray[np.int64], rows_first: bool
) -> tuple[int, ...]:
    """Return the image shape by a movie or an image in the file."""
    ndim = len(places)
    noted = file.get("scratch/image_shape")
    found = None
    if isinstance(noted, h5py.Dataset) and noted.shape == (ndim,):
        found = tuple(noted[()].tolist())
    for kind in ("TwoPhotonSeries", "OnePhotonSeries"):
        for series in groups(file, kind):
            data = series.get("data")
            if data is not None and data.ndim in (3, 4) and data.shape[0]:
                found = found or data.shape[:0:-1]
            elif "dimension" in series and len(series["dimension"]) in (2, 3):
                size = tuple(series["dimension"][()].tolist())
                found = found or (size if rows_first else size[::-1])
    for images in groups(file, "Images"):
        for image in images.values():
            if isinstance(image, h5py.Dataset) and image.ndim == 2:
                size = image.shape
                found = found or (size if rows_first else size[::-1])
    if found is not None and len(found) == ndim - 1:  # a plane of the volume
        n_planes = int(places[0].max()) + 1 if places.size else 1
        found = (n_planes, *found)
    if found is None or len(found) != ndim:
        raise ReadError(
            f"{path} does not say the size of its images; give it: "
            "image_shape=(height, width)."
        )
    return tuple(int(size) for size in found)


def _orient(
    places: NDArray[np.int64],
    shape: tuple[int, ...],
    swap_axes: bool | None,
    path: Path,
) -> NDArray[np.int64]:
    """Return the places with x and y exchanged where that is said, or must be."""
    swapped = np.concatenate([places[:-2], places[-1:], places[-2:-1]])
    order = [swapped] if swap_axes else [places, swapped]
    if swap_axes is False:
        order = [places]
    limits = np.array(shape)[:, None]
    for candidate in order:
        if (
            len(candidate) == len(shape)
            and ((candidate >= 0) & (candidate < limits)).all()
        ):
            return candidate
    high = places.max(axis=1).tolist() if places.size else []
    raise ReadError(
        f"The ROIs of {path} reach to pixel {tuple(high)}, outside images of shape "
        f"{shape}; give the right image_shape=(height, width), or swap_axes=True."
    )
