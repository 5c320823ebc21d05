"""Components: footprints, traces by kind, scores and background of what was found."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import zarr
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.errors import ParameterError, ReadError, WriteError
from napari_mesmerize.history import json_safe

FORMAT = "napari-mesmerize components"
FORMAT_VERSION = 1
TRACE_KINDS = ("raw", "denoised", "residual", "dff", "spikes", "neuropil")


@dataclass(frozen=True)
class Background:
    """What is not a component: a static image plus low-rank images that change in time.

    The background movie is ``static + spatial @ temporal``.

    Attributes
    ----------
    spatial : numpy.ndarray
        Shape (n_pixels, n_modes), pixels in C order of the image shape.
    temporal : numpy.ndarray
        Shape (n_modes, n_frames).
    static : numpy.ndarray
        Shape (n_pixels,); the image that does not change.
    """

    spatial: NDArray[np.float32]
    temporal: NDArray[np.float32]
    static: NDArray[np.float32]


@dataclass(frozen=True)
class Components:
    """Components found in a recording, or ROIs with their traces.

    Attributes
    ----------
    footprints : scipy.sparse.csc_array
        Shape (n_pixels, n_rois), float32; pixels in C order of ``image_shape``. Each
        column has maximum 1, so that traces are in the recording's units at the
        component's brightest pixel.
    image_shape : tuple of int
        (height, width) or (n_planes, height, width).
    traces : dict of str to numpy.ndarray
        Shape (n_rois, n_frames), float32, by kind: ``raw``, ``denoised``, ``residual``,
        ``dff``, ``spikes``, ``neuropil``.
    scores : pandas.DataFrame
        One row per component in the footprints' order: quality scores, and a text column
        ``rejected_because`` where an evaluation wrote one.
    accepted : numpy.ndarray
        Shape (n_rois,), bool.
    roi_ids : tuple of str
        A UUID per component; the index of ``scores``.
    background : Background or None
        What the components lie on.
    frame_rate : float or None
        Hz.
    history : list of dict
        Steps that led here (see :mod:`napari_mesmerize.history`).
    """

    footprints: sparse.csc_array
    image_shape: tuple[int, ...]
    traces: dict[str, NDArray[np.float32]]
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    accepted: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    roi_ids: tuple[str, ...] = ()
    background: Background | None = None
    frame_rate: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def build(
        cls,
        footprints: Any,
        image_shape: Sequence[int],
        traces: Mapping[str, ArrayLike],
        *,
        scores: pd.DataFrame | None = None,
        accepted: ArrayLike | None = None,
        roi_ids: Sequence[str] | None = None,
        background: Background | None = None,
        frame_rate: float | None = None,
        history: Sequence[Mapping[str, Any]] = (),
    ) -> Self:
        """Make components, filling in what is left out and checking that all fits.

        Ids are drawn where none are given; everything is accepted unless said.

        Raises
        ------
        ParameterError
            If shapes disagree; the text says which.
        """
        matrix = sparse.csc_array(footprints, dtype=np.float32)
        matrix.sort_indices()
        n_pixels, n_rois = matrix.shape
        shape = tuple(int(size) for size in image_shape)
        if n_pixels != int(np.prod(shape)):
            raise ParameterError(
                f"Footprints have {n_pixels} pixels, but an image of shape {shape} has "
                f"{int(np.prod(shape))}; pixels are counted in C (row-major) order."
            )
        ids = tuple(roi_ids) if roi_ids is not None else new_roi_ids(n_rois)
        if scores is None:
            scores = pd.DataFrame(index=range(n_rois))
        if accepted is None:
            accepted = np.ones(n_rois, bool)
        accepted = np.asarray(accepted, bool)
        table = {kind: np.asarray(t, np.float32) for kind, t in traces.items()}
        n_frames = {t.shape[-1] for t in table.values()}
        for name, length in {
            "roi_ids": len(ids),
            "scores": len(scores),
            "accepted": len(accepted),
            **{f"traces['{kind}']": len(t) for kind, t in table.items()},
        }.items():
            if length != n_rois:
                raise ParameterError(
                    f"{name} has {length} rows, but there are {n_rois} footprints."
                )
        if len(n_frames) > 1 or any(t.ndim != 2 for t in table.values()):
            shapes = {kind: t.shape for kind, t in table.items()}
            raise ParameterError(
                f"Traces must all have shape (n_rois, n_frames); these have {shapes}."
            )
        if len(set(ids)) != n_rois:
            raise ParameterError(
                f"roi_ids must differ; {n_rois - len(set(ids))} repeat."
            )
        scores = scores.copy()
        scores.index = pd.Index(ids, name="roi_id", dtype=object)
        return cls(
            footprints=matrix,
            image_shape=shape,
            traces=table,
            scores=scores,
            accepted=accepted,
            roi_ids=ids,
            background=background,
            frame_rate=frame_rate,
            history=[dict(step) for step in history],
        )

    def __len__(self) -> int:
        return int(self.footprints.shape[1])

    @property
    def n_frames(self) -> int:
        """Number of frames of the traces; 0 without traces."""
        return next((t.shape[1] for t in self.traces.values()), 0)

    def select(self, which: ArrayLike) -> "Components":
        """Return some of the components, all parts kept in step.

        Parameters
        ----------
        which : array_like
            Shape (n_rois,) bool, or positions.
        """
        index = np.asarray(which)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(int)
        return replace(
            self,
            footprints=sparse.csc_array(self.footprints[:, index]),
            traces={kind: t[index] for kind, t in self.traces.items()},
            scores=self.scores.iloc[index],
            accepted=self.accepted[index],
            roi_ids=tuple(self.roi_ids[i] for i in index),
        )

    def footprint_image(self, position: int) -> NDArray[np.float32]:
        """Return one footprint as an image of ``image_shape``."""
        column = self.footprints[:, [position]].toarray()
        return np.asarray(column, np.float32).reshape(self.image_shape)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write everything to a Zarr folder, whole or not at all.

        Raises
        ------
        WriteError
            If ``path`` exists and ``overwrite`` is false, or can not be written.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise WriteError(
                f"{path} exists; choose another name or say overwrite=True."
            )
        parts = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            _write(self, parts)
            if path.exists():
                _swap(parts, path)
            else:
                parts.rename(path)
        except OSError as error:
            raise WriteError(
                f"Components were not written to {path}: {error}. Nothing was changed "
                "there; free space or choose a folder you may write to."
            ) from error
        finally:
            shutil.rmtree(parts, ignore_errors=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ReadError
            If ``path`` is no such folder, is damaged, or is of a newer version.
        """
        path = Path(path)
        try:
            return _read(cls, path)
        except (KeyError, ValueError, OSError) as error:
            if isinstance(error, ReadError):
                raise
            raise ReadError(
                f"{path} can not be read as components: {error}. Expected a Zarr "
                "folder written by Components.save."
            ) from error


