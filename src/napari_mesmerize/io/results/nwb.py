"""Segmentations in NWB files (PlaneSegmentation, RoiResponseSeries) to components."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.components import Components
from napari_mesmerize.errors import ReadError
from napari_mesmerize.history import StepTimer

_KINDS = {
    "RoiResponseSeries": "raw",
    "Fluorescence": "raw",
    "Denoised": "denoised",
    "Corrected": "corrected",
    "Residual": "residual",
    "Neuropil": "neuropil",
    "Deconvolved": "spikes",
}
_PARTS = frozenset(["id", "pixel_mask", "voxel_mask", "image_mask", "reference_images"])
_DAMAGE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    IndexError,
    AttributeError,
)


def read(
    path: str | Path,
    *,
    image_shape: Sequence[int] | None = None,
    only_accepted: bool = False,
    swap_axes: bool | None = None,
    table: str | None = None,
) -> Components:
    """Read the ROIs of an NWB file; pynwb is not needed.

    Parameters
    ----------
    path : path
        The ``.nwb`` file.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width); default that of a movie or an
        image in the file.
    only_accepted : bool, optional
        Leave out what the column ``accepted`` (or ``iscell``) rejects.
    swap_axes : bool, optional
        Take x for y: some programs write them so. Default: only if the ROIs do not fit
        into the image otherwise.
    table : str, optional
        Name of the PlaneSegmentation, if there are several.

    Returns
    -------
    Components
        Weights and traces as stored; the other columns are scores.

    Raises
    ------
    ReadError
        If there is no segmentation, or parts are damaged or do not fit each other.
    """
    path = Path(path)
    timer = StepTimer("read_results", {"format": "nwb"}, inputs=[str(path)])
    try:
        with h5py.File(path, "r") as file:
            components = _read(file, path, image_shape, swap_axes, table)
    except ReadError:
        raise
    except _DAMAGE as error:
        raise ReadError(
            f"{path} can not be read as an NWB file with ROIs: {error}. Copy it again, "
            "or write it anew."
        ) from error
    if only_accepted:
        components = components.select(components.accepted)
    components.history.extend(timer.extend([]))
    return components


def _read(
    file: h5py.File,
    path: Path,
    image_shape: Sequence[int] | None,
    swap_axes: bool | None,
    name: str | None,
) -> Components:
    table = _choose(file, path, name)
    n_rois = len(table["id"])
    mask = next((m for m in ("pixel_mask", "voxel_mask") if m in table), None)
    if mask is not None:
        places, weights, indptr = _sparse_masks(table, mask, n_rois)
    elif "image_mask" in table:
        places, weights, indptr = _image_masks(table)
    else:
        raise ReadError(f"{path}: {table.name} has no masks of its ROIs.")
    shape = _shape(file, path, image_shape, places)
    places = _orient(places, shape, swap_axes, path)
    flat = np.ravel_multi_index(tuple(places), shape)
    footprints = sparse.csc_array(
        (weights.astype(np.float32), flat.astype(np.int64), indptr),
        shape=(int(np.prod(shape)), n_rois),
    )
    footprints.sum_duplicates()
    traces, rate = _traces(file, table, n_rois)
    scores, accepted = _columns(table, n_rois)
    return Components.build(
        footprints, shape, traces, scores=scores, accepted=accepted, frame_rate=rate
    )


def _groups(file: h5py.File, kind: str) -> list[h5py.Group]:
    found: list[h5py.Group] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            named = item.attrs.get("neurodata_type", "")
            if (named.decode() if isinstance(named, bytes) else str(named)) == kind:
                found.append(item)

    file.visititems(visit)
    return found


def _choose(file: h5py.File, path: Path, name: str | None) -> h5py.Group:
    tables = _groups(file, "PlaneSegmentation")
    if name is not None:
        tables = [table for table in tables if table.name.split("/")[-1] == name]
    if len(tables) == 1:
        return tables[0]
    if not tables:
        wanted = f" named {name!r}" if name else ""
        raise ReadError(f"{path} holds no PlaneSegmentation{wanted}, no ROIs.")
    names = ", ".join(table.name.split("/")[-1] for table in tables)
    raise ReadError(
        f"{path} holds several segmentations; choose one, table=...: {names}."
    )


def _sparse_masks(
    table: h5py.Group, name: str, n_rois: int
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    masks = table[name][()]
    ends = np.asarray(table[f"{name}_index"][()], np.int64)
    indptr = np.concatenate([[0], ends])
    if len(ends) != n_rois or (np.diff(indptr) < 0).any() or indptr[-1] != len(masks):
        raise ReadError(f"{table.name}/{name} does not fit its index of {n_rois} ROIs.")
    axes = ("z", "y", "x") if name == "voxel_mask" else ("y", "x")
    places = np.stack([np.asarray(masks[axis], np.int64) for axis in axes])
    return places, masks["weight"], indptr


def _image_masks(
    table: h5py.Group,
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return the pixels of images (x, y[, z]), one at a time."""
    places, weights, sizes = [], [], []
    for image in table["image_mask"]:
        at = np.array(np.nonzero(image), np.int64)
        weights.append(image[tuple(at)])
        places.append(at[::-1])
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
    file: h5py.File,
    path: Path,
    given: Sequence[int] | None,
    places: NDArray[np.int64],
) -> tuple[int, ...]:
    if given is not None:
        return tuple(int(size) for size in given)
    ndim = len(places)
    for kind in ("TwoPhotonSeries", "OnePhotonSeries"):
        for series in _groups(file, kind):
            data = series.get("data")
            if data is not None and data.ndim == ndim + 1 and data.shape[0]:
                return tuple(int(size) for size in data.shape[:0:-1])
            if "dimension" in series and len(series["dimension"]) == ndim:
                return tuple(int(size) for size in series["dimension"][()][::-1])
    for images in _groups(file, "Images"):
        for image in images.values():
            if isinstance(image, h5py.Dataset) and image.ndim == ndim:
                return tuple(int(size) for size in image.shape[::-1])
    raise ReadError(
        f"{path} does not say the size of its images; give it: "
        "image_shape=(height, width)."
    )


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


