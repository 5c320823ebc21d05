"""What the project dock writes off the GUI thread: samples, and their curation."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress
from napari_mesmerize.project import Project, Sample, SampleContent
from napari_mesmerize.workspace.compute import project_images
from napari_mesmerize.workspace.journalling import redrawn

__all__ = ["SampleContent", "add_sample", "check_ids", "save_curation"]


def add_sample(
    project: Project,
    animal_id: str,
    trial_id: str,
    content: SampleContent,
    *,
    comments: str,
    copy_recording: bool,
    overwrite: bool,
    progress: Progress,
) -> Sample:
    """Add a sample; tag columns and stimulus types that the project lacks are added."""
    for column in _missing_tags(project, content):
        project.add_roi_tag(column)
    epochs = content.epochs
    if epochs is not None:
        _add_stimulus_types(project, epochs)
    images = None
    if content.recording is not None:
        images = project_images(content.recording, progress=progress)
    return project.add(
        animal_id,
        trial_id,
        replace(
            content,
            projections=images,
            comments=comments,
            copy_recording=copy_recording,
        ),
        overwrite=overwrite,
        progress=progress,
    )


def _add_stimulus_types(project: Project, epochs: pd.DataFrame) -> None:
    for kind in dict.fromkeys(epochs["stimulus_type"]):
        if kind not in project.stimulus_types:
            project.add_stimulus_type(kind)


def _missing_tags(project: Project, content: SampleContent) -> list[str]:
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


def save_curation(
    project: Project,
    sample_id: str,
    components: Components,
    table: pd.DataFrame,
    tag_columns: Sequence[str],
    epochs: pd.DataFrame | None = None,
    *,
    progress: Progress,
) -> Sample:
    """Write a curated ROI table; tag columns that the project lacks are added.

    Stimulus epochs (``None``: as they were) are written where they are others. After
    a merge or a split there are other ROIs, and drawn ones may have moved: then
    footprints and traces are written with the table, and the recording and its
    projections are carried over. What was there goes to ``backups/``.
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
            project.replace_components(sample_id, components, table)
        if epochs is not None and not epochs.equals(sample.epochs):
            _add_stimulus_types(project, epochs)
            project.update_epochs(sample_id, epochs)
    return project.sample(sample_id)


def check_ids(animal_id: str, trial_id: str) -> None:
    """Refuse empty ids before a long run starts."""
    for name, value in (("animal id", animal_id), ("trial id", trial_id)):
        if not value.strip():
            raise ParameterError(
                f"The {name} is empty; animal and trial together name the sample for "
                "good, for instance animal 'm01' and trial 'day1'."
            )
