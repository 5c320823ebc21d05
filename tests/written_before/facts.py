"""What a project, a recording or components are known by: numbers that JSON holds.

``make.py`` kept these facts as the version of then found them; the tests find them
again. Only names of the public API are used here, so that moved modules do not matter.
"""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import napari_mesmerize as mesmerize

BATCH = 64  # frames
FRAME, ROW = 100, 11  # of corrected recordings


def load_movie(folder: Path) -> Any:
    """Return the recording that work in a folder was begun with."""
    frames = np.load(folder / "movie.npz")["frames"]
    return mesmerize.as_recording(frames, frame_rate=15.0)


def crashed_here(project: Path) -> None:
    """Make the journal of a project that of a process of this computer that is dead."""
    (journal,) = (project / "journal").glob("*.jsonl")
    first, rest = journal.read_text("utf-8").split("\n", 1)
    header = json.loads(first) | {"host": platform.node(), "process_started": 0.0}
    journal.write_text(f"{json.dumps(header)}\n{rest}", "utf-8")


def plain(value: Any) -> Any:
    """Return a value as JSON holds it; NaN is null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray | pd.Index):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def of_table(table: pd.DataFrame) -> dict[str, Any]:
    """Return the index of a table, and each column: what kind it is of, and values."""
    return {
        "index": list(table.index),
        "columns": {
            name: {
                "kind": np.dtype(str(column.dtype)).kind,
                "values": column.astype(object).tolist(),
            }
            for name, column in table.items()
        },
    }


def of_components(components: Any) -> dict[str, Any]:
    """Return what components are known by: a few values and sums."""
    matrix = components.footprints
    background = components.background
    return {
        "roi_ids": components.roi_ids,
        "image_shape": components.image_shape,
        "frame_rate": components.frame_rate,
        "accepted": components.accepted,
        "n_pixels": np.diff(matrix.indptr),
        "weights": np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel(),
        "traces": {
            kind: {
                "of roi 1": traces[1, 20:32],
                "sums": traces.sum(axis=1, dtype=np.float64),
            }
            for kind, traces in components.traces.items()
        },
        "static": None if background is None else background.static[:12],
        "history": operations(components.history),
    }


def of_recording(recording: Any) -> dict[str, Any]:
    """Return what a recording is known by."""
    frames = recording.to_numpy()
    times = recording.coords.get("time_s")
    facts = ("frame_rate", "pixel_size_um", "date")
    return {
        "shape": frames.shape,
        "dtype": str(frames.dtype),
        "sum": int(frames.sum(dtype=np.int64)),
        "row": frames[7, 5],
        "times": None if times is None else times.to_numpy()[:5],
        **{name: recording.attrs[name] for name in facts},
    }


def of_project(path: Path) -> dict[str, Any]:
    """Return what is known of a project and its samples."""
    project = mesmerize.open_project(path)
    return {
        "name": project.name,
        "roi_tags": project.roi_tags,
        "stimulus_types": project.stimulus_types,
        "visible_columns": project.config.visible_columns,
        "table": of_table(project.table()),
        "sample_table": of_table(project.sample_table()),
        "backups": [[kept.what, kept.reason] for kept in project.backups()],
        "samples": {
            sample_id: of_sample(project.sample(sample_id))
            for sample_id in project.samples
        },
    }


def of_sample(sample: Any) -> dict[str, Any]:
    """Return what is known of a sample."""
    return {
        "problems": sample.verify(),
        "comments": sample.comments,
        "custom": sample.custom,
        "outline": sample.rois["outline"].iloc[0],
        "epochs": of_table(sample.epochs),
        "components": of_components(sample.components),
        "projections": {
            name: image.sum(dtype=np.float64)
            for name, image in sample.projections.items()
        },
        "has_recording": sample.has_recording,
        "recording": of_recording(sample.open_recording()),
        "history": operations(sample.history),
    }


def of_crash(path: Path) -> dict[str, Any]:
    """Return what a session that was cut off left in a project, and what it becomes."""
    project = mesmerize.open_project(path)
    unsaved = project.unsaved_edits()
    return {
        "saved": of_table(project.table()),
        "unsaved": unsaved,
        "samples": {
            sample_id: {
                # the column of an edit; nothing for a merge, a split or a drawing
                "steps": [
                    getattr(step, "column", None)
                    for step in project.unsaved_steps(sample_id)
                ],
                "recovered": of_rois(*project.recover(sample_id)),
            }
            for sample_id in unsaved
        },
    }


def of_rois(components: Any, rois: pd.DataFrame) -> dict[str, Any]:
    """Return what components and their ROI table are known by; it has the verdicts."""
    known = of_components(components)
    del known["accepted"]
    return {
        "components": known,
        "rois": of_table(rois.drop(columns="outline")),
        "corners": [len(outline) for outline in rois["outline"]],
        "first corners": [list(outline[0]) for outline in rois["outline"]],
    }


def of_corrected(path: Path) -> dict[str, Any]:
    """Return what a stored motion correction is known by."""
    recording = mesmerize.read_recording(path)
    return of_recording(recording) | {
        "history": operations(recording.attrs["history"]),
        "meta": recording.attrs["meta"],
    }


def operations(history: Any) -> list[str]:
    """Return the names of the steps of a history."""
    return [step["operation"] for step in history]
