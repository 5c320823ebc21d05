"""What the chain made of a recording, kept as a sample of a project."""

import numpy as np
import pandas as pd

from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.engines.pipeline import Processed
from napari_mesmerize.project.project import Project
from napari_mesmerize.project.sample import Sample

QUALITY_TAG = "quality"


def tag_by_quality(rois: pd.DataFrame, *, good_snr: float = 10.0) -> pd.DataFrame:
    """Return the ROI table with a tag column ``quality``.

    ``good`` for accepted components whose signal-to-noise ratio (column ``snr``)
    reaches ``good_snr``, ``fair`` for the other accepted ones, ``rejected`` for
    the rest.
    """
    tagged = rois.copy()
    snr = rois["snr"].to_numpy(float) if "snr" in rois else np.full(len(rois), np.inf)
    accepted = rois["accepted"].to_numpy(bool)
    tagged[QUALITY_TAG] = np.where(
        accepted, np.where(snr >= good_snr, "good", "fair"), "rejected"
    ).astype(object)
    return tagged


def add_to_project(
    project: Project,
    animal_id: str,
    trial_id: str,
    processed: Processed,
    *,
    rois: pd.DataFrame | None = None,
    epochs: pd.DataFrame | None = None,
    comments: str = "",
    keep_recording: bool = True,
    overwrite: bool = False,
) -> Sample:
    """Save what the chain made as a sample of a project.

    Parameters
    ----------
    project : Project
        An open project.
    animal_id, trial_id : str
        They name the sample: ``<animal_id>-_-<trial_id>``.
    processed : Processed
        Result of :func:`process`.
    rois : pandas.DataFrame, optional
        The ROI table; default the table of the components.
    epochs : pandas.DataFrame, optional
        Stimulus epochs.
    comments : str, optional
        Free text.
    keep_recording : bool, optional
        Copy the recording into the sample. Without it a corrected recording has to be
        computed again when the sample is opened for viewing.
    overwrite : bool, optional
        Replace a sample of that name; the old one goes to ``backups/``.
    """
    if rois is None and processed.components is not None:
        rois = roi_table_from_components(processed.components)
    return project.add_sample(
        animal_id,
        trial_id,
        recording=processed.recording,
        components=processed.components,
        rois=rois,
        epochs=epochs,
        projections=processed.projections,
        comments=comments,
        copy_recording=keep_recording,
        overwrite=overwrite,
    )
