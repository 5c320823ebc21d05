"""Write a sample's folder: every part, then the document that names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from napari_mesmerize.data import components_zarr
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.epochs import check_epochs, make_epochs
from napari_mesmerize.data.recording import check_recording
from napari_mesmerize.data.rois import empty_roi_table, roi_table_from_components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project import commit, parquet
from napari_mesmerize.project.config import Config, fill_roi_tags
from napari_mesmerize.project.json_files import now, write_json
from napari_mesmerize.project.names import SEPARATOR, make_sample_id
from napari_mesmerize.project.recording_copy import write_recording
from napari_mesmerize.project.reopen import describe_components, describe_recording
from napari_mesmerize.project.sample import FORMAT, FORMAT_VERSION
from napari_mesmerize.project.stored_images import measure_tree, write_projections

DOCUMENT = "sample.json"
_ROIS = "rois.parquet"
_COMPONENTS = "components.zarr"
_MEASURED_DEEP = (_COMPONENTS, "projections.zarr")


@dataclass(frozen=True)
class SampleContent:
    """What a sample is made of, as it is given.

    Attributes
    ----------
    recording : xarray.DataArray or None
        The recording that components were extracted from.
    components : Components or None
        Footprints, traces and scores.
    rois : pandas.DataFrame or None
        The ROI table; None is that of the components.
    epochs : pandas.DataFrame or None
        Stimulus epochs.
    projections : mapping or None
        Images by name.
    comments : str
        Free text.
    custom : mapping or None
        Values of the project's custom columns.
    copy_recording : bool
        Whether the sample holds the pixels.
    """

    recording: xr.DataArray | None = None
    components: Components | None = None
    rois: pd.DataFrame | None = None
    epochs: pd.DataFrame | None = None
    projections: Mapping[str, ArrayLike] | None = None
    comments: str = ""
    custom: Mapping[str, Any] | None = None
    copy_recording: bool = False


@dataclass(frozen=True)
class CheckedContent:
    """What a sample is made of, converted and checked before anything is written."""

    sample_id: str
    animal_id: str
    trial_id: str
    recording: xr.DataArray | None
    components: Components | None
    rois: pd.DataFrame
    epochs: pd.DataFrame
    projections: Mapping[str, ArrayLike]
    comments: str
    custom: dict[str, Any]
    copy_recording: bool
    timer: StepTimer


def check_content(
    config: Config, animal_id: str, trial_id: str, given: SampleContent
) -> CheckedContent:
    """Return a sample's content with everything converted and checked.

    Raises
    ------
    ParameterError
        If a part does not fit the project or another part.
    """
    sample_id = make_sample_id(animal_id, trial_id)
    animal_id, trial_id = sample_id.split(SEPARATOR)
    recording, components = given.recording, given.components
    timer = StepTimer(
        "add_sample",
        {"sample_id": sample_id, "copy_recording": given.copy_recording},
        inputs=[part for part in (recording, components) if part is not None],
    )
    if recording is not None:
        check_recording(recording)
    elif given.copy_recording:
        raise ParameterError(
            "copy_recording=True, but no recording was given; pass recording=..."
        )
    if not isinstance(given.comments, str):
        raise ParameterError(
            f"comments is of type {type(given.comments).__name__}; expected text."
        )
    if recording is not None and components is not None:
        _check_fit(components, recording.shape)
    rois = _default_rois(components) if given.rois is None else given.rois
    return CheckedContent(
        sample_id=sample_id,
        animal_id=animal_id,
        trial_id=trial_id,
        recording=recording,
        components=components,
        rois=fill_roi_tags(parquet.check_rois(rois), config),
        epochs=check_project_epochs(given.epochs, config),
        projections=dict(given.projections or {}),
        comments=given.comments,
        custom=config.convert_custom(given.custom),
        copy_recording=given.copy_recording,
        timer=timer,
    )


def _default_rois(components: Components | None) -> pd.DataFrame:
    if components is None:
        return empty_roi_table()
    return roi_table_from_components(components)


def check_project_epochs(epochs: pd.DataFrame | None, config: Config) -> pd.DataFrame:
    """Return epochs, checked against the project's stimulus types.

    Raises
    ------
    ParameterError
        If the project does not have a stimulus type.
    """
    if epochs is None:
        return make_epochs([])
    checked = check_epochs(epochs)
    unknown = sorted(set(checked["stimulus_type"]) - set(config.stimulus_types))
    if unknown:
        raise ParameterError(
            f"The project has no stimulus type {unknown[0]!r}; it has "
            f"{', '.join(config.stimulus_types) or 'none'}. Add it first: "
            f"project.add_stimulus_type({unknown[0]!r})."
        )
    return checked


def _check_fit(components: Components, shape: Sequence[int]) -> None:
    """Raise unless components are of a recording of a shape."""
    n_frames, *image_shape = shape
    if components.image_shape != tuple(image_shape):
        raise ParameterError(
            f"The components are of images of shape {components.image_shape}, the "
            f"recording's have shape {tuple(image_shape)}; pass the recording that "
            "they were extracted from."
        )
    if components.traces and components.n_frames != n_frames:
        raise ParameterError(
            f"The traces have {components.n_frames} frames, the recording has "
            f"{n_frames}; pass the recording that they were extracted from."
        )


def write_sample(
    folder: Path,
    content: CheckedContent,
    project: Path,
    *,
    created: str,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write all parts of a sample into a new folder.

    Parameters
    ----------
    folder : pathlib.Path
        The new folder.
    content : CheckedContent
        What :func:`check_content` returned.
    project : pathlib.Path
        The project folder, to which paths are relative.
    created : str
        When the sample was first added, ISO 8601.
    max_memory : int, optional
        Bytes for copying the recording.
    progress : Progress, optional
        Wraps the copying of the recording.
    """
    folder.mkdir()
    parquet.write_table(folder / _ROIS, content.rois, parquet.ROIS)
    parquet.write_table(folder / "epochs.parquet", content.epochs, parquet.EPOCHS)
    recording = content.recording
    if recording is not None and "time_s" in recording.coords:
        times = pd.DataFrame({"time_s": recording.coords["time_s"].to_numpy()})
        parquet.write_table(folder / "frame_times.parquet", times, parquet.TIMES)
    if content.components is not None:
        components_zarr.write(content.components, folder / _COMPONENTS)
    if content.projections:
        write_projections(folder / "projections.zarr", content.projections)
    if recording is not None and content.copy_recording:
        write_recording(
            folder / "recording.zarr",
            recording,
            max_memory=max_memory,
            progress=progress,
        )
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sample_id": content.sample_id,
        "animal_id": content.animal_id,
        "trial_id": content.trial_id,
        "created": created,
        "modified": now(),
        "comments": content.comments,
        "custom": content.custom,
        "recording": _describe(content, project),
        **_take_stock(folder, {}),
        "history": _history(content),
    }
    write_json(folder / DOCUMENT, document)


