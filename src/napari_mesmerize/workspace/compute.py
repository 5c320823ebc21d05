"""What docks compute off the GUI thread; engines are imported on first use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import contrast_limits, drawn_areas
from napari_mesmerize.data.recording import default_max_memory, iter_batches
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.engines import engine_of
from napari_mesmerize.progress import Progress

if TYPE_CHECKING:
    from napari_mesmerize.cnmf import Params
    from napari_mesmerize.motion import RigidParams

_IN_MEMORY = 2 * 2**30  # bytes up to which a corrected movie is kept in memory


class Corrected(NamedTuple):
    """A motion-corrected recording, ready to be shown."""

    result: Any
    recording: xr.DataArray
    limits: tuple[float, float]


class Extracted(NamedTuple):
    """Components, their ROI table, and the area of each that is drawn."""

    components: Components
    table: pd.DataFrame
    areas: Any


def part_of(recording: xr.DataArray, n_frames: int, around: int) -> xr.DataArray:
    """Return about ``n_frames`` frames around one, for a preview."""
    first = first_of_part(recording, n_frames, around)
    return recording[first : first + n_frames]


def first_of_part(recording: xr.DataArray, n_frames: int, around: int) -> int:
    """Return the first frame that :func:`part_of` takes."""
    total = recording.sizes["frame"]
    n_frames = min(n_frames, total)
    return min(max(0, around - n_frames // 2), total - n_frames)


def correct(
    recording: xr.DataArray,
    params: "RigidParams",
    *,
    region: NDArray[np.bool_] | None = None,
    out: str = "",
    progress: Progress,
) -> Corrected:
    """Correct the motion; a small movie is kept in memory, so that it plays well."""
    from napari_mesmerize.motion import correct_motion

    result = correct_motion(
        recording, params, region=region, out=out or None, progress=progress
    )
    kept = result.recording if out else in_memory(result.recording, progress)
    return Corrected(result, kept, contrast_limits(kept))


def carry_along(
    recording: xr.DataArray, result: Any, *, progress: Progress
) -> tuple[xr.DataArray, tuple[float, float]]:
    """Move another channel in the same way."""
    from napari_mesmerize.motion import apply_motion

    moved = in_memory(apply_motion(recording, result, progress=progress), progress)
    return moved, contrast_limits(moved)


def in_memory(recording: xr.DataArray, progress: Progress) -> xr.DataArray:
    """Return the recording read into memory if it is small, otherwise as it is."""
    n_bytes = recording.size * recording.dtype.itemsize
    if n_bytes > min(_IN_MEMORY, default_max_memory() // 2):
        return recording
    frames = np.empty(recording.shape, recording.dtype)
    size = max(1, recording.sizes["frame"] // 20)
    n_batches = -(-recording.sizes["frame"] // size)
    batches = iter_batches(recording, size)
    for where, batch in progress(batches, desc="Applying shifts", total=n_batches):
        frames[where] = batch
    return recording.copy(data=frames)


def extract(
    recording: xr.DataArray,
    params: "Params",
    *,
    seeds: Any = None,
    region: NDArray[np.bool_] | None = None,
    progress: Progress,
) -> Extracted:
    """Extract components, perhaps of a region; prepare what is shown of them."""
    from napari_mesmerize.cnmf import extract_components
    from napari_mesmerize.cnmf.preview import preview_components

    options = {} if seeds is None else {"seeds": seeds}
    if region is None:
        found = extract_components(recording, params, progress=progress, **options)
    else:
        found = preview_components(recording, params, region=region, progress=progress)
    table = roi_table_from_components(found, kind=engine_of(params).name)
    return Extracted(found, table, drawn_areas(found))


def trace_outlines(
    recording: xr.DataArray,
    outlines: Sequence[NDArray[np.floating]],
    roi_ids: Sequence[str],
    *,
    progress: Progress,
) -> Components:
    """Return drawn ROIs with their traces."""
    from napari_mesmerize.data.rois import footprints_from_outlines
    from napari_mesmerize.data.traces import dff, extract_traces
    from napari_mesmerize.history import StepTimer

    timer = StepTimer("draw_rois", {"n_rois": len(outlines)}, inputs=[recording])
    shape = tuple(recording.shape[1:])
    footprints = footprints_from_outlines(outlines, shape)
    raw = extract_traces(recording, footprints, progress=progress)
    traces = {"raw": raw}
    rate = recording.attrs.get("frame_rate")
    if rate:
        traces["dff"] = dff(raw, rate)
    return Components.build(
        footprints,
        shape,
        traces,
        roi_ids=roi_ids,
        frame_rate=rate,
        history=timer.extend(recording.attrs.get("history") or []),
    )


def project_images(
    recording: xr.DataArray, *, progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """Return the mean, maximum, standard deviation and correlation image."""
    from napari_mesmerize.transforms.projections import project

    return project(recording, progress=progress)