def _traces(
    file: h5py.File, table: h5py.Group, n_rois: int
) -> tuple[dict[str, NDArray[Any]], float | None]:
    """Return the traces of this table's ROIs by kind, and their rate."""
    traces: dict[str, NDArray[Any]] = {}
    rate = None
    for series in _groups(file, "RoiResponseSeries"):
        for kind, values in _series(series, table, n_rois):
            length = next((t.shape[1] for t in traces.values()), values.shape[1])
            if kind not in traces and values.shape[1] == length:
                traces[kind] = values
                rate = rate or _rate(series)
    return traces, rate


def _series(
    series: h5py.Group, table: h5py.Group, n_rois: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    rois = series["rois"]
    reference = rois.attrs.get("table")
    if reference and series.file[reference].name != table.name:
        return
    rows = np.asarray(rois[()], np.int64)
    values = np.asarray(series["data"][()], np.float32)
    if values.ndim == 1:
        values = values[:, None]
    if values.shape[1] != len(rows):
        values = values.T
    whole = values.shape[1] == len(rows) == n_rois
    if not whole or not np.array_equal(np.sort(rows), np.arange(n_rois)):
        return
    ordered = np.empty((n_rois, values.shape[0]), np.float32)
    ordered[rows] = values.T
    name, parent = series.name.split("/")[-1], series.parent.name.split("/")[-1]
    if parent.startswith("DfOverF"):
        kind = "dff"
    else:
        kind = _KINDS.get(name, _KINDS.get(parent, name.lower()))
    yield kind, ordered


def _rate(series: h5py.Group) -> float | None:
    if "starting_time" in series:
        return float(series["starting_time"].attrs["rate"])
    if "timestamps" in series and len(series["timestamps"]) > 1:
        return float(1 / np.median(np.diff(series["timestamps"][()])))
    return None


def _columns(table: h5py.Group, n_rois: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the other columns of the table, and who is accepted."""
    scores: dict[str, Any] = {"component": np.arange(n_rois)}
    for name, column in table.items():
        if not isinstance(column, h5py.Dataset) or name in _PARTS:
            continue
        if name.lower() == "iscell" and column.shape == (n_rois, 2):
            scores["iscell"] = column[:, 0] > 0.5
            continue
        if column.shape != (n_rois,) or f"{name}_index" in table:
            continue
        if name.endswith("_index"):
            continue
        values = column[()]
        if values.dtype.kind in "OS":
            values = np.array(
                [v.decode() if isinstance(v, bytes) else str(v) for v in values], object
            )
        scores[name] = values
    for name in ("accepted", "iscell"):
        if name in scores and np.asarray(scores[name]).dtype.kind in "biuf":
            return pd.DataFrame(scores), np.asarray(scores[name], float) > 0.5
    return pd.DataFrame(scores), np.ones(n_rois, bool)
