"""Components: footprints, traces by kind, scores and background of what was found."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.atomic import settle, written_whole
from napari_mesmerize.data.components_zarr import FORMAT, FORMAT_VERSION, read, write
from napari_mesmerize.errors import (
    LIBRARIES,
    ParameterError,
    ReadError,
    reading,
)

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "TRACE_KINDS",
    "Background",
    "Components",
    "new_roi_ids",
]

_LIBRARIES = LIBRARIES | {"pandas", "scipy"}  # which check what was stored
_REMEDY = "Expected a Zarr folder written by Components.save."
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
        One row per component in the footprints' order: quality scores, and a text
        column ``rejected_because`` where an evaluation wrote one.
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

    Notes
    -----
    Make one with :meth:`build`, which checks that all parts fit; engines and
    :func:`~napari_mesmerize.io.results.read_results` return one. It is frozen:
    functions that change components return new ones. For ROIs that you only draw and
    tag, an ROI table (:mod:`napari_mesmerize.data.rois`) is enough.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((2, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 9:13, 9:13] = 1
    >>> components = Components.build(
    ...     footprints_from_masks(masks),
    ...     image_shape=(16, 16),
    ...     traces={"raw": np.ones((2, 100))},
    ...     frame_rate=15.0,
    ... )
    >>> len(components), components.n_frames
    (2, 100)
    >>> len(components.select([True, False]))
    1
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
        """Make components, fill in what is left out, and check that all parts fit.

        Parameters
        ----------
        footprints : array_like or sparse matrix
            Shape (n_pixels, n_rois); pixels in C order of ``image_shape``.
        image_shape : sequence of int
            (height, width) or (n_planes, height, width).
        traces : mapping
            Arrays (n_rois, n_frames) by kind; may be empty.
        scores : pandas.DataFrame, optional
            One row per component.
        accepted : array_like, optional
            Shape (n_rois,), bool; by default all are accepted.
        roi_ids : sequence of str, optional
            By default new UUIDs.
        background : Background, optional
            What the components lie on.
        frame_rate : float, optional
            Hz.
        history : sequence, optional
            Steps that led here.

        Returns
        -------
        Components
            The components, frozen.

        Raises
        ------
        ParameterError
            If shapes disagree; the text says which.
        """
        shape = tuple(int(size) for size in image_shape)
        matrix = _check_footprints(footprints, shape)
        n_rois = int(matrix.shape[1])
        ids = new_roi_ids(n_rois) if roi_ids is None else tuple(map(str, roi_ids))
        keep = np.ones(n_rois, bool) if accepted is None else np.asarray(accepted, bool)
        for name, length in {"roi_ids": len(ids), "accepted": keep.size}.items():
            if length != n_rois:
                raise ParameterError(
                    f"{name} has {length} rows, but there are {n_rois} footprints."
                )
        if len(set(ids)) != n_rois:
            raise ParameterError(
                f"roi_ids must differ; {n_rois - len(set(ids))} repeat."
            )
        if frame_rate is not None and not (
            math.isfinite(frame_rate) and frame_rate > 0
        ):
            raise ParameterError(f"frame_rate={frame_rate}; expected Hz above 0.")
        checked = _check_traces(traces, n_rois)
        n_frames = next((t.shape[1] for t in checked.values()), None)
        return cls(
            footprints=matrix,
            image_shape=shape,
            traces=checked,
            scores=_check_scores(scores, ids),
            accepted=keep,
            roi_ids=ids,
            background=_check_background(background, matrix.shape[0], n_frames),
            frame_rate=None if frame_rate is None else float(frame_rate),
            history=[dict(step) for step in history],
        )

    def __len__(self) -> int:
        return int(self.footprints.shape[1])

    @property
    def n_frames(self) -> int:
        """Number of frames of the traces; 0 without traces."""
        return next((t.shape[1] for t in self.traces.values()), 0)

    def select(self, which: ArrayLike) -> "Components":
        """Return some of the components, with all their parts.

        Parameters
        ----------
        which : array_like
            Shape (n_rois,) bool, or positions.

        Returns
        -------
        Components
            The selected ones, in the order of ``which``.

        Raises
        ------
        ParameterError
            If the mask has another length or a position is out of range.
        """
        index, n = np.asarray(which), len(self)
        if index.dtype == bool and index.shape != (n,):
            raise ParameterError(
                f"The mask has shape {index.shape}; there are {n} components."
            )
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(int)
        if index.ndim != 1 or ((index < -n) | (index >= n)).any():
            raise ParameterError(
                f"Positions must be a list of numbers from 0 to {n - 1}."
            )
        return replace(
            self,
            footprints=sparse.csc_array(self.footprints[:, index]),
            traces={kind: t[index] for kind, t in self.traces.items()},
            scores=self.scores.iloc[index],
            accepted=self.accepted[index],
            roi_ids=tuple(self.roi_ids[i] for i in index),
        )

    def footprint_image(self, position: int) -> NDArray[np.float32]:
        """Return one footprint as an image of ``image_shape``.

        Parameters
        ----------
        position : int
            Which component.

        Returns
        -------
        numpy.ndarray
            Shape ``image_shape``, float32.
        """
        column = self.footprints[:, [position]].toarray()
        return np.asarray(column, np.float32).reshape(self.image_shape)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write everything to a Zarr folder, whole or not at all.

        Parameters
        ----------
        path : path
            The folder, such as ``cells.zarr``.
        overwrite : bool, optional
            Whether a folder of that name may be replaced.

        Raises
        ------
        WriteError
            If ``path`` exists and ``overwrite`` is false, or can not be written.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_mesmerize import Components
        >>> footprints = np.eye(16)[:, :2]
        >>> components = Components.build(footprints, (4, 4), {"raw": np.ones((2, 9))})
        >>> components.save("cells.zarr")
        >>> Components.load("cells.zarr").roi_ids == components.roi_ids
        True
        """
        with written_whole(Path(path), overwrite=overwrite) as parts:
            write(self, parts)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path
            The folder.

        Returns
        -------
        Components
            As they were saved.

        Raises
        ------
        ReadError
            If ``path`` is not such a folder, is damaged, or is of a newer version.
        """
        path = Path(path)
        if not path.exists():
            settle(path)
        try:
            with reading(path, "components", remedy=_REMEDY, libraries=_LIBRARIES):
                return cls.build(**_with_background(read(path)))
        except ParameterError as error:
            raise ReadError(
                f"{path} can not be read as components: {error} {_REMEDY}"
            ) from error


def new_roi_ids(n_rois: int) -> tuple[str, ...]:
    """Return ``n_rois`` new UUIDs.

    Parameters
    ----------
    n_rois : int
        How many ids.

    Returns
    -------
    tuple of str
        As many UUIDs, all different.

    Notes
    -----
    Use it for the index of an ROI table that you make by hand. Do not give old ROIs new
    ids: journals and histories refer to ROIs by id.

    Examples
    --------
    >>> from napari_mesmerize.data.components import new_roi_ids
    >>> len(set(new_roi_ids(3)))
    3
    """
    return tuple(str(uuid.uuid4()) for _ in range(n_rois))


def _with_background(stored: dict[str, Any]) -> dict[str, Any]:
    background = stored["background"]
    return stored | {"background": background and Background(**background)}


def _check_footprints(
    footprints: Any, image_shape: tuple[int, ...]
) -> "sparse.csc_array[Any]":
    """Return footprints as a float32 matrix, pixels sorted, the input untouched."""
    matrix = sparse.csc_array(footprints, dtype=np.float32)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    n_pixels = math.prod(image_shape)
    if len(image_shape) not in (2, 3) or matrix.shape[0] != n_pixels:
        raise ParameterError(
            f"Footprints have {matrix.shape[0]} pixels, but an image of shape "
            f"{image_shape} has {n_pixels}; pixels are counted in C (row-major) order "
            "of (height, width) or (n_planes, height, width)."
        )
    return matrix


def _check_traces(
    traces: Mapping[str, ArrayLike], n_rois: int
) -> dict[str, NDArray[np.float32]]:
    table = {str(kind): np.asarray(t, np.float32) for kind, t in traces.items()}
    shapes = {kind: t.shape for kind, t in table.items()}
    if any(len(shape) != 2 or shape[0] != n_rois for shape in shapes.values()) or (
        len(set(shapes.values())) > 1
    ):
        raise ParameterError(
            f"Traces must all have shape ({n_rois}, n_frames), a row per footprint; "
            f"these have {shapes}."
        )
    return table


def _check_scores(scores: pd.DataFrame | None, ids: tuple[str, ...]) -> pd.DataFrame:
    """Return a copy of the scores with the ids as index, in their order."""
    index = pd.Index(ids, name="roi_id", dtype=object)
    if scores is None:
        return pd.DataFrame(index=index)
    if len(scores) != len(ids):
        raise ParameterError(
            f"scores has {len(scores)} rows, but there are {len(ids)} footprints."
        )
    if scores.index.name == "roi_id":  # rows may be in another order
        if set(scores.index) != set(ids):
            raise ParameterError(
                "The index of scores holds other ids than roi_ids; rows can not be "
                "matched with footprints."
            )
        scores = scores.loc[list(ids)]
    scores = scores.copy()
    scores.index = index
    return scores


def _check_background(
    background: Background | None, n_pixels: int, n_frames: int | None
) -> Background | None:
    if background is None:
        return None
    parts = {
        name: np.asarray(getattr(background, name), np.float32)
        for name in ("spatial", "temporal", "static")
    }
    shapes = {name: part.shape for name, part in parts.items()}
    spatial, temporal = shapes["spatial"], shapes["temporal"]
    if (
        len(spatial) != 2
        or len(temporal) != 2
        or spatial != (n_pixels, temporal[0])
        or shapes["static"] != (n_pixels,)
        or n_frames not in (None, temporal[1])
    ):
        raise ParameterError(
            f"The background has shapes {shapes}; expected spatial ({n_pixels}, "
            f"n_modes), temporal (n_modes, {n_frames or 'n_frames'}) and static "
            f"({n_pixels},)."
        )
    return Background(**parts)
