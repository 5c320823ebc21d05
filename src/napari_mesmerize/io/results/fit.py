"""Do imported results fit the open recording? If not: how to turn them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Background, Components
from napari_mesmerize.errors import ParameterError

_N_ROIS = 40
_N_FRAMES = 240
_BETTER_BY = 0.15
_GOOD = 0.3

_MOVES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "none": lambda image: image,
    "transpose": lambda image: np.swapaxes(image, -1, -2),
    "flip_y": lambda image: image[..., ::-1, :],
    "flip_x": lambda image: image[..., ::-1],
    "rotate_180": lambda image: image[..., ::-1, ::-1],
    "transpose_flip_y": lambda image: np.swapaxes(image, -1, -2)[..., ::-1, :],
    "transpose_flip_x": lambda image: np.swapaxes(image, -1, -2)[..., ::-1],
    "transpose_rotate_180": lambda image: np.swapaxes(image, -1, -2)[..., ::-1, ::-1],
}
ORIENTATIONS = tuple(_MOVES)


@dataclass(frozen=True)
class Finding:
    """Something that does not fit between results and a recording.

    Attributes
    ----------
    kind : str
        ``shape``, ``frames``, ``frame_rate``, ``empty``, ``orientation`` or ``traces``.
    message : str
        What was found, what was expected and what to do.
    suggestion : str
        For :func:`reorient`, such as ``transpose``; empty if there is none.
    """

    kind: str
    message: str
    suggestion: str = ""


def check_fit(components: Components, recording: xr.DataArray) -> list[Finding]:
    """Compare results with the recording that they should belong to.

    Some frames are read at the strongest ROIs. If the traces match the brightness of
    the pixels only in another orientation of the footprints, that orientation is
    suggested.

    Parameters
    ----------
    components : Components
        Imported results.
    recording : xarray.DataArray
        The open recording.

    Returns
    -------
    list of Finding
        One entry for each thing that does not fit; empty if everything fits.

    Notes
    -----
    Use it after :func:`read_results`, before you trust where the ROIs lie: programs
    store rows and columns in different orders. An empty list means that nothing
    contradicts; with silent ROIs or without traces, the orientation cannot be checked.
    Some frames are read.

    Examples
    --------
    >>> from napari_mesmerize import Components, extract_traces, simulate
    >>> from napari_mesmerize.io.results import check_fit
    >>> recording, truth = simulate("2p-small", seed=1, shape=(60, 48, 48), n_cells=4)
    >>> raw = extract_traces(recording, truth.footprints)
    >>> check_fit(
    ...     Components.build(truth.footprints, (48, 48), {"raw": raw}, frame_rate=15.0),
    ...     recording,
    ... )
    []
    """
    findings = []
    shape = tuple(int(size) for size in recording.shape[1:])
    n_frames, has_traces = components.n_frames, bool(components.traces)
    if has_traces and n_frames != recording.sizes["frame"]:
        findings.append(
            Finding(
                "frames",
                f"The traces have {n_frames} frames, the recording has "
                f"{recording.sizes['frame']}; open the recording that they were "
                "extracted from, or the same range of frames.",
            )
        )
    said, rate = components.frame_rate, recording.attrs.get("frame_rate")
    if said is not None and rate is not None and abs(said - rate) > 0.01 * rate:
        findings.append(
            Finding(
                "frame_rate",
                f"The results say {said:g} Hz, the recording {rate:g} Hz; set the "
                "right one before times in seconds are used.",
            )
        )
    empty = int((np.diff(components.footprints.indptr) == 0).sum())
    if empty:
        findings.append(
            Finding("empty", f"{empty} of {len(components)} footprints have no pixels.")
        )
    possible = [name for name in ORIENTATIONS if _turned(components, name) == shape]
    if not possible:
        message = (
            f"The results are of images of shape {components.image_shape}, the "
            f"recording's have {shape}; they are of another recording, or it was "
            "cropped or binned."
        )
        return [*findings, Finding("shape", message)]
    if not has_traces or n_frames > recording.sizes["frame"] or len(components) == 0:
        if "none" not in possible:
            findings.append(_shape_finding(components, shape, possible[0]))
        return findings
    return findings + _check_traces(components, recording, possible, shape)


def _turned(components: Components, orientation: str) -> tuple[int, ...]:
    return tuple(_MOVES[orientation](np.empty(components.image_shape, bool)).shape)


def _shape_finding(
    components: Components, shape: tuple[int, ...], suggestion: str
) -> Finding:
    return Finding(
        "shape",
        f"The results are of images of shape {components.image_shape}, the recording's "
        f"have {shape}: height and width are exchanged. Apply: {suggestion}.",
        suggestion,
    )


def _check_traces(
    components: Components,
    recording: xr.DataArray,
    possible: list[str],
    shape: tuple[int, ...],
) -> list[Finding]:
    kind = next(
        (k for k in ("raw", "corrected", "denoised") if k in components.traces),
        next(iter(components.traces)),
    )
    traces = components.traces[kind]
    rois, frames = _strongest(traces)
    if rois.size == 0 or frames.size < 3:
        return []
    pixels = recording[frames].to_numpy().reshape(len(frames), -1).astype(np.float32)
    chosen = components.select(rois)
    scores = {}
    for orientation in possible:
        matrix = reorient(chosen, orientation).footprints
        weights = np.asarray(matrix.sum(axis=0)).ravel()
        seen = (
            np.asarray(matrix.T @ pixels.T) / np.where(weights > 0, weights, 1)[:, None]
        )
        scores[orientation] = _agreement(seen, traces[np.ix_(rois, frames)])
    best = max(scores, key=lambda name: scores[name])
    own = scores.get("none", -1.0)
    if best != "none" and scores[best] > _GOOD and scores[best] > own + _BETTER_BY:
        how = f"r = {scores[best]:.2f}" + (f" instead of {own:.2f}" if own > -1 else "")
        message = (
            f"The traces match the recording's pixels if the footprints are turned "
            f"({best}: {how}); rows and columns were stored in another order. Apply: "
            f"{best}."
        )
        return [Finding("orientation", message, best)]
    if "none" not in possible:
        return [_shape_finding(components, shape, best)]
    if own < _GOOD:
        message = (
            f"The traces do not match the recording's pixels in any orientation (r = "
            f"{own:.2f}). The results may belong to another recording, to this one "
            "before its motion was corrected, or to other frames."
        )
        return [Finding("traces", message)]
    return []


def _strongest(
    traces: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ROIs with the most skewed traces, and frames in which they differ."""
    finite = np.nan_to_num(traces)
    spread = finite.std(axis=1)
    rois = np.argsort(-spread, kind="stable")[:_N_ROIS]
    rois = np.sort(rois[spread[rois] > 0])
    n_frames = traces.shape[1]
    if rois.size == 0:
        return rois, np.zeros(0, np.int64)
    activity = (
        (finite[rois] - finite[rois].mean(1)[:, None]) / spread[rois][:, None]
    ).max(0)
    active = np.argsort(-activity, kind="stable")[: _N_FRAMES // 2]
    even = np.linspace(0, n_frames - 1, min(n_frames, _N_FRAMES // 2)).astype(int)
    return rois, np.union1d(active, even)


def _agreement(seen: NDArray[Any], traces: NDArray[Any]) -> float:
    """Return the median correlation of rows that vary."""
    a = seen - seen.mean(axis=1, keepdims=True)
    b = np.nan_to_num(traces - np.nanmean(traces, axis=1, keepdims=True))
    norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    products = (a * b).sum(1)
    valid = norms > 0
    return float(np.median(products[valid] / norms[valid])) if valid.any() else 0.0


def reorient(components: Components, orientation: str) -> Components:
    """Return components whose footprints (and background) are turned.

    Parameters
    ----------
    components : Components
        What to turn.
    orientation : str
        One of ``ORIENTATIONS``: ``transpose`` exchanges y and x, ``flip_y`` turns the
        image upside down, ...

    Returns
    -------
    Components
        The same components with turned footprints; traces and scores are as they were.

    Raises
    ------
    ParameterError
        If there is no such orientation.

    Notes
    -----
    Use it with the ``suggestion`` of a :class:`Finding`. Do not turn the recording
    instead: everything else that belongs to it would have to be turned, too.

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
    >>> from napari_mesmerize.io.results import reorient
    >>> turned = reorient(components, "transpose")
    >>> bool((turned.footprint_image(1) == components.footprint_image(1).T).all())
    True
    """
    if orientation not in _MOVES:
        raise ParameterError(
            f"orientation={orientation!r} is unknown; use one of {', '.join(_MOVES)}."
        )
    if orientation == "none":
        return components
    numbers = np.arange(int(np.prod(components.image_shape)))
    turned = _MOVES[orientation](numbers.reshape(components.image_shape))
    old = components.footprints
    place = np.empty_like(numbers)
    place[turned.ravel()] = numbers
    matrix = sparse.csc_array(
        (old.data, place[old.indices], old.indptr), shape=old.shape
    )
    matrix.sort_indices()
    background = components.background
    if background is not None:
        order = turned.ravel()
        background = Background(
            background.spatial[order], background.temporal, background.static[order]
        )
    return replace(
        components,
        footprints=matrix,
        image_shape=tuple(int(size) for size in turned.shape),
        background=background,
    )
