"""How well motion correction and extraction found the known truth of a simulation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize._matching import (
    cosine_matrix,
    iou_matrix,
    match,
    shift_footprints,
    spike_correlations,
    trace_correlations,
)
from napari_mesmerize.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.truth import Truth

__all__ = [
    "cosine_matrix",
    "crispness",
    "field_error",
    "iou_matrix",
    "match",
    "resample_field",
    "score_components",
    "shift_error",
    "shift_footprints",
    "spike_correlations",
    "template_correlation",
    "trace_correlations",
]

Float = NDArray[np.float64]
SNR_TIERS = (("low", 0.0, 10.0), ("mid", 10.0, 25.0), ("high", 25.0, np.inf))


def score_components(
    truth: Truth,
    components: Components | Any,
    traces: ArrayLike | None = None,
    spikes: ArrayLike | None = None,
    offset: Sequence[float] | None = None,
    *,
    iou: float = 0.3,
    threshold: float = 0.2,
    cosine: float = 0.5,
) -> dict[str, Any]:
    """Score extracted components against the truth.

    Parameters
    ----------
    truth : Truth
        From :func:`~napari_mesmerize.simulate.simulate`.
    components : Components or sparse matrix
        Of components, the accepted ones count, with their ``denoised`` (otherwise
        ``raw``) traces and ``spikes``; of a matrix, shape (n_pixels, n_rois), all.
    traces, spikes : array_like, optional
        Shape (n_rois, n_frames); replace those of ``components``, row by row.
    offset : sequence of float, optional
        (y, x) px to add to the footprints' positions first, since the template of a
        motion correction may sit anywhere (``offset`` of :func:`shift_error`).
    iou : float, optional
        Intersection over union from which a pair of masks matches.
    threshold : float, optional
        Masks are the pixels above this fraction of each footprint's maximum.
    cosine : float, optional
        Cosine similarity of weighted footprints from which a pair matches.

    Returns
    -------
    dict
        ``n_true``, ``n_est``, ``n_ignored`` (estimates that fit an ignored object);
        ``precision``, ``recall``, ``f1`` by masks, and ``*_cosine`` by weights; medians
        ``iou_matched`` and ``cosine_matched``; ``recall_snr_low`` (below 10), ``_mid``,
        ``_high`` (25 and more; ``None`` without such cells); ``trace_corr``,
        ``trace_corr_p10`` and ``spike_corr`` of matched cells where there are traces.

    Raises
    ------
    ParameterError
        If the footprints have another number of pixels, or traces another shape.
    """
    matrix, traces, spikes = _parts(components, traces, spikes)
    if matrix.shape[0] != truth.footprints.shape[0]:
        raise ParameterError(
            f"The footprints have {matrix.shape[0]} pixels, the truth has "
            f"{truth.footprints.shape[0]} (image shape {truth.image_shape})."
        )
    if offset is not None:
        matrix = shift_footprints(matrix, truth.image_shape, offset)
    n_true, n_est = int(truth.footprints.shape[1]), int(matrix.shape[1])
    overlaps = (
        iou_matrix(truth.footprints, matrix, threshold),
        iou_matrix(truth.ignored, matrix, threshold),
    )
    cosines = (
        cosine_matrix(truth.footprints, matrix),
        cosine_matrix(truth.ignored, matrix),
    )
    pairs, values = match(overlaps[0], iou)
    similar = cosines[0][pairs[:, 0], pairs[:, 1]]
    rates, n_ignored = _rates(*overlaps, iou)
    rates_cosine, _ = _rates(*cosines, cosine)
    hit = np.isin(np.arange(n_true), pairs[:, 0])
    scores: dict[str, Any] = {"n_true": n_true, "n_est": n_est, **rates}
    scores["n_ignored"] = n_ignored
    scores["iou_matched"] = float(np.median(values)) if len(values) else 0.0
    scores["cosine_matched"] = float(np.median(similar)) if len(values) else 0.0
    for tier, low, high in SNR_TIERS:
        within = (truth.snr >= low) & (truth.snr < high)
        scores[f"recall_snr_{tier}"] = (
            float(hit[within].mean()) if within.any() else None
        )
    scores |= {f"{name}_cosine": value for name, value in rates_cosine.items()}
    if traces is not None and len(pairs):
        r = trace_correlations(truth.traces, traces, pairs)
        scores["trace_corr"] = float(np.median(r))
        scores["trace_corr_p10"] = float(np.percentile(r, 10))
    if spikes is not None and len(pairs):
        r = spike_correlations(truth.spikes, spikes, pairs, truth.frame_rate)
        scores["spike_corr"] = float(np.median(r))
    return scores


def _parts(
    components: Any, traces: ArrayLike | None, spikes: ArrayLike | None
) -> tuple[Any, NDArray[Any] | None, NDArray[Any] | None]:
    """Return footprints, traces and spikes of what counts, rows in step."""
    keep: NDArray[Any] | slice = slice(None)
    if isinstance(components, Components):
        matrix: Any = components.footprints
        keep = np.flatnonzero(components.accepted)
        known = components.traces
        if traces is None:
            traces = known.get("denoised", known.get("raw"))
        spikes = known.get("spikes") if spikes is None else spikes
    else:
        matrix = sparse.csc_array(components)
    found: list[NDArray[Any] | None] = []
    for name, values in (("traces", traces), ("spikes", spikes)):
        array = None if values is None else np.asarray(values)
        if array is not None and (array.ndim != 2 or len(array) != matrix.shape[1]):
            raise ParameterError(
                f"{name} have shape {array.shape}, but there are {matrix.shape[1]} "
                "footprints; expected (n_rois, n_frames)."
            )
        found.append(array if array is None else array[keep])
    return matrix[:, keep], found[0], found[1]


def _rates(
    similarity: Float, ignored: Float, minimum: float
) -> tuple[dict[str, float], int]:
    """Return precision, recall and F1, and how many estimates do not count."""
    pairs, _ = match(similarity, minimum)
    n_true, n_est = similarity.shape
    free = np.setdiff1d(np.arange(n_est), pairs[:, 1])
    best, best_ignored = similarity.max(0, initial=0), ignored.max(0, initial=0)
    is_ignored = (best_ignored >= minimum) & (best_ignored > best)
    n_ignored = int(is_ignored[free].sum())
    precision = len(pairs) / max(1, n_est - n_ignored)
    recall = len(pairs) / max(1, n_true)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}, n_ignored


def shift_error(estimated: ArrayLike, true: ArrayLike | Truth) -> dict[str, Any]:
    """Return how far estimated shifts are from the truth.

    Errors are taken up to one constant displacement, since the template of a motion
    correction may sit anywhere.

    Parameters
    ----------
    estimated : array_like
        Shape (n_frames, 2 or 3), px to *add* to each frame, as engines return them.
    true : Truth or array_like
        The truth, or how far the scene *moved* in each frame (``Truth.shifts``).

    Returns
    -------
    dict
        ``rmse``, ``p95``, ``max``, px; ``offset``: px to add to positions in the
        corrected recording to find them in the truth; ``identity``: rmse of doing
        nothing.

    Raises
    ------
    ParameterError
        If the shapes differ.
    """
    moved = np.asarray(true.shifts if isinstance(true, Truth) else true, float)
    found = -np.asarray(estimated, float)
    if found.shape != moved.shape:
        raise ParameterError(
            f"Estimated shifts have shape {found.shape}, the true ones {moved.shape}."
        )
    difference = found - moved
    offset = np.median(difference, 0)
    error = np.sqrt(((difference - offset) ** 2).sum(1))
    return {
        "rmse": _rms(error),
        "p95": float(np.percentile(error, 95)),
        "max": float(error.max()),
        "offset": [float(o) for o in offset],
        "identity": _rms(np.sqrt(((np.median(-moved, 0) + moved) ** 2).sum(1))),
    }


def _rms(values: Float) -> float:
    return float(np.sqrt((values**2).mean()))


def field_error(
    estimated: ArrayLike,
    y: ArrayLike,
    x: ArrayLike,
    truth: Truth,
    *,
    step: int = 8,
    inner: float = 0.25,
) -> dict[str, Any]:
    """Return how far estimated displacement fields are from the truth.

    Compared on an even grid, up to one constant displacement a point (a warp that stays
    the same for the whole recording belongs to the template).

    Parameters
    ----------
    estimated : array_like
        Shape (n_frames, len(y), len(x), 2), px to *add*, the rigid part included;
        linear between the points, constant outside them. Rigid shifts: one point.
    y, x : array_like
        Pixel coordinates of the patches' centres.
    truth : Truth
        Of a simulation in 2-D.
    step : int, optional
        Distance of the grid's points and their distance from the border, px.
    inner : float, optional
        Fraction cut from each side for ``inner``.

    Returns
    -------
    dict
        ``rmse``, ``p95``, px; ``identity``: rmse of doing nothing; ``rigid_only``: rmse
        of the best correction by one shift a frame; ``inner``: the same for the middle
        of the view.
    """
    height, width = truth.image_shape
    moved = -np.asarray(estimated, float)
    expected = (len(truth.shifts), np.size(y), np.size(x), 2)
    if moved.shape != expected:
        raise ParameterError(
            f"The estimated field has shape {moved.shape}; expected {expected}: "
            "(n_frames, len(y), len(x), 2)."
        )

    def compare(margin_y: int, margin_x: int) -> dict[str, float]:
        to_y = np.arange(margin_y, height - margin_y, step)
        to_x = np.arange(margin_x, width - margin_x, step)
        found = resample_field(moved, y, x, to_y, to_x)
        return _field_rmse(found, truth.displacement(to_y, to_x))

    middle = compare(int(height * inner), int(width * inner))
    return {**compare(step, step), "inner": middle}


def _field_rmse(found: Float, true: Float) -> dict[str, float]:
    def distance(difference: Float) -> Float:
        squares = (difference - np.median(difference, 0)) ** 2
        return np.asarray(np.sqrt(squares.sum(-1)))

    error = distance(found - true)
    rigid = np.broadcast_to(true.mean((1, 2), keepdims=True), true.shape)
    return {
        "rmse": _rms(error),
        "p95": float(np.percentile(error, 95)),
        "identity": _rms(distance(-true)),
        "rigid_only": _rms(distance(rigid - true)),
    }


def resample_field(
    field: ArrayLike, y: ArrayLike, x: ArrayLike, to_y: ArrayLike, to_x: ArrayLike
) -> Float:
    """Return displacements at other points: linear, constant outside the given ones.

    Parameters
    ----------
    field : array_like
        Shape (n_frames, len(y), len(x), 2).
    y, x, to_y, to_x : array_like
        Pixel coordinates; ``y`` and ``x`` rising.
    """

    def weights(points: ArrayLike, to: ArrayLike) -> Float:
        at, wanted = (np.atleast_1d(np.asarray(p, float)) for p in (points, to))
        return np.stack([np.interp(wanted, at, unit) for unit in np.eye(len(at))], 1)

    w_y, w_x = weights(y, to_y), weights(x, to_x)
    values = np.asarray(field, float)
    return np.asarray(np.einsum("gi,tijc,hj->tghc", w_y, values, w_x, optimize=True))


def crispness(image: ArrayLike, border: int = 0) -> float:
    """Return the Frobenius norm of the image's gradient: higher is sharper.

    Compare only images of equal noise, cut by the same ``border`` (px).
    """
    pixels = np.asarray(image, float)
    if border:
        pixels = pixels[..., border:-border, border:-border]
    if min(pixels.shape) < 2:
        raise ParameterError(
            f"border={border} leaves nothing of an image of shape {np.shape(image)}; "
            "use a smaller one."
        )
    return float(np.sqrt(sum((g**2).sum() for g in np.gradient(pixels))))


def template_correlation(
    recording: xr.DataArray | ArrayLike,
    template: ArrayLike | None = None,
    border: int = 0,
) -> tuple[float, float]:
    """Return mean and 5th percentile of the frames' correlation with a template.

    Parameters
    ----------
    recording : xarray.DataArray or array_like
        Shape (n_frames, height, width); read into memory.
    template : array_like, optional
        Already cut by ``border``; the default is the mean image.
    border : int, optional
        Pixels cut from each side of the frames.
    """
    frames = np.asarray(recording, np.float32)
    if border:
        frames = frames[:, border:-border, border:-border]
    image = frames.mean(0) if template is None else np.asarray(template, np.float32)
    image = (image - image.mean()).ravel()
    image /= np.linalg.norm(image)
    pixels = frames.reshape(len(frames), -1)
    pixels = pixels - pixels.mean(1, keepdims=True)
    norm = np.maximum(np.linalg.norm(pixels, axis=1), 1e-12)
    r = pixels @ image / norm
    return float(r.mean()), float(np.percentile(r, 5))
