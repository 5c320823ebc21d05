"""Components as an HDF5 file that CaImAn's ``load_CNMF`` reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.io.hdf5 import writing_hdf5

_NOTHING = "NoneType"
_ABSENT = (
    "A_thr",
    "Ab",
    "W",
    "b0",
    "center",
    "discarded_components",
    "ecc",
    "g",
    "sn",
    "R",
    "noisyC",
    "C_on",
    "OASISinstances",
    "bl",
    "c1",
    "lam",
    "neurons_sn",
)
_SCORES = {"SNR_comp": "snr", "r_values": "r_value", "cnn_preds": "cnn"}


def write_caiman(
    components: Components,
    path: str | Path,
    *,
    images: Mapping[str, ArrayLike] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write components as CaImAn would save them.

    Parameters
    ----------
    components : Components
        Traces ``denoised`` (or else ``raw``) become C, ``residual`` (or ``raw`` minus
        ``denoised``) YrA, ``spikes`` S, ``dff`` F_dff.
    path : path
        The ``.hdf5`` file.
    images : mapping, optional
        ``correlation`` (Cn) and ``mean`` (mn).
    overwrite : bool, optional
        Whether a file of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written. Footprints are in CaImAn's Fortran order; which components
        are accepted is in ``idx_components``.

    Raises
    ------
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    Use it to go on in CaImAn (``load_CNMF``). CaImAn keeps ``C`` and ``YrA``, so give
    components of an extraction; for ROIs with ``raw`` traces alone, NWB or CSV says
    more plainly what they are.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((2, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 9:13, 9:14] = 1
    >>> components = Components.build(
    ...     footprints_from_masks(masks),
    ...     image_shape=(16, 16),
    ...     traces={"raw": np.ones((2, 20))},
    ...     frame_rate=10.0,
    ... )
    >>> from napari_mesmerize.io.results import read_results, write_caiman
    >>> path = write_caiman(components, "cells.hdf5")
    >>> len(read_results(path))
    2
    """
    path = Path(path)
    dims = _dims(components.image_shape)
    with (
        written_whole(path, overwrite=overwrite) as parts,
        writing_hdf5(),
        h5py.File(parts, "x") as file,
    ):
        estimates = file.create_group("estimates")
        _write_matrix(estimates, components)
        arrays = {**_traces(components), **_scores(components)}
        arrays |= _background(components)
        for name, key in {"Cn": "correlation", "mn": "mean"}.items():
            image = (images or {}).get(key)
            arrays[name] = None if image is None else _to_dims(np.asarray(image))
        arrays |= {"dims": np.array(dims), "nr": len(components)}
        arrays |= dict.fromkeys(_ABSENT)
        for name, values in arrays.items():
            estimates[name] = _NOTHING if values is None else values
        file["dims"] = np.array(dims)
        file["dview"] = _NOTHING
        file["remove_very_bad_comps"] = False
        file["skip_refinement"] = False
        for name, value in _params(components, dims).items():
            file[f"params/{name}"] = _NOTHING if value is None else value
    return path


def _params(components: Components, dims: tuple[int, ...]) -> dict[str, Any]:
    """Return what CaImAn's evaluation needs, as far as the history says it."""
    found = {"data/dims": np.array(dims), "data/fr": components.frame_rate}
    used = [step.get("params", {}) for step in components.history]
    known = {key: value for params in used for key, value in params.items()}
    diameter, decay = known.get("cell_diameter"), known.get("decay_time_s")
    if isinstance(diameter, int | float) and diameter > 0:
        found["init/gSig"] = np.full(len(dims), diameter / 2)
    if isinstance(decay, int | float) and decay > 0:
        found["data/decay_time"] = float(decay)
    return found


def _dims(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def _to_dims(image: NDArray[Any]) -> NDArray[Any]:
    return image.transpose(1, 2, 0) if image.ndim == 3 else image


def _order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return, for each pixel in CaImAn's order, its number in C order."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    return _to_dims(numbers).ravel(order="F")


def _write_matrix(group: h5py.Group, components: Components) -> None:
    order = _order(components.image_shape)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    old = components.footprints
    matrix = sparse.csc_array(
        (old.data.astype(np.float64), place[old.indices], old.indptr), shape=old.shape
    )
    matrix.sort_indices()
    target = group.create_group("A")
    target["data"] = matrix.data
    target["indices"] = matrix.indices.astype(np.int32)
    target["indptr"] = matrix.indptr.astype(np.int32)
    target["shape"] = np.array(matrix.shape, np.int64)


def _traces(components: Components) -> dict[str, Any]:
    traces = components.traces
    shape = (len(components), components.n_frames)
    calcium = traces.get("denoised", traces.get("raw", np.zeros(shape, np.float32)))
    residual = traces.get("residual")
    if residual is None and "raw" in traces:
        residual = traces["raw"] - calcium
    return {
        "C": calcium,
        "YrA": np.zeros_like(calcium) if residual is None else residual,
        "S": traces.get("spikes", np.zeros(shape, np.float32)),
        "F_dff": traces.get("dff"),
    }


def _scores(components: Components) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, column in _SCORES.items():
        known = column in components.scores
        found[name] = components.scores[column].to_numpy(float) if known else None
    found["idx_components"] = np.flatnonzero(components.accepted)
    found["idx_components_bad"] = np.flatnonzero(~components.accepted)
    return found


def _background(components: Components) -> dict[str, Any]:
    background = components.background
    if background is None:
        return {"b": None, "f": None}
    order = _order(components.image_shape)
    spatial, temporal = background.spatial, background.temporal
    if background.static.any():
        spatial = np.column_stack([spatial, background.static])
        temporal = np.vstack([temporal, np.ones(temporal.shape[1], np.float32)])
    return {"b": spatial[order].astype(np.float64), "f": temporal.astype(np.float64)}