def new_roi_ids(n_rois: int) -> tuple[str, ...]:
    """Return ``n_rois`` new UUIDs."""
    return tuple(str(uuid.uuid4()) for _ in range(n_rois))


def _swap(parts: Path, path: Path) -> None:
    """Put ``parts`` in the place of ``path``; on failure ``path`` is as before."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
    path.rename(aside)
    try:
        parts.rename(path)
    except OSError:
        aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _write(components: Components, path: Path) -> None:
    matrix = components.footprints
    root = zarr.create_group(path)
    root.attrs.update(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        image_shape=list(components.image_shape),
        frame_rate=components.frame_rate,
        roi_ids=list(components.roi_ids),
        history=json_safe(components.history),
        scores=[
            {"name": str(name), "dtype": _score_dtype(column)}
            for name, column in components.scores.items()
        ],
    )
    group = root.create_group("footprints")
    for name in ("data", "indices", "indptr"):
        _put(group, name, getattr(matrix, name))
    _put(root, "accepted", components.accepted)
    group = root.create_group("traces")
    for kind, traces in components.traces.items():
        _put(group, kind, traces)
    group = root.create_group("scores")
    for name, column in components.scores.items():
        if _score_dtype(column) == "str":
            group.attrs[str(name)] = ["" if pd.isna(v) else str(v) for v in column]
        else:
            _put(group, str(name), column.to_numpy())
    if components.background is not None:
        group = root.create_group("background")
        for name in ("spatial", "temporal", "static"):
            _put(group, name, getattr(components.background, name))


def _score_dtype(column: "pd.Series[Any]") -> str:
    return "array" if column.dtype.kind in "buif" else "str"


def _put(group: zarr.Group, name: str, array: NDArray[Any]) -> None:
    chunks = tuple(max(1, size) for size in array.shape)
    if array.nbytes > 2**26:
        chunks = (max(1, 2**26 * len(array) // array.nbytes), *chunks[1:])
    group.create_array(name, data=np.ascontiguousarray(array), chunks=chunks)


def _get(group: zarr.Group, name: str) -> NDArray[Any]:
    return np.asarray(group[name][...])  # type: ignore[index]


def _read(cls: type[Any], path: Path) -> Any:
    if not path.is_dir():
        raise ReadError(
            f"{path} is no folder; expected one written by Components.save."
        )
    root = zarr.open_group(path, mode="r")
    attrs = dict(root.attrs)
    if attrs.get("format") != FORMAT:
        raise ReadError(
            f"{path} says it holds '{attrs.get('format')}', expected '{FORMAT}'."
        )
    version = int(attrs["format_version"])  # type: ignore[call-overload]
    if version > FORMAT_VERSION:
        raise ReadError(
            f"{path} has format version {version}, written by a newer napari-mesmerize; "
            f"this one reads up to {FORMAT_VERSION}. Upgrade: pip install -U "
            "napari-mesmerize."
        )
    shape = tuple(attrs["image_shape"])  # type: ignore[arg-type]
    ids = list(attrs["roi_ids"])  # type: ignore[arg-type]
    parts = tuple(_get(root, f"footprints/{n}") for n in ("data", "indices", "indptr"))
    matrix = sparse.csc_array(parts, shape=(int(np.prod(shape)), len(ids)))
    scores = pd.DataFrame(index=range(len(ids)))
    for entry in attrs["scores"]:  # type: ignore[union-attr]
        name = entry["name"]  # type: ignore[index,call-overload]
        if entry["dtype"] == "str":  # type: ignore[index,call-overload]
            scores[name] = list(root["scores"].attrs[name])  # type: ignore[arg-type]
        else:
            scores[name] = _get(root, f"scores/{name}")
    background = None
    if "background" in root:
        background = Background(
            **{
                n: _get(root, f"background/{n}")
                for n in ("spatial", "temporal", "static")
            }
        )
    traces_group = root["traces"]
    kinds = list(traces_group.array_keys())  # type: ignore[union-attr]
    return cls.build(
        matrix,
        shape,
        {kind: _get(root, f"traces/{kind}") for kind in kinds},
        scores=scores,
        accepted=_get(root, "accepted"),
        roi_ids=ids,
        background=background,
        frame_rate=attrs["frame_rate"],
        history=attrs["history"],  # type: ignore[arg-type]
    )
