"""Take the steps of a crashed session again, out of its journal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.pictures import areas_of_exchanged
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.project import Project
from napari_mesmerize.project.journal import (
    Columns,
    Edit,
    Epochs,
    Facts,
    NewColumn,
    Step,
)
from napari_mesmerize.project.parquet import points
from napari_mesmerize.project.replaced_rois import Exchange, read_exchange
from napari_mesmerize.workspace.open_recording import OpenRecording
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.undo import UndoStack
from napari_mesmerize.workspace.undo_commands import (
    ColumnValues,
    SetColumns,
    SetEpochs,
    SetFacts,
)


def redrawn(old: pd.DataFrame, new: pd.DataFrame) -> set[str]:
    """Return the ROIs of both tables whose outline differs."""
    both = [name for name in new.index if name in old.index]
    before, after = (points(table.loc[both, "outline"]) for table in (old, new))
    return {both[i] for i in range(len(both)) if before[i] != after[i]}


class Opened(NamedTuple):
    """What of a sample is open, with one list of steps for all of it."""

    rois: RoiSet | None
    recording: OpenRecording | None
    stack: UndoStack


def replay(
    opened: Opened, project: Project, sample_id: str, steps: Sequence[Step]
) -> tuple[list[Step], list[str]]:
    """Take the steps of a crashed session again; each can be undone.

    Returns
    -------
    list of Step
        What was taken again, without what had been undone.
    list of str
        What could not be taken again, and why.
    """
    problems: list[str] = []
    taken: list[Step] = []
    for part in (opened.rois, opened.recording):
        if part is not None:
            part.journalled = False
    try:
        for step in steps:
            if taken and _takes_back(step, taken[-1]):
                opened.stack.undo()
                taken.pop()
                continue
            before = len(opened.stack)
            try:
                _take(opened, project, step)
            except MesmerizeError as error:
                problems.append(str(error))
                continue
            if len(opened.stack) > before:
                opened.stack.last.id = step.id
                taken.append(step)
    finally:
        for part in (opened.rois, opened.recording):
            if part is not None:
                part.journalled = True
    project.journal.adopt(sample_id, taken)
    if opened.rois is not None and taken:
        opened.rois.unsaved = opened.rois.curated = True
    return taken, problems


def _take(opened: Opened, project: Project, step: Step) -> None:
    rois, recording = opened.rois, opened.recording
    if isinstance(step, Epochs | Facts):
        if recording is None:
            return
        if isinstance(step, Facts):
            facts = dict(step.new)
            if facts.get("pixel_size_um") is not None:
                facts["pixel_size_um"] = tuple(facts["pixel_size_um"])
            opened.stack.do(SetFacts(recording, facts))
            return
        epochs = None if step.new is None else make_epochs(step.new)
        holders: list[OpenRecording | RoiSet] = [recording]
        if rois is not None:
            holders.append(rois)
        opened.stack.do(SetEpochs(recording, epochs, holders))
    elif rois is None:
        return
    elif isinstance(step, Exchange):
        came = read_exchange(project.path, step)
        old = rois.components
        new = came.components_of(old)
        areas = areas_of_exchanged(rois.areas, old.roi_ids, new, set(step.places))
        changed = set(step.places) & set(step.gone)
        rois.exchange(new, came.rois_of(rois.table), areas, changed=changed)
    elif isinstance(step, NewColumn):
        rois.add_tag_column(step.column)
    elif isinstance(step, Edit):
        rois.edit(step.column, step.new)
    else:
        _evaluate(rois, step)


def _evaluate(rois: RoiSet, step: Columns) -> None:
    """Write several columns in one step."""
    changes = []
    for column, values in step.new.items():
        found = rois.table.index.get_indexer(pd.Index(list(values), dtype=object))
        there = np.flatnonzero(found >= 0)
        given = np.empty(len(values), object)
        given[:] = list(values.values())
        known = column in rois.table
        old = rois.table[column].to_numpy()[found[there]] if known else None
        changes.append(ColumnValues(column, found[there], given[there], old))
    history = [*rois.components.history, *step.history]
    components = replace(rois.components, history=history)
    rois.undo_stack.do(SetColumns(rois, "evaluation", changes, components))


def _takes_back(step: Step, last: Step) -> bool:
    """Say whether a step undid the one before it.

    Journals of format 1 noted an undo as the opposite step; their steps have no ids of
    their own, but are named by file and line.
    """
    if ":" not in step.id:
        return False
    if isinstance(step, Exchange) and isinstance(last, Exchange):
        came, went = set(step.places), set(step.gone)
        drawn_anew = bool(came & went)
        swapped = (came, went) == (set(last.gone), set(last.places))
        return swapped and not drawn_anew
    if isinstance(step, Edit) and isinstance(last, Edit):
        same = step.column == last.column
        return same and (step.new, step.old) == (last.old, last.new)
    return False


def describe(steps: Sequence[Step]) -> str:
    """Say in a sentence what was brought back."""
    n_exchanges = sum(isinstance(step, Exchange) for step in steps)
    parts = [
        one if number == 1 else f"{number} {many}"
        for number, one, many in (
            (len(steps) - n_exchanges, "1 edit", "edits"),
            (n_exchanges, "1 merge or split", "merges or splits"),
        )
        if number
    ]
    if not parts:
        return ""
    return (
        f"{' and '.join(parts)} of a session that was not closed came back. Undo takes "
        "them back one by one, Save curation keeps them."
    )
