"""A sample's recording, opened again: from the project's copy or from its source."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import PLANE_DIMS, VOLUME_DIMS, lazy_recording
from napari_mesmerize.errors import ProjectError, ReadError
from napari_mesmerize.project.recording_copy import CopiedFrames
from napari_mesmerize.project.recording_source import describe_source, find_source

_log = logging.getLogger(__name__)
_KEPT = ("frame_rate", "pixel_size_um", "z_step_um", "date", "origin")

Reader = Callable[..., xr.DataArray]


def describe_recording(recording: xr.DataArray, project: Path) -> dict[str, Any]:
    """Return the facts about a recording that ``sample.json`` keeps."""
    attrs = recording.attrs
    return {
        "name": None if recording.name is None else str(recording.name),
        "dims": [str(dim) for dim in recording.dims],
        "shape": [int(size) for size in recording.shape],
        "dtype": str(recording.dtype),
        **{key: attrs.get(key) for key in _KEPT},
        "source": describe_source(attrs.get("source"), project),
        "meta": attrs.get("meta") or {},
        "history": list(attrs.get("history") or []),
    }


def describe_components(components: Components) -> dict[str, Any]:
    """Return what is known of a recording from its components alone."""
    return {
        "name": None,
        "dims": list(PLANE_DIMS if len(components.image_shape) == 2 else VOLUME_DIMS),
        "shape": [components.n_frames, *components.image_shape],
        "dtype": None,
        **dict.fromkeys(_KEPT),
        "frame_rate": components.frame_rate,
        "source": {},
        "meta": {},
        "history": [],
    }


def from_copy(
    frames: CopiedFrames, facts: Mapping[str, Any], times: NDArray[np.float64] | None
) -> xr.DataArray:
    """Return the project's copy of a recording, lazy, with its facts."""
    return lazy_recording(
        frames,
        name=facts.get("name"),
        source=facts.get("source"),
        meta=facts.get("meta"),
        history=facts.get("history") or [],
        time_s=times,
        **{key: facts.get(key) for key in _KEPT},
    )


def from_source(
    sample_id: str,
    facts: Mapping[str, Any],
    project: Path,
    path: Path | None,
    reader: Reader | None,
    options: Mapping[str, Any],
) -> xr.DataArray:
    """Open the file that a recording came from.

    Parameters
    ----------
    sample_id : str
        The sample, for messages.
    facts : mapping
        What the sample keeps about the recording.
    project : pathlib.Path
        The project folder.
    path : pathlib.Path or None
        Where the file lies now; None looks at the recorded places.
    reader : callable or None
        Opens it; None takes :func:`napari_mesmerize.io.read_recording`.
    options : mapping
        Passed to the reader.

    Raises
    ------
    ProjectError
        If the file is missing, changed, does not open or has another shape.
    """
    source = facts.get("source") or {}
    place = find_source(source, project, sample_id) if path is None else path
    read = reader or _default_reader()
    try:
        recording = read(place, selection=source.get("selection"), **options)
    except ReadError as error:
        raise ProjectError(
            f"The recording of sample {sample_id} does not open: {error}"
        ) from error
    done = {step.get("operation") for step in recording.attrs.get("history") or []}
    steps = [str(step.get("operation")) for step in facts.get("history") or []]
    missing = [step for step in steps if step not in done]
    _check_shape(sample_id, recording, facts, cropped=bool(missing), place=place)
    for key in _KEPT:
        if facts.get(key) is not None:
            recording.attrs[key] = facts[key]
    if missing:
        recording.attrs["missing_steps"] = missing
        _log.warning(
            "The source of sample %s opens as it was recorded, without: %s",
            sample_id,
            ", ".join(missing),
        )
    return recording


def _default_reader() -> Reader:
    from napari_mesmerize.io import read_recording

    return read_recording


def _check_shape(
    sample_id: str,
    recording: xr.DataArray,
    facts: Mapping[str, Any],
    *,
    cropped: bool,
    place: Path,
) -> None:
    """Raise unless the shape is that of then; a correction may have cropped images."""
    expected = tuple(facts.get("shape") or recording.shape)
    fits = recording.shape == expected or (
        cropped and recording.shape[:1] == expected[:1]
    )
    if not fits:
        raise ProjectError(
            f"{place} opens with shape {recording.shape}, but sample {sample_id} was "
            f"made from shape {expected}. Give the reader the options of then, for "
            "instance open_recording(axes='TYX')."
        )
