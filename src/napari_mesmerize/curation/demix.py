"""Parts of one component: the pixels that are active together, their traces, scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, sparse

from napari_mesmerize.cnmf.deconvolve.deconvolution import (
    deconvolve_kernel,
    denoise,
    difference_noise,
)
from napari_mesmerize.cnmf.deconvolve.dff import delta_f
from napari_mesmerize.cnmf.settings import FloatArray, Settings, transient_kernel
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import batch_slices, image_shape
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress

_BATCH = 500  # frames
_DIRECTIONS = 8  # that pixels' time courses are compared along
_LEVEL = 0.2  # of the maximum: pixels that count as the footprint
_FEWEST = 4  # pixels of a part
_ROUNDS = 5


@dataclass(frozen=True)
class Rest:
    """The movie around a component, without background and other components.

    Attributes
    ----------
    box : tuple of slice
        Where it lies in the image.
    movie : numpy.ndarray
        Shape (n_frames, *box shape).
    """

    box: tuple[slice, ...]
    movie: FloatArray

    @property
    def rows(self) -> FloatArray:
        """A row per pixel: (n_pixels, n_frames)."""
        return self.movie.reshape(len(self.movie), -1).T


def read_rest(
    components: Components, position: int, recording: xr.DataArray, progress: Progress
) -> Rest:
    """Read a component's surroundings; take background and other components off.

    Raises
    ------
    ParameterError
        If the recording is another one, or the footprint is empty.
    """
    shape, n_frames = image_shape(recording), recording.sizes["frame"]
    expected = (components.n_frames, *components.image_shape)
    if (n_frames, *shape) != expected:
        raise ParameterError(
            f"The recording has {n_frames} frames of {shape} px, but the components "
            f"were extracted from {expected[0]} frames of {expected[1:]} px; open that "
            "recording."
        )
    image = components.footprint_image(position)
    found = ndimage.find_objects((image > 0).astype(np.int8))
    if not found:
        raise ParameterError(f"Component {position} has no pixel; reject it instead.")
    box = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in found[0])
    parts = []
    slices = batch_slices(n_frames, _BATCH)
    for frames in progress(slices, desc="Reading pixels", total=len(slices)):
        pixels = recording[(frames, *box)].to_numpy().astype(np.float32)
        parts.append(np.nan_to_num(pixels))
    movie = np.concatenate(parts)
    numbers = np.arange(int(np.prod(shape))).reshape(shape)[box].ravel()
    flat = movie.reshape(n_frames, -1)
    background = components.background
    if background is None:
        flat -= np.median(flat, axis=0)
        return Rest(box, movie)
    flat -= background.static[numbers]
    flat -= background.temporal.T @ background.spatial[numbers].T
    nearby = sparse.csr_array(components.footprints)[numbers]
    others = np.flatnonzero(np.asarray(nearby.sum(axis=0)).ravel())
    others = others[others != position]
    traces = components.traces.get("denoised")
    if len(others) and traces is not None:
        flat -= (nearby[:, others] @ traces[others]).T
    return Rest(box, movie)


def activity_parts(rest: Rest, image: FloatArray, n_parts: int) -> FloatArray:
    """Return groups of pixels that are active together, (n_parts, *image_shape).

    Raises
    ------
    ParameterError
        If there are too few pixels or fewer groups than asked for.
    """
    footprint = image[rest.box]
    inside = footprint > _LEVEL * footprint.max()
    if n_parts < 2 or inside.sum() < n_parts * _FEWEST:
        raise ParameterError(
            f"A footprint of {int(inside.sum())} pixels can not be split into "
            f"{n_parts} parts of at least {_FEWEST} pixels; ask for 2 parts, or leave "
            "it whole."
        )
    lateral = (0.0,) * (footprint.ndim - 2) + (0.8, 0.8)
    masked = np.where(inside, rest.movie, 0)
    smooth = ndimage.gaussian_filter(masked, (1.5, *lateral), truncate=3)
    rows = smooth.reshape(len(smooth), -1).T[inside.ravel()]
    rows = rows - rows.mean(axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    points = left[:, :_DIRECTIONS] * values[:_DIRECTIONS]
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    group = _k_means(points, n_parts)
    if len(np.unique(group)) < n_parts or np.bincount(group).min() < _FEWEST:
        raise ParameterError(
            f"Its pixels are active together; no {n_parts} groups of pixels with "
            "activity of their own were found. It is probably one cell."
        )
    owner = np.full(footprint.shape, -1)
    owner[inside] = group
    nearest: Any = ndimage.distance_transform_edt(
        owner < 0, return_distances=False, return_indices=True
    )
    owner = owner[tuple(nearest)]
    parts = np.zeros((n_parts, *image.shape), np.float32)
    for part, i in zip(parts, range(n_parts), strict=True):
        part[rest.box] = np.where(owner == i, footprint, 0)
    return parts


def _k_means(points: FloatArray, n_groups: int) -> NDArray[np.intp]:
    """Group unit vectors by direction; starts from those farthest apart."""
    first = int(np.argmin(points @ points.mean(axis=0)))
    chosen = [first]
    for _ in range(n_groups - 1):
        nearest = (points @ points[chosen].T).max(axis=1)
        chosen.append(int(np.argmin(nearest)))
    centres = points[chosen]
    group = np.zeros(len(points), np.intp)
    for _ in range(30):
        group = np.argmax(points @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, group, points)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = sums / np.maximum(norms, 1e-12)
    return group


def demix(
    components: Components,
    one: Components,
    parts: FloatArray,
    rest: Rest,
    *,
    refine: bool,
) -> "tuple[sparse.csc_array[Any], dict[str, FloatArray]]":
    """Return the parts' footprints and traces, fitted to the movie together."""
    settings = settings_of(components)
    rows = rest.rows
    weights = np.stack([part[rest.box].ravel() for part in parts], axis=1)
    allowed = np.stack([_grown(part[rest.box]) for part in parts], axis=1)
    allowed &= one.footprint_image(0)[rest.box].ravel()[:, None] > 0
    raw = _fit_traces(weights, rows)
    for _ in range(_ROUNDS if refine else 0):
        clean = np.stack([denoise(t, settings.decay_factor, 2.5) for t in raw])
        gram = clean @ clean.T + 1e-6 * np.trace(clean @ clean.T) * np.eye(len(clean))
        fitted = np.linalg.solve(gram, clean @ rows.T).T
        fitted = np.where(allowed, np.maximum(fitted, 0), 0)
        if not (fitted.max(axis=0) > 0).all():
            break
        weights = fitted.astype(np.float32)
        raw = _fit_traces(weights, rows)
    top = weights.max(axis=0)
    weights, raw = weights / top, raw * top[:, None]
    footprints = np.zeros_like(parts)
    footprints[(slice(None), *rest.box)] = weights.T.reshape(
        len(parts), *parts[0][rest.box].shape
    )
    matrix = sparse.csc_array(footprints.reshape(len(parts), -1).T)
    return matrix, _traces(components, one, matrix, raw, settings)


