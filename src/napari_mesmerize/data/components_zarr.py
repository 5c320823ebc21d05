"""Components as a Zarr folder: what ``Components.save`` writes and ``load`` reads."""

import functools
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from scipy import sparse

from napari_mesmerize.atomic import carry_over
from napari_mesmerize.errors import ReadError
from napari_mesmerize.history import json_safe

FORMAT = "napari-mesmerize components"
FORMAT_VERSION = 1
_CHUNK_BYTES = 2**26


def write(components: Any, path: Path, *, earlier: Path | None = None) -> None:
    """Write components into a new Zarr folder.

    Parameters
    ----------
    components : Components
        What to write.
    path : pathlib.Path
        The new folder.
    earlier : pathlib.Path, optional
        Such a folder of earlier components; its arrays that hold the same values are
        carried over (see :func:`~napari_mesmerize.atomic.carry_over`).
    """
    matrix = components.footprints
    root = zarr.create_group(path)
    put = functools.partial(_put, path, earlier)
    root.attrs.update(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        image_shape=list(components.image_shape),
        frame_rate=components.frame_rate,
        roi_ids=list(components.roi_ids),
        history=json_safe(components.history),
        traces=list(components.traces),
        remarks=json_safe(components.scores.attrs),
        scores=[
            {"name": str(name), "dtype": _score_dtype(column)}
            for name, column in components.scores.items()
        ],
    )
    group = root.create_group("footprints")
    for name in ("data", "indices", "indptr"):
        put(group, name, getattr(matrix, name))
    put(root, "accepted", components.accepted)
    group = root.create_group("traces")
    for kind, traces in components.traces.items():
        put(group, _key(kind), traces)
    group = root.create_group("scores")
    for name, column in components.scores.items():
        if _score_dtype(column) == "str":
            group.attrs[str(name)] = ["" if pd.isna(v) else str(v) for v in column]
        else:
            put(group, _key(str(name)), _numbers(column))
    if components.background is not None:
        group = root.create_group("background")
        for name in ("spatial", "temporal", "static"):
            put(group, name, getattr(components.background, name))


def _score_dtype(column: "pd.Series[Any]") -> str:
    return "array" if column.dtype.kind in "buif" else "str"


def _numbers(column: "pd.Series[Any]") -> NDArray[Any]:
    """Return a column of numbers as an array; missing values become NaN."""
    if isinstance(column.dtype, np.dtype) or not column.isna().any():
        return column.to_numpy(dtype=column.dtype.type)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _key(name: str) -> str:
    """Return the name of an array: ``name``, with signs that paths forbid escaped."""
    return quote(name, safe=" ()[]+-=,").replace(".", "%2E") or "%"


def _put(
    path: Path,
    earlier: Path | None,
    group: zarr.Group,
    name: str,
    array: NDArray[Any],
) -> None:
    place = f"{group.path}/{name}".lstrip("/")
    if earlier is not None and _holds(earlier, place, array):
        carry_over(earlier / place, path / place)
        return
    chunks = tuple(max(1, size) for size in array.shape)
    if array.nbytes > _CHUNK_BYTES:
        chunks = (max(1, _CHUNK_BYTES * len(array) // array.nbytes), *chunks[1:])
    group.create_array(name, data=np.ascontiguousarray(array), chunks=chunks)


def _holds(folder: Path, place: str, array: NDArray[Any]) -> bool:
    """Return whether a Zarr folder holds an array, equal bit by bit."""
    try:
        stored = zarr.open_array(folder / place, mode="r")
        if (stored.shape, stored.dtype) != (array.shape, array.dtype):
            return False
        step = max(1, stored.chunks[0])
        return all(
            np.asarray(stored[i : i + step]).tobytes() == array[i : i + step].tobytes()
            for i in range(0, len(array), step)
        )
    except (LookupError, ValueError, TypeError, RuntimeError, OSError):
        return False  # absent or damaged: it is written again


def _get(group: zarr.Group, name: str) -> NDArray[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise ReadError(f"{group.store} can not be read as components: no '{name}'.")
    return np.asarray(array[...])


class _Stored(BaseModel):
    """What the attributes of a folder say of its components."""

    format_version: int
    image_shape: tuple[int, ...]
    roi_ids: list[str]
    traces: list[str]
    scores: list[dict[str, str]]
    frame_rate: float | None
    history: list[dict[str, Any]]
    remarks: dict[str, Any] | None = None


def read(path: Path) -> dict[str, Any]:
    """Read what :func:`write` wrote, as the arguments of ``Components.build``."""
    if not path.is_dir():
        raise ReadError(
            f"{path} is no folder; expected one written by Components.save."
        )
    root = zarr.open_group(path, mode="r")
    attrs: dict[str, Any] = dict(root.attrs)
    if attrs.get("format") != FORMAT:
        raise ReadError(
            f"{path} says it holds '{attrs.get('format')}', expected '{FORMAT}'."
        )
    version = attrs.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ReadError(
            f"{path} has format version {version}, written by a newer "
            f"napari-mesmerize; this one reads up to {FORMAT_VERSION}. Upgrade: "
            "pip install -U napari-mesmerize."
        )
    stored = _said_by(path, attrs)
    shape, ids = stored.image_shape, stored.roi_ids
    data, indices, indptr = (
        _get(root, f"footprints/{name}") for name in ("data", "indices", "indptr")
    )
    matrix = sparse.csc_array(
        (data, indices, indptr), shape=(int(np.prod(shape)), len(ids))
    )
    background = None
    if "background" in root:
        names = ("spatial", "temporal", "static")
        background = {name: _get(root, f"background/{name}") for name in names}
    scores = _read_scores(root, stored.scores, len(ids))
    scores.attrs.update(stored.remarks or {})
    return {
        "footprints": matrix,
        "image_shape": shape,
        "traces": {kind: _get(root, f"traces/{_key(kind)}") for kind in stored.traces},
        "scores": scores,
        "accepted": _get(root, "accepted"),
        "roi_ids": ids,
        "background": background,
        "frame_rate": stored.frame_rate,
        "history": stored.history,
    }


def _said_by(path: Path, attributes: dict[str, Any]) -> _Stored:
    """Return the attributes of a folder, if they are what components have."""
    try:
        return _Stored.model_validate(attributes)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReadError(
            f"{path} can not be read as components: its attribute '{place}' is wrong "
            f"({first['msg']}). It is damaged; restore it from a backup."
        ) from error


def _read_scores(
    root: zarr.Group, entries: list[dict[str, str]], n_rois: int
) -> pd.DataFrame:
    texts: dict[str, Any] = dict(root["scores"].attrs)
    columns: dict[str, Any] = {}
    for entry in entries:
        name = entry.get("name", "")
        if entry.get("dtype") == "str":
            columns[name] = pd.Series(texts.get(name), dtype=str)
        else:
            columns[name] = _get(root, f"scores/{_key(name)}")
    return pd.DataFrame(columns, index=range(n_rois))