def rewrite_sample(
    folder: Path,
    old: Path,
    document: Mapping[str, Any],
    components: Components,
    rois: pd.DataFrame,
    history: list[dict[str, Any]],
) -> None:
    """Write a sample again with other components; carry all else over.

    Parameters
    ----------
    folder : pathlib.Path
        The new folder.
    old : pathlib.Path
        The folder of the sample as it is; it stays complete and unchanged.
    document : mapping
        Content of its ``sample.json``.
    components : Components
        The other components, of the same recording.
    rois : pandas.DataFrame
        Their ROI table.
    history : list of dict
        All steps that led here.

    Raises
    ------
    ParameterError
        If the components do not fit the recording.
    """
    described = document.get("recording")
    if described is None:
        described = describe_components(components)
    elif described.get("shape"):
        _check_fit(components, described["shape"])
    folder.mkdir()
    parquet.write_table(folder / _ROIS, rois, parquet.ROIS)
    components_zarr.write(components, folder / _COMPONENTS, earlier=old / _COMPONENTS)
    carried = [
        name
        for name in document.get("parts", [])
        if name not in (_ROIS, _COMPONENTS, DOCUMENT)
    ]
    commit.carry_parts(old, folder, carried)
    measured = document.get("measured", {})
    known = {name: measured[name] for name in carried if name in measured}
    stock = _take_stock(folder, known)
    parts = sorted({*stock["parts"], *carried})
    new = {"modified": now(), "recording": described, "history": history}
    write_json(folder / DOCUMENT, {**document, **stock, "parts": parts, **new})


def _take_stock(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return which parts a sample has, and the measures of its Zarr folders."""
    parts = sorted(part.name for part in folder.iterdir())
    measured = {
        part: measure_tree(folder / part, deep=part in _MEASURED_DEEP)
        for part in parts
        if part.endswith(".zarr") and part not in known
    }
    return {"parts": parts, "measured": {**measured, **known}}


def _describe(content: CheckedContent, project: Path) -> dict[str, Any] | None:
    if content.recording is not None:
        return describe_recording(content.recording, project)
    if content.components is not None:
        return describe_components(content.components)
    return None


def _history(content: CheckedContent) -> list[dict[str, Any]]:
    """Return the recording's steps, then the components', each once, then this one."""
    steps: dict[str, dict[str, Any]] = {}
    if content.recording is not None:
        for step in content.recording.attrs.get("history") or []:
            steps.setdefault(str(step.get("id")), dict(step))
    if content.components is not None:
        for step in content.components.history:
            steps.setdefault(str(step.get("id")), dict(step))
    return content.timer.extend(steps.values())