def _grown(part: FloatArray) -> NDArray[np.bool_]:
    """Return where a part's footprint may reach: two pixels farther."""
    return np.asarray(ndimage.binary_dilation(part > 0, iterations=2).ravel(), bool)


def _fit_traces(weights: FloatArray, rows: FloatArray) -> FloatArray:
    return np.linalg.lstsq(weights, rows, rcond=None)[0].astype(np.float32)


def _traces(
    components: Components,
    one: Components,
    footprints: "sparse.csc_array[Any]",
    raw: FloatArray,
    settings: Settings,
) -> dict[str, FloatArray]:
    """Return the kinds of traces that the components have."""
    kernel = transient_kernel(settings)
    found = [deconvolve_kernel(t, kernel, settings.decay_factor) for t in raw]
    raw = raw - np.array([[baseline] for _, _, baseline in found], np.float32)
    denoised = np.array([trace for trace, _, _ in found], np.float32)
    made: Mapping[str, FloatArray] = {
        "raw": raw,
        "denoised": denoised,
        "residual": raw - denoised,
        "spikes": np.array([spikes for _, spikes, _ in found], np.float32),
    }
    traces = {}
    for kind, whole in one.traces.items():
        if kind in made:
            traces[kind] = made[kind]
        elif kind == "dff" and components.background is not None:
            traces[kind] = delta_f(raw, footprints, components.background, settings)
        else:
            traces[kind] = np.repeat(whole, len(raw), axis=0)
    return traces


def settings_of(components: Components) -> Settings:
    """Return the time constants that the components were extracted with."""
    params: Mapping[str, Any] = {}
    for step in components.history:
        if step.get("operation") == "extract_components":
            params = step.get("params") or {}
    return Settings(
        frame_rate=components.frame_rate or 10.0,
        decay_time_s=float(params.get("decay_time_s", 0.6)),
        rise_time_s=float(params.get("rise_time_s", 0.07)),
        radius=5.0,
    )


def scores_of(new: Components, parents: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of new components that follow from footprint and trace.

    Columns are those of the components they were made of; scores that need the movie
    are NaN: not judged.
    """
    scores = pd.DataFrame(index=pd.RangeIndex(len(new)))
    known = _known_scores(new)
    if {"area_px", "relative_area"} <= set(parents.columns) and "area_px" in known:
        typical = float((parents["area_px"] / parents["relative_area"]).median())
        known["relative_area"] = known["area_px"] / max(typical, 1e-9)
    for column in parents.columns:
        if column == "rejected_because":
            scores[column] = [""] * len(new)
        else:
            scores[column] = known.get(str(column), np.full(len(new), np.nan))
    return scores


def _known_scores(new: Components) -> dict[str, FloatArray]:
    columns = np.split(new.footprints.data, new.footprints.indptr[1:-1])
    areas = [int((weights > _LEVEL).sum()) for weights in columns]
    known = {
        "area_px": np.array(areas, np.float64),
        "roundness": np.array([_roundness(new, i) for i in range(len(new))]),
    }
    raw, denoised = new.traces.get("raw"), new.traces.get("denoised")
    if raw is not None:
        noise = np.array([difference_noise(t.astype(np.float64)) for t in raw])
        known["pnr"] = (raw.max(axis=1) - np.median(raw, axis=1)) / noise
        if denoised is not None:
            known["snr"] = denoised.max(axis=1) / noise
    return known


def _roundness(new: Components, position: int) -> float:
    """Return the ratio of the footprint's shortest to its longest axis in the plane."""
    image = new.footprint_image(position)
    if image.ndim == 3:
        image = image.sum(axis=0)
    if np.count_nonzero(image) < 3:
        return 0.0
    y, x = np.nonzero(image)
    weights = image[y, x] / image.sum()
    offsets = np.stack([y - weights @ y, x - weights @ x])
    short, long = np.linalg.eigvalsh((offsets * weights) @ offsets.T)
    return float(np.sqrt(max(short, 0) / max(long, 1e-9)))
