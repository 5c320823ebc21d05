"""What the project dock reads off the GUI thread: projects, and samples to show."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import contrast_limits, drawn_areas, image_limits
from napari_mesmerize.errors import MesmerizeError, ProjectError
from napari_mesmerize.progress import Progress
from napari_mesmerize.project import Project
from napari_mesmerize.workspace.journalling import Opened, describe, replay
from napari_mesmerize.workspace.open_recording import OpenRecording
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.undo import UndoStack

UNREADABLE = "damaged"


class OpenedProject(NamedTuple):
    """A project, the rows of its list of samples, and what a crash left unsaved."""

    project: Project
    rows: list[dict[str, Any]]
    unsaved: list[str]
    problems: list[str]  # lines of journals that can not be read


def open_folder(path: str | Path, *, progress: Progress) -> OpenedProject:
    """Open a project folder and read its list of samples."""
    from napari_mesmerize.project import open_project

    project = open_project(path)
    rows = list_samples(project, progress=progress)
    return OpenedProject(
        project, rows, project.unsaved_edits(), project.journal_problems()
    )


def list_samples(project: Project, *, progress: Progress) -> list[dict[str, Any]]:
    """Return what the list shows of each sample; only what changed is read again.

    A sample that can not be read has a row, too: opening it says what is wrong.
    """
    rois = project.table(skip_damaged=True, progress=progress)
    counts = rois.groupby("sample_id").size()
    facts = project.sample_table(skip_damaged=True).to_dict("records")
    known = {
        str(row["sample_id"]): {str(name): value for name, value in row.items()}
        for row in facts
    }
    return [
        known.get(sample_id, {"sample_id": sample_id, "animal_id": sample_id})
        | _state(project, sample_id, counts.get(sample_id))
        for sample_id in project.samples
    ]


def _state(project: Project, sample_id: str, count: int | None) -> dict[str, Any]:
    """Return the number of ROIs of a sample, or why it can not be read."""
    if count is not None:
        return {"n_rois": int(count)}
    sample = project.sample(sample_id)
    try:
        sample.row()
    except ProjectError as error:
        return {"trial_id": UNREADABLE, "n_rois": "", "problem": str(error)}
    try:
        return {"n_rois": len(sample.roi_columns(outlines=False))}
    except ProjectError as error:
        return {"n_rois": UNREADABLE, "problem": str(error)}


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
    limits_of: dict[str, tuple[float, float]]
    ids: tuple[str, str] = ("", "")  # animal and trial
    comments: str = ""
    areas: Any = None
    roi_set: RoiSet | None = None
    open_recording: OpenRecording | None = None
    stack: UndoStack | None = None
    recovered: str = ""


def open_sample(
    project: Project, sample_id: str, *, progress: Progress
) -> OpenedSample:
    """Read a sample back; a recording that can not be found is a problem to show."""
    sample = project.sample(sample_id)
    recording, limits, problem = None, None, ""
    for _ in progress([sample_id], desc=f"Opening {sample_id}", total=1):
        try:
            recording = sample.open_recording()
            limits = contrast_limits(recording)
        except MesmerizeError as error:
            problem = str(error)
    epochs = sample.epochs
    missing = () if recording is None else recording.attrs.get("missing_steps") or ()
    if missing:
        problem = (
            f"This is the raw recording of '{sample_id}': the steps "
            f"{', '.join(map(str, missing))} were not saved with the sample. Add it "
            "with 'Copy the recording into the project' to keep them."
        )
    components = sample.components
    projections = sample.projections
    opened = OpenedSample(
        sample_id,
        recording,
        limits,
        components,
        sample.rois,
        epochs if epochs is not None and len(epochs) else None,
        projections,
        problem,
        {name: image_limits(image) for name, image in projections.items()},
        (sample.animal_id, sample.trial_id),
        sample.comments,
        None if components is None else drawn_areas(components),
    )
    opened = opened._replace(roi_set=roi_set_of(opened, project))
    return _recovered(opened, project)


def _recovered(opened: OpenedSample, project: Project) -> OpenedSample:
    """Take again what a session that crashed did and did not save."""
    stack, rois, recording = UndoStack(), opened.roi_set, None
    if rois is not None:
        rois.undo_stack = stack
    if opened.recording is not None:
        recording = OpenRecording(opened.recording, opened.epochs)
        recording.project, recording.sample_id = project, opened.sample_id
    opened = opened._replace(open_recording=recording, stack=stack)
    steps = project.unsaved_steps(opened.sample_id)
    if not steps:
        return opened
    parts = Opened(rois, recording, stack)
    taken, problems = replay(parts, project, opened.sample_id, steps)
    problem = " ".join([opened.problem, *problems]).strip()
    return opened._replace(problem=problem, recovered=describe(taken))


def roi_set_of(opened: OpenedSample, project: Project) -> RoiSet | None:
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


def components_of(opened: OpenedSample) -> Components | None:
    """Return ROIs that were saved as outlines only."""
    from napari_mesmerize.data.rois import footprints_from_outlines

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
