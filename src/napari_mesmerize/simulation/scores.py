"""How well motion correction and extraction found the known truth of a simulation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.matching import (
    cosine_matrix,
    iou_matrix,
    match,
    shift_footprints,
    spike_correlations,
    trace_correlations,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.motion_scores import (
    field_error,
    resample_field,
    shift_error,
)
from napari_mesmerize.simulation.truth import Truth

__all__ = [
    "cosine_matrix",
    "field_error",
    "iou_matrix",
    "match",
    "resample_field",
    "score_components",
    "shift_error",
    "shift_footprints",
    "spike_correlations",
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
        From :func:`~napari_mesmerize.simulation.simulate.simulate`.
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

    Notes
    -----
    Use it to compare engines or parameters on simulated recordings; real recordings
    have no truth. After a motion correction give ``offset``, or good components count
    as misses. The masks (``f1``) say what was found, the cosine (``f1_cosine``) also
    how well the weights fit.

    Examples
    --------
    >>> from napari_mesmerize import extract_traces, simulate
    >>> from napari_mesmerize.simulation import score_components
    >>> recording, truth = simulate("2p-small", seed=1, shape=(60, 48, 48), n_cells=4)
    >>> traces = extract_traces(recording, truth.footprints)
    >>> score = score_components(truth, truth.footprints, traces)
    >>> score["f1"], score["n_true"] == score["n_est"]
    (1.0, True)
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
