"""What the project dock computes off the GUI thread: samples written and read back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.components import Components
from napari_mesmerize.errors import MesmerizeError, ParameterError
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.layers import contrast_limits
from napari_mesmerize.widgets.picture import drawn_areas
from napari_mesmerize.widgets.roi_journal import describe, redrawn, replay
from napari_mesmerize.widgets.roi_set import RoiSet
from napari_mesmerize.widgets.work import prepare_labels, project_images


class SampleContent(NamedTuple):
    """What the project dock adds as a sample."""

    recording: xr.DataArray | None
    components: Components | None
    rois: pd.DataFrame | None
    epochs: pd.DataFrame | None


def add_sample(
    project: Any,
    animal_id: str,
    trial_id: str,
    content: SampleContent,
    *,
    comments: str,
    copy_recording: bool,
    overwrite: bool,
    progress: Progress,
) -> Any:
    """Add a sample; tag columns and stimulus types that the project lacks are added."""
    for column in _missing_tags(project, content):
        project.add_roi_tag(column)
    epochs = content.epochs
    if epochs is not None:
        _add_stimulus_types(project, epochs)
    images = None
    if content.recording is not None:
        images = project_images(content.recording, progress=progress)
    return project.add_sample(
        animal_id,
        trial_id,
        recording=content.recording,
        components=content.components,
        rois=content.rois,
        epochs=epochs,
        projections=images,
        comments=comments,
        copy_recording=copy_recording,
        overwrite=overwrite,
        progress=progress,
    )


def _add_stimulus_types(project: Any, epochs: pd.DataFrame) -> None:
    for kind in dict.fromkeys(epochs["stimulus_type"]):
        if kind not in project.stimulus_types:
            project.add_stimulus_type(kind)


def _missing_tags(project: Any, content: SampleContent) -> list[str]:
    if content.rois is None:
        return []
    known = {"kind", "outline", "accepted", "rejected_because", *project.roi_tags}
    scores = () if content.components is None else content.components.scores.columns
    return [
        str(column)
        for column in content.rois.columns
        if column not in known
        and column not in scores
        and not pd.api.types.is_numeric_dtype(content.rois[column])
    ]


class OpenedSample(NamedTuple):
    """A sample read back, ready to be shown."""

    sample_id: str
    recording: xr.DataArray | None
    limits: tuple[float, float] | None
    components: Components | None
    rois: pd.DataFrame
    epochs: pd.DataFrame | None
    projections: dict[str, NDArray[np.float32]]
    problem: str
    areas: Any = None
    roi_set: RoiSet | None = None
    recovered: str = ""


def open_sample(project: Any, sample_id: str, *, progress: Progress) -> OpenedSample:
    """Read a sample back; a recording that can not be found is a problem to show."""
    sample = project.sample(sample_id)
    recording, limits, problem = None, None, ""
    for _ in progress([sample_id], desc=f"Opening {sample_id}", total=1):
        try:
            recording = sample.open_recording()
            limits = contrast_limits(recording)
        except MesmerizeError as error:
            problem = str(error)
    prepare_labels()
    epochs = sample.epochs
    missing = () if recording is None else recording.attrs.get("missing_steps") or ()
    if missing:
        problem = (
            f"This is the raw recording of '{sample_id}': the steps "
            f"{', '.join(map(str, missing))} were not saved with the sample. Add it "
            "with 'Copy the recording into the project' to keep them."
        )
    components = sample.components
    opened = OpenedSample(
        sample_id,
        recording,
        limits,
        components,
        sample.rois,
        epochs if epochs is not None and len(epochs) else None,
        sample.projections,
        problem,
        None if components is None else drawn_areas(components),
    )
    return _recovered(opened._replace(roi_set=roi_set_of(opened, project)), project)


def _recovered(opened: OpenedSample, project: Any) -> OpenedSample:
    """Take again what a session that crashed did and did not save."""
    if opened.roi_set is None:
        return opened
    steps = project.unsaved_steps(opened.sample_id)
    if not steps:
        return opened
    taken, problems = replay(opened.roi_set, project, steps)
    problem = " ".join([opened.problem, *problems]).strip()
    return opened._replace(problem=problem, recovered=describe(taken))


def roi_set_of(opened: OpenedSample, project: Any) -> RoiSet | None:
    """Return the ROIs of a sample as it holds them."""
    components = opened.components
    if components is None and len(opened.rois):
        components = components_of(opened)
    if components is None or len(components) == 0:
        return None
    return RoiSet(
        components,
        opened.rois,
        recording=opened.recording,
        epochs=opened.epochs,
        name=f"ROIs of {opened.sample_id}",
        tag_columns=tuple(project.roi_tags),
        project=project,
        sample_id=opened.sample_id,
        areas=opened.areas,
    )


def save_curation(
    project: Any,
    sample_id: str,
    components: Components,
    table: pd.DataFrame,
    tag_columns: Sequence[str],
    epochs: pd.DataFrame | None = None,
    *,
    progress: Progress,
) -> Any:
    """Write a curated ROI table; tag columns that the project lacks are added.

    Stimulus epochs (``None``: as they were) are written where they are others. After
    a merge or a split there are other ROIs, and drawn ones may have moved: then
    footprints and traces are written with the table. What was there goes to
    ``backups/``.
    """
    for column in tag_columns:
        if column not in project.roi_tags:
            project.add_roi_tag(column)
    sample = project.sample(sample_id)
    for _ in progress([sample_id], desc=f"Saving {sample_id}", total=1):
        saved = sample.rois
        if set(saved.index) == set(table.index) and not redrawn(saved, table):
            project.update_rois(sample_id, table)
        else:
            _replace_rois(project, sample, components, table, progress)
        if epochs is not None and not epochs.equals(sample.epochs):
            _add_stimulus_types(project, epochs)
            project.update_epochs(sample_id, epochs)
    return project.sample(sample_id)


def _replace_rois(
    project: Any,
    sample: Any,
    components: Components,
    table: pd.DataFrame,
    progress: Progress,
) -> None:
    """Write a sample again, with other ROIs and all else as it was."""
    try:
        recording = sample.open_recording()
    except MesmerizeError:
        recording = None  # its source is away; the ROIs matter now
    project.add_sample(
        sample.animal_id,
        sample.trial_id,
        recording=recording,
        components=components,
        rois=table,
        epochs=sample.epochs,
        projections=sample.projections,
        comments=sample.comments,
        custom=sample.custom,
        copy_recording=sample.has_recording,
        overwrite=True,
        progress=progress,
    )


def components_of(opened: OpenedSample) -> Components | None:
    """Return ROIs that were saved as outlines only."""
    from napari_mesmerize.roi import footprints_from_outlines

    if opened.recording is None:
        return None
    shape = tuple(opened.recording.shape[1:])
    return Components.build(
        footprints_from_outlines(opened.rois["outline"], shape),
        shape,
        {},
        roi_ids=list(opened.rois.index),
        accepted=opened.rois["accepted"].to_numpy(bool),
        frame_rate=opened.recording.attrs.get("frame_rate"),
    )


def check_ids(animal_id: str, trial_id: str) -> None:
    """Refuse empty ids before a long run starts."""
    for name, value in (("animal id", animal_id), ("trial id", trial_id)):
        if not value.strip():
            raise ParameterError(
                f"The {name} is empty; animal and trial together name the sample for "
                "good, for instance animal 'm01' and trial 'day1'."
            )
