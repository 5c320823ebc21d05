"""What the import dock computes off the GUI thread: reading, checking, turning."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.footprints import footprints_from_labels
from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.rois import COLUMNS, roi_table_from_components
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.inscopix.as_components import components_of_vessels
from napari_mesmerize.io.results import (
    Finding,
    check_fit,
    detect_format,
    read_result_images,
    read_results,
    reorient,
)
from napari_mesmerize.io.sniff import EVENTS, VESSELS, results_in
from napari_mesmerize.progress import Progress


@dataclass(frozen=True)
class Found:
    """What a file holds, and what of it does not fit the open recording."""

    form: str
    components: Components | None = None
    events: pd.DataFrame | None = None
    findings: list[Finding] = field(default_factory=list)
    images: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """Imported ROIs, ready to be shown."""

    components: Components
    table: pd.DataFrame
    areas: Any


def read(
    path: str, form: str | None, recording: xr.DataArray | None, *, progress: Progress
) -> Found:
    """Return what a path holds, compared with a recording if there is one."""
    found = None
    for _ in progress(range(1), desc=f"Reading {Path(path).name}", total=1):
        form = form or results_in(path) or detect_format(path)
        found = _read(path, form, recording)
    assert found is not None
    return found


def _read(path: str, form: str, recording: xr.DataArray | None) -> Found:
    if form == EVENTS:
        from napari_mesmerize.io.inscopix.events import read_event_set

        return Found(form, events=read_event_set(path))
    if form == VESSELS:
        from napari_mesmerize.io.inscopix.vessels import read_vessel_set

        vessels = read_vessel_set(path)
        components = components_of_vessels(vessels, source=path)
        findings = [] if recording is None else _check_vessels(components, recording)
        return Found(form, components, None, findings, {"projection": vessels.image})
    components = _read_components(path, form, recording)
    images = read_result_images(path) if recording is None else {}
    findings = [] if recording is None else check_fit(components, recording)
    return Found(form, components, None, findings, images)


def _read_components(
    path: str, form: str, recording: xr.DataArray | None
) -> Components:
    """Return components in the shape of the file; the recording's where it has none."""
    shape = None if recording is None else tuple(recording.shape[1:])
    if form == "imagej" and shape is None:
        raise ReadError(
            f"{Path(path).name} holds outlines, but not how large the image is. Open "
            "the recording that they were drawn on; then the file is read again."
        )
    if form == "imagej" or shape is None:
        found = read_results(path, image_shape=shape, format=form)
    else:
        try:
            found = read_results(path, format=form)
        except ReadError:
            found = read_results(path, image_shape=shape, format=form)
    assert isinstance(found, Components)
    return _without_clashes(found)


def _without_clashes(components: Components) -> Components:
    """Return components none of whose scores has the name of a column of ROI tables.

    Files that this package wrote have their ROIs' ids among them, which are taken over.
    """
    scores = components.scores.drop(columns="accepted", errors="ignore")
    ids = [str(value) for value in scores.get("roi_id", ())]
    if ids and len(set(ids)) == len(ids):
        scores = scores.drop(columns="roi_id").set_axis(ids, axis=0)
        components = replace(components, roi_ids=tuple(ids), scores=scores)
    taken = (*COLUMNS, "roi_id", "index")
    return replace(
        components, scores=scores.rename(columns={n: f"{n}_there" for n in taken})
    )


def _check_vessels(components: Components, recording: xr.DataArray) -> list[Finding]:
    """Compare shapes and lengths; diameters do not go with the pixels' brightness."""
    findings = check_fit(replace(components, traces={}), recording)
    n_frames, n_samples = recording.sizes["frame"], components.n_frames
    if n_samples != n_frames:
        findings.append(
            Finding(
                "frames",
                f"The vessels were measured {n_samples} times, the recording has "
                f"{n_frames} frames; their traces keep their own times.",
            )
        )
    return findings


def components_of_labels(
    labels: NDArray[np.integer], name: str, *, progress: Progress
) -> Found:
    """Return the ROIs of a Labels layer."""
    found = None
    for _ in progress(range(1), desc=f"Reading {name}", total=1):
        timer = StepTimer("read_results", {"format": "labels", "layer": name})
        image = np.asarray(labels)
        numbers = np.unique(image)
        if not (numbers > 0).any():
            raise ParameterError(
                f"The layer '{name}' is empty; paint or compute labels first."
            )
        components = Components.build(
            footprints_from_labels(image),
            tuple(map(int, image.shape)),
            {},
            scores=pd.DataFrame({"label": numbers[numbers > 0].astype(np.int64)}),
            history=timer.extend([]),
        )
        found = Found("labels", components)
    assert found is not None
    return found


def prepare(
    components: Components,
    form: str,
    recording: xr.DataArray | None,
    *,
    orientation: str = "none",
    only_accepted: bool = False,
    progress: Progress,
) -> Prepared:
    """Turn and choose components; compute their outlines and what is drawn of them."""
    steps = iter(progress(range(3), desc="Preparing ROIs", total=3))
    next(steps)
    components = reorient(components, orientation)
    shape = None if recording is None else tuple(recording.shape[1:])
    if shape is not None and components.image_shape != shape:
        raise ParameterError(
            f"These results are of images of shape {components.image_shape}, the "
            f"recording has {shape}. Choose the recording they belong to above, or "
            "turn them with Orientation."
        )
    if only_accepted:
        components = components.select(components.accepted)
    next(steps)
    areas = drawn_areas(components)
    next(steps)
    table = roi_table_from_components(components, kind=form)
    next(steps, None)
    return Prepared(components, table, areas)


def with_traces(
    components: Components, recording: xr.DataArray, *, progress: Progress
) -> Components:
    """Return components with raw traces and dF/F taken from a recording."""
    from napari_mesmerize.data.traces import dff, extract_traces

    timer = StepTimer("extract_traces", {}, inputs=[recording])
    raw = extract_traces(recording, components.footprints, progress=progress)
    rate = recording.attrs.get("frame_rate")
    traces = {"raw": raw} | ({"dff": dff(raw, rate)} if rate else {})
    return replace(
        components,
        traces=traces,
        frame_rate=rate or components.frame_rate,
        history=timer.extend(components.history),
    )
