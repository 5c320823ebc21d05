"""Segmentations in NWB files (PlaneSegmentation, RoiResponseSeries) to components."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError, ReadError, reading
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.hdf5 import check_heaps, open_hdf5, read_whole
from napari_mesmerize.io.nwb.masks import (
    CAIMAN,
    dialect,
    groups,
    read_footprints,
)

_KINDS = {
    "RoiResponseSeries": "raw",
    "Fluorescence": "raw",
    "Denoised": "denoised",
    "Corrected": "corrected",
    "Residual": "residual",
    "Neuropil": "neuropil",
    "Deconvolved": "spikes",
    "Fluorescence_chan2": "raw_channel2",
    "Neuropil_chan2": "neuropil_channel2",
}
_LISTS = ("accepted", "rejected")
_PARTS = frozenset(["id", "pixel_mask", "voxel_mask", "image_mask", "reference_images"])
_REMEDY = "Copy it again, or write it anew."


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
        Take x for y: some programs write them so. Default: of Suite2p's files, and if
        the ROIs do not fit into the image otherwise.
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
    with reading(path, "an NWB file with ROIs", remedy=_REMEDY):
        check_heaps(path)
        with open_hdf5(path) as file:
            components = _read(file, path, image_shape, swap_axes, table)
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
    origin = dialect(table)
    footprints, shape = read_footprints(file, path, table, image_shape, swap_axes)
    n_rois = int(footprints.shape[1])
    traces, rate, rows = _traces(file, table, n_rois, origin)
    scores, accepted = _columns(table, n_rois)
    try:
        return Components.build(
            footprints[:, rows],
            shape,
            traces,
            scores=scores.iloc[rows].reset_index(drop=True),
            accepted=accepted[rows],
            frame_rate=rate,
        )
    except ParameterError as error:
        raise ReadError(f"{path}: {error} {_REMEDY}") from error


def _choose(file: h5py.File, path: Path, name: str | None) -> h5py.Group:
    tables = groups(file, "PlaneSegmentation")
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


def _traces(
    file: h5py.File, table: h5py.Group, n_rois: int, origin: str
) -> tuple[dict[str, NDArray[Any]], float | None, NDArray[np.int64]]:
    """Return the traces of this table's ROIs by kind, their rate, and whose they are.

    Series of the same kind that are of other ROIs (a plane each) are put together; of
    ROIs, CaImAn's background is left out.
    """
    traces: dict[str, NDArray[Any]] = {}
    known: dict[str, NDArray[np.bool_]] = {}
    rate = None
    for series in groups(file, "RoiResponseSeries"):
        found = _series(series, table, n_rois)
        if found is None:
            continue
        kind, (rows, values) = _kind(series, origin), found
        into = traces.setdefault(kind, np.full((n_rois, values.shape[1]), np.nan, "f4"))
        seen = known.setdefault(kind, np.zeros(n_rois, bool))
        if values.shape[1] == into.shape[1] and not seen[rows].any():
            into[rows], seen[rows] = values, True
            rate = rate or _rate(series)
    everyone = np.ones(n_rois, bool)
    if origin == CAIMAN and "denoised" in known:
        everyone = known["denoised"]
    whole = {kind: t for kind, t in traces.items() if (known[kind] >= everyone).all()}
    length = next((t.shape[1] for t in whole.values()), 0)
    rows = np.flatnonzero(everyone)
    kept = {kind: t[rows] for kind, t in whole.items() if t.shape[1] == length}
    return kept, rate, rows


def _kind(series: h5py.Group, origin: str) -> str:
    name = str(series.name).rpartition("/")[2]
    parent = str(series.parent.name).rpartition("/")[2]
    if parent.startswith("DfOverF"):
        return "dff"
    if origin == CAIMAN and name == "RoiResponseSeries":
        return "denoised"
    return _KINDS.get(name, _KINDS.get(parent, name.lower()))


def _series(
    series: h5py.Group, table: h5py.Group, n_rois: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Return the rows of the table that a series is of, and a trace for each."""
    rois = series["rois"]
    reference = rois.attrs.get("table")
    if reference and series.file[reference].name != table.name:
        return None
    rows = np.asarray(read_whole(rois), np.int64)
    values = np.asarray(read_whole(series["data"]), np.float32)
    if values.ndim == 1:
        values = values[:, None]
    if values.shape[1] != len(rows):
        values = values.T
    single = len(np.unique(rows)) == len(rows) == values.shape[1]
    if not single or not len(rows) or rows.min() < 0 or rows.max() >= n_rois:
        return None
    return rows, values.T


def _rate(series: h5py.Group) -> float | None:
    if "starting_time" in series:
        return float(series["starting_time"].attrs["rate"])
    if "timestamps" in series and len(series["timestamps"]) > 1:
        return float(1 / np.median(np.diff(read_whole(series["timestamps"]))))
    return None


def _columns(table: h5py.Group, n_rois: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the other columns of the table, and who is accepted."""
    scores: dict[str, Any] = {"component": np.arange(n_rois)}
    for name, column in table.items():
        if not isinstance(name, str) or name in _PARTS:
            continue
        if not isinstance(column, h5py.Dataset):
            continue
        if name.lower() == "iscell" and column.shape == (n_rois, 2):
            scores["iscell"] = column[:, 0] > 0.5
            scores["iscell_prob"] = column[:, 1]
            continue
        if column.shape != (n_rois,) or f"{name}_index" in table:
            continue
        if name.endswith("_index") and name.removesuffix("_index") in table:
            continue
        values = read_whole(column)
        if values.dtype.kind in "OS":
            values = np.array(
                [v.decode() if isinstance(v, bytes) else str(v) for v in values], object
            )
        scores["name" if name == "tag_name" else name] = values
    judged = {n.lower(): np.asarray(v) for n, v in scores.items()}
    if "keep" in judged and not any(judged[n].any() for n in _LISTS if n in judged):
        judged.pop("accepted", None)  # nobody accepted or rejected by hand
    for name in ("accepted", "keep", "iscell"):
        if name in judged and judged[name].dtype.kind in "biuf":
            return pd.DataFrame(scores), judged[name].astype(float) > 0.5
    return pd.DataFrame(scores), np.ones(n_rois, bool)
