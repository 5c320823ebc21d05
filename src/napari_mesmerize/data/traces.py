"""Traces of ROIs, read from a recording batch by batch, and their dF/F."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from napari_mesmerize.data.footprints import as_footprints
from napari_mesmerize.data.neuropil import neuropil_rings
from napari_mesmerize.data.recording import (
    batch_slices,
    check_recording,
    default_max_memory,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

Baseline = Literal["percentile_running", "first_seconds", "percentile"]
BASELINES: tuple[Baseline, ...] = ("percentile_running", "first_seconds", "percentile")
NEAR_ZERO = 1e-3
"""A baseline below this fraction of its trace's largest magnitude gives no dF/F."""
_STEP_BYTES = 2**27


def extract_traces(
    recording: xr.DataArray,
    footprints: Any,
    *,
    neuropil: bool = False,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Return the weighted mean of each ROI's pixels in each frame.

    The weights of an ROI are normalised to sum 1. Pixels that are NaN or infinite do
    not count; where all of an ROI's are, its trace is NaN.

    Parameters
    ----------
    recording : xarray.DataArray
        Read once, batch by batch.
    footprints : object
        ROIs in any form that
        :func:`~napari_mesmerize.data.footprints.as_footprints` takes: components, a
        sparse matrix, masks, a label image, outlines, an ROI table.
    neuropil : bool, optional
        Return the traces of the ROIs' neuropil rings instead. For both in one reading,
        :func:`traces_by_kind`.
    max_memory : int, optional
        Bytes; default a quarter of what is free. Does not change the result.
    progress : Progress, optional
        Wraps the loop over batches.

    Returns
    -------
    numpy.ndarray
        Shape (n_rois, n_frames), float32.

    Raises
    ------
    ParameterError
        If an ROI does not fit the recording's image or covers no pixel.

    Notes
    -----
    Use it for ROIs that do not overlap: drawn ones, masks, labels. Where cells overlap
    or lie on a bright background, :func:`~napari_mesmerize.extract_components` with
    ``seeds=`` separates their traces; a mean over pixels mixes them. The trace is a
    mean, so it does not grow with the size of an ROI.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording, extract_traces
    >>> frames = np.zeros((4, 16, 16))
    >>> frames[2, 5:9, 5:9] = 8.0
    >>> square = [[4.5, 4.5], [4.5, 8.5], [8.5, 8.5], [8.5, 4.5]]
    >>> extract_traces(as_recording(frames), [square]).tolist()
    [[0.0, 0.0, 8.0, 0.0]]
    """
    kind = "neuropil" if neuropil else "raw"
    found = traces_by_kind(
        recording, footprints, (kind,), max_memory=max_memory, progress=progress
    )
    return found[kind]


def traces_by_kind(
    recording: xr.DataArray,
    footprints: Any,
    kinds: Sequence[str] = ("raw", "neuropil"),
    *,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> dict[str, NDArray[np.float32]]:
    """Return traces of ROIs and of their neuropil rings, reading the recording once.

    Parameters
    ----------
    recording, footprints, max_memory, progress
        As in :func:`extract_traces`.
    kinds : sequence of {"raw", "neuropil"}, optional
        Which traces.

    Returns
    -------
    dict of str to numpy.ndarray
        Shape (n_rois, n_frames), float32, by kind.
    """
    check_recording(recording)
    matrix = as_footprints(footprints, image_shape(recording))
    unknown = sorted(set(kinds) - {"raw", "neuropil"})
    if unknown or not kinds:
        raise ParameterError(
            f"kinds={tuple(kinds)}; expected some of 'raw' and 'neuropil'."
        )
    makers = {
        "raw": lambda: matrix,
        "neuropil": lambda: neuropil_rings(matrix, image_shape(recording)),
    }
    stacked = sparse.hstack([makers[kind]() for kind in kinds], format="csc")
    traces = _weighted_means(recording, stacked, max_memory, progress)
    return dict(zip(kinds, np.split(traces, len(kinds)), strict=True))


def _weighted_means(
    recording: xr.DataArray, matrix: Any, max_memory: int | None, progress: Progress
) -> NDArray[np.float32]:
    n_frames, n_rois = recording.sizes["frame"], matrix.shape[1]
    used = np.unique(matrix.indices)
    weights = sparse.csr_array(matrix[used].T, dtype=np.float64)
    total = np.asarray(weights.sum(1)).ravel()
    traces = np.empty((n_rois, n_frames), np.float32)
    slices = batch_slices(n_frames, _batch_size(recording, len(used), max_memory))
    for frames in progress(slices, desc="Extracting traces", total=len(slices)):
        pixels = recording[frames].to_numpy().reshape(frames.stop - frames.start, -1)
        values = pixels[:, used].T.astype(np.float64, order="C")
        finite = np.isfinite(values)
        if finite.all():
            traces[:, frames] = (weights @ values) / total[:, None]
        else:
            values[~finite] = 0
            weight = weights @ finite.astype(np.float64)
            means = np.full(weight.shape, np.nan)
            np.divide(weights @ values, weight, out=means, where=weight > 0)
            traces[:, frames] = means
    return traces


def _batch_size(recording: xr.DataArray, n_used: int, max_memory: int | None) -> int:
    """Return how many frames fit into memory and are read in a step of progress."""
    size = recording.dtype.itemsize
    read = size * int(np.prod(image_shape(recording)))
    if max_memory is None:
        max_memory = default_max_memory()
    held = read + (2 * size + 4 * 8) * n_used
    return max(1, min(max_memory // held, _STEP_BYTES // read))


def dff(
    traces: ArrayLike,
    frame_rate: float | None = None,
    *,
    baseline: Baseline = "percentile_running",
    percentile: float = 8.0,
    window_s: float = 30.0,
    first_s: float = 10.0,
    offset: float = 0.0,
    low: Literal["raise", "nan"] = "raise",
) -> NDArray[np.float32]:
    """Return the change of fluorescence relative to a baseline, (F - F0) / F0.

    Parameters
    ----------
    traces : array_like
        Shape (n_rois, n_frames) or (n_frames,); NaN frames do not count.
    frame_rate : float, optional
        Hz; needed for baselines in seconds.
    baseline : {"percentile_running", "first_seconds", "percentile"}, optional
        F0 is the percentile in a window centred on each frame (shorter at the ends),
        the mean of the first seconds, or the percentile of the whole trace.
    percentile : float, optional
        0 to 100.
    window_s : float, optional
        Length of the running window, seconds; at least one frame.
    first_s : float, optional
        Seconds that ``first_seconds`` averages.
    offset : float, optional
        What the camera counts without light; subtracted first.
    low : {"raise", "nan"}, optional
        What to do where a baseline is at or below zero, or closer to zero than 1/1000
        of the trace's largest magnitude: raise an error, or give NaN in those frames.

    Returns
    -------
    numpy.ndarray
        Shape of ``traces``, float32.

    Raises
    ------
    ParameterError
        If a baseline is too low for a ratio, a parameter is out of range, or the frame
        rate is needed and not given.

    Notes
    -----
    ``percentile_running`` suits long recordings that bleach: choose a window much
    longer than a transient. ``first_seconds`` suits trials that begin at rest, and
    ``percentile`` short recordings without drift. Do not use it on traces whose
    background was subtracted already (baseline near 0): give ``low="nan"`` there, or
    use ``components.traces["dff"]``, which the extraction computes with the background
    as baseline.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import dff
    >>> trace = np.full(200, 50.0)
    >>> trace[100:105] = 75.0
    >>> change = dff(trace, frame_rate=10.0, window_s=10.0)
    >>> float(change[0]), float(change[102])
    (0.0, 0.5)
    """
    values = np.asarray(traces, dtype=np.float64)
    if values.ndim not in (1, 2) or values.shape[-1] == 0:
        raise ParameterError(
            f"Traces have shape {values.shape}; expected (n_rois, n_frames)."
        )
    if low not in ("raise", "nan"):
        raise ParameterError(f"low='{low}'; expected 'raise' or 'nan'.")
    table = np.atleast_2d(values) - offset
    f0 = estimate_baseline(
        table,
        frame_rate,
        baseline=baseline,
        percentile=percentile,
        window_s=window_s,
        first_s=first_s,
    )
    magnitude = np.where(np.isfinite(table), np.abs(table), 0).max(1, keepdims=True)
    too_low = f0 <= NEAR_ZERO * magnitude
    if too_low.any() and low == "raise":
        rois = np.flatnonzero(too_low.any(1))
        raise ParameterError(
            f"The baseline of {len(rois)} of {len(table)} traces is not above zero "
            f"(trace {rois[0]}: {f0[rois[0]].min():.3g}), so dF/F is not defined. Use "
            "raw traces, choose another baseline, correct the offset, or give "
            "low='nan'."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(too_low, np.nan, (table - f0) / f0)
    return relative.reshape(values.shape).astype(np.float32)


def estimate_baseline(
    traces: ArrayLike,
    frame_rate: float | None = None,
    *,
    baseline: Baseline = "percentile_running",
    percentile: float = 8.0,
    window_s: float = 30.0,
    first_s: float = 10.0,
) -> NDArray[np.float64]:
    """Return the baseline F0 of traces, shape (n_rois, n_frames); see :func:`dff`."""
    table = np.asarray(traces, dtype=np.float64)
    if baseline not in BASELINES:
        raise ParameterError(
            f"baseline='{baseline}'; expected one of {', '.join(BASELINES)}."
        )
    if not 0 <= percentile <= 100:
        raise ParameterError(f"percentile={percentile}; expected 0 to 100.")
    if baseline == "percentile":
        return np.broadcast_to(_percentile(table, percentile), table.shape)
    seconds = {"percentile_running": window_s, "first_seconds": first_s}[baseline]
    name = {"percentile_running": "window_s", "first_seconds": "first_s"}[baseline]
    if frame_rate is None or not frame_rate > 0:
        raise ParameterError(
            f"baseline='{baseline}' needs the frame rate; frame_rate={frame_rate}. "
            "Give it in Hz, or use baseline='percentile'."
        )
    if not (np.isfinite(seconds) and seconds > 0):
        raise ParameterError(f"{name}={seconds}; expected seconds above 0.")
    n_frames = max(1, round(seconds * frame_rate))
    if baseline == "first_seconds":
        return np.broadcast_to(_mean(table[:, :n_frames]), table.shape)
    return _running_percentile(table, percentile, n_frames)


def _running_percentile(
    table: NDArray[np.float64], percentile: float, window: int
) -> NDArray[np.float64]:
    """Return the percentile in a centred window of an odd number of frames."""
    half = window // 2
    if half >= table.shape[1]:
        return np.broadcast_to(_percentile(table, percentile), table.shape)
    rolling = pd.DataFrame(table.T).rolling(2 * half + 1, center=True, min_periods=1)
    return np.ascontiguousarray(rolling.quantile(percentile / 100).to_numpy().T)


def _percentile(table: NDArray[np.float64], percentile: float) -> NDArray[np.float64]:
    """Return the percentile of each row, (n, 1); NaN where a row is all NaN."""
    out = np.full((len(table), 1), np.nan)
    rows = np.isfinite(table).any(1)
    if rows.any():
        values = np.where(np.isfinite(table[rows]), table[rows], np.nan)
        out[rows] = np.nanpercentile(values, percentile, axis=1, keepdims=True)
    return out


def _mean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(table)
    out = np.full((len(table), 1), np.nan)
    total = np.where(finite, table, 0).sum(1, keepdims=True)
    n = finite.sum(1, keepdims=True)
    return np.asarray(np.divide(total, n, out=out, where=n > 0))
